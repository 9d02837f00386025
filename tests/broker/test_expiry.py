"""mambaamqp/broker/expiry.py: deadlines anywhere in a queue."""

from typing import Any

from mambaamqp.broker.entry import GONE, NEVER, UNACKED, Entry
from mambaamqp.broker.expiry import DUE_MAX, LEFTOVERS_MIN, Expiry
from mambaamqp.broker.ready import Block, Line
from tests.broker.conftest import message

QUEUE: Any = None
PAGER: Any = None


def entry(position: int, deadline: float) -> Entry:
    made = Entry(message(), QUEUE, position)
    made.deadline = deadline
    return made


def block(*deadlines: float) -> Block:
    made = Block([entry(position, deadline) for position, deadline in enumerate(deadlines)])
    made.deadline = min(deadlines)
    return made


def filled(*blocks: Block) -> Expiry:
    expiry = Expiry()
    for one in blocks:
        expiry.watch(Line(), one)
    return expiry


def test_what_is_due_comes_by_deadline() -> None:
    """Not by position, and each once, whatever block it stands in."""
    one, other = block(3.0, 1.5), block(2.0)
    expiry = filled(one, other)
    assert expiry.due(2.0, PAGER) == [one.entries[1], other.entries[0]]
    for found in (one.entries[1], other.entries[0]):
        assert found is not None
        found.state = GONE
    assert (expiry.due(2.0, PAGER), expiry.deadline()) == ([], 3.0)
    assert expiry.due(9.0, PAGER) == [one.entries[0]]
    assert expiry.deadline() == NEVER


def test_only_what_waits_expires() -> None:
    """What was taken out, what is gone and what has no deadline is passed over."""
    one = block(1.0, 1.0, NEVER, 1.0)
    one.entries[0] = None
    gone = one.entries[1]
    assert gone is not None
    gone.state = GONE
    assert filled(one).due(5.0, PAGER) == [one.entries[3]]


def test_a_block_with_an_earlier_deadline_by_now_is_looked_at_then() -> None:
    """And a block that is no longer of a line never."""
    one, used_up = block(5.0), block(1.0)
    expiry = filled(one, used_up)
    used_up.deadline = NEVER
    one.entries.append(entry(7, 2.0))
    one.deadline = 2.0
    expiry.watch(Line(), one)
    assert expiry.deadline() == 2.0
    assert expiry.due(2.0, PAGER) == [one.entries[1]]
    assert expiry.deadline() == 5.0


def test_what_came_back_expires_too() -> None:
    """Unless it is held again, or gone; what is gone sets no deadline."""
    expiry = Expiry()
    waits, held, gone = (entry(position, 1.0 + position) for position in range(3))
    for one in (waits, held, gone):
        expiry.watch_returned(one)
    held.state = UNACKED
    gone.state = GONE
    assert expiry.deadline() == 1.0
    assert expiry.due(2.5, PAGER) == [waits]
    assert expiry.deadline() == NEVER


def test_nothing_is_left_of_a_queue_that_is_gone() -> None:
    """Nor kept alive."""
    expiry = filled(block(1.0))
    expiry.watch_returned(entry(1, 1.0))
    expiry.clear()
    assert (expiry.deadline(), expiry.due(9.0, PAGER)) == (NEVER, [])


def test_a_backlog_expires_in_slices() -> None:
    """The next look is due at once, until all have gone."""
    expiry = filled(*[block(*[1.0] * 256) for _ in range(10)])
    sizes = []
    while expiry.deadline() <= 1.0:
        found = expiry.due(1.0, PAGER)
        sizes.append(len(found))
        for entry in found:
            entry.state = GONE
    assert sum(sizes) == 2560
    assert max(sizes) < DUE_MAX + 256


def test_leftovers_do_not_pile_up() -> None:
    """A queue with a long time to live and quick consumers stays small."""
    expiry = Expiry()
    for position in range(20 * LEFTOVERS_MIN):
        item = entry(position, 1e6)
        expiry.watch_returned(item)
        item.state = GONE
        used_up = block(1e6)
        expiry.watch(Line(), used_up)
        used_up.deadline = NEVER
    assert len(expiry.returned) <= LEFTOVERS_MIN + 1
    assert len(expiry.blocks) <= LEFTOVERS_MIN + 1
