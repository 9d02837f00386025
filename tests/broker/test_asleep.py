"""mambaamqp/broker/asleep.py: who may sleep, and what is kept of it."""

from collections.abc import Callable

import pytest

from mambaamqp.broker.asleep import SLOT_BYTES, Asleep, awake_bytes_of_entry, checksum, fit, slot_of
from mambaamqp.broker.entry import GONE, Entry
from mambaamqp.broker.message import NO_LSN
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import VirtualHost
from tests.broker.conftest import message
from tests.support.client import World

Make = Callable[..., Queue]
FAR = 1 << 40


@pytest.fixture
def entry(world: World, vhost: VirtualHost, make: Make) -> Entry:
    """One that may sleep."""
    queue = make()
    vhost.enqueue(message(b"body"), [queue])
    (found,) = queue.ready.entries()
    return found


def test_what_is_kept(entry: Entry) -> None:
    """Enough to find it, to check it, and to count it."""
    other = Entry(entry.message, entry.queue, 9)
    other.redelivered = True
    asleep = Asleep(slot_of(entry) + slot_of(other))
    lsn, size = entry.message.lsn, entry.message.kept_bytes()
    kept = (lsn, size, checksum(entry.message), 4)
    assert list(asleep.slots()) == [(1, *kept, 0), (9, *kept, 1)]
    assert (asleep.count, asleep.first, asleep.last) == (2, 1, 9)
    assert (asleep.lowest_lsn, asleep.span_bytes) == (lsn, size)
    assert (asleep.record_bytes, asleep.body_bytes) == (2 * size, 8)
    assert len(asleep.packed) == 2 * SLOT_BYTES


def test_the_checksum_is_of_all_that_a_client_sees() -> None:
    """Body, properties, exchange and routing key."""
    seen = [
        message(b"body"),
        message(b"bodx"),
        message(b"body", key="k"),
        message(b"body", exchange="e"),
        message(b"body", app_id="a"),
    ]
    assert len({checksum(each) for each in seen}) == len(seen)


def test_whoever_can_be_had_again_is_fit(entry: Entry) -> None:
    """As soon as it is durable to its last octet."""
    end = entry.message.lsn + entry.message.kept_bytes()
    assert fit(entry, end)
    assert not fit(entry, end - 1)


def gone(entry: Entry) -> None:
    entry.state = GONE


def not_journaled(entry: Entry) -> None:
    entry.journaled = False


def expiring(entry: Entry) -> None:
    entry.deadline = 10.0


def delivered(entry: Entry) -> None:
    entry.delivery_count = 1


def shared(entry: Entry) -> None:
    entry.message.references = 2


def in_parts(entry: Entry) -> None:
    entry.message.lsn = NO_LSN


@pytest.mark.parametrize("change", [gone, not_journaled, expiring, delivered, shared, in_parts])
def test_nobody_else_is(entry: Entry, change: Callable[[Entry], None]) -> None:
    """What a slot does not say would be lost."""
    change(entry)
    assert not fit(entry, FAR)


def test_large_messages_count_in_full(entry: Entry) -> None:
    """Whatever pieces they come in."""
    before = awake_bytes_of_entry(entry)
    entry.message.more = [bytes(1000), bytes(500)]
    assert awake_bytes_of_entry(entry) == before + 1500
