"""mambaamqp/broker/entry.py: a message's place costs what it needs."""

from typing import Any

from mambaamqp.broker.entry import NEVER, READY, Entry
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
