"""mambaamqp/broker/expiry.py: deadlines anywhere in a queue."""

from typing import Any

from mambaamqp.broker.entry import GONE, NEVER, UNACKED, Entry
from mambaamqp.broker.expiry import LEFTOVERS_MIN, Expiry
from tests.broker.conftest import message

QUEUE: Any = None


def entry(position: int, deadline: float) -> Entry:
    made = Entry(message(), QUEUE, position)
    made.deadline = deadline
    return made


def filled(*deadlines: float) -> tuple[Expiry, list[Entry]]:
    expiry = Expiry()
    entries = [entry(position, deadline) for position, deadline in enumerate(deadlines)]
    for item in entries:
        expiry.add(item)
    return expiry, entries


def test_what_is_due_comes_by_deadline() -> None:
    """Not by position, and each once."""
    expiry, (first, second, third) = filled(3.0, 1.0, 2.0)
    assert expiry.due(2.0) == [second, third]
    assert (expiry.due(2.0), expiry.deadline()) == ([], 3.0)
    assert expiry.due(9.0) == [first]
    assert expiry.deadline() == NEVER


def test_only_what_waits_expires() -> None:
    """What a consumer holds is looked at when it comes back, what is gone never."""
    expiry, (held, gone, waits) = filled(1.0, 1.0, 1.0)
    held.state, gone.state = UNACKED, GONE
    assert expiry.due(5.0) == [waits]


def test_what_is_gone_sets_no_deadline() -> None:
    """Nobody is woken for a message that was acknowledged long ago."""
    expiry, (gone, _) = filled(1.0, 5.0)
    gone.state = GONE
    assert expiry.deadline() == 5.0


def test_leftovers_do_not_pile_up() -> None:
    """A queue with a long time to live and quick consumers stays small."""
    expiry = Expiry()
    for position in range(20 * LEFTOVERS_MIN):
        item = entry(position, 1e6)
        expiry.add(item)
        item.state = GONE
    assert len(expiry.heap) <= LEFTOVERS_MIN + 1
