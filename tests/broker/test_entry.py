"""mambaamqp/broker/entry.py: a message's place costs what it needs."""

from typing import Any

from mambaamqp.broker.entry import NEVER, READY, RETURNS_MAX, Entry
from tests.broker.conftest import message

QUEUE: Any = None


def test_a_new_entry_waits_for_ever() -> None:
    """Never delivered, not journaled yet, with nobody holding it."""
    entry = Entry(message(), QUEUE, 7)
    assert (entry.position, entry.state, entry.deadline) == (7, READY, NEVER)
    assert (entry.delivery_count, entry.redelivered, entry.consumer, entry.journaled) == (
        0,
        False,
        None,
        False,
    )


def test_what_comes_back_is_counted() -> None:
    """Every time, and those that failed besides; what is known to have been delivered was so once."""
    entry = Entry(message(), QUEUE, 7)
    assert entry.acquired() == 1
    for counted in (False, True, False):
        entry.come_back(counted)
    assert (entry.redelivered, entry.acquired(), entry.delivery_count) == (True, 3, 1)
    entry.returns = RETURNS_MAX
    entry.come_back(False)
    assert entry.acquired() == RETURNS_MAX
