"""mambaamqp/broker/revival.py: a message out of its record is what it was."""

from typing import Any

import pytest

from mambaamqp.broker.message import NO_LSN, Message
from mambaamqp.broker.revival import Revival
from mambaamqp.store import records
from tests.broker.conftest import message


def record_of(made: Message, *, queues: int = 1, chunked: bool = False) -> records.Publish:
    targets = [records.Target(number, 1, 0, False) for number in range(queues)]
    return records.Publish(
        made.dead_lettered, made.published_ms, targets, made.address, [made.content], chunked
    )


@pytest.mark.parametrize(
    "properties",
    [{}, {"priority": 3}, {"expiration": "250"}, {"delivery_mode": 1}, {"headers": {"x": 1}}],
)
def test_nothing_is_missing(properties: dict[str, Any]) -> None:
    """What is kept beside the content is read from it again."""
    made = message(b"body", exchange="e", key="k", **properties)
    made.published_ms, made.dead_lettered = 7, True
    again = Revival().message(record_of(made), 50)
    for name in ("address", "content", "stored", "body_bytes", "persistent", "priority", "expiration_ms"):
        assert getattr(again, name) == getattr(made, name), name
    assert (again.published_ms, again.dead_lettered, again.lsn) == (7, True, 50)


def test_what_is_not_one_record_for_one_queue_has_no_place() -> None:
    """It could not be had again by reading once."""
    made = message(b"body")
    assert Revival().message(record_of(made, queues=2), 50).lsn == NO_LSN
    assert Revival().message(record_of(made, chunked=True), 50).lsn == NO_LSN


def test_equal_addresses_are_kept_once() -> None:
    """Publishers repeat themselves."""
    revival = Revival()
    first = revival.message(record_of(message(b"1", key="k")), 1)
    second = revival.message(record_of(message(b"2", key="k")), 2)
    assert first.address is second.address
