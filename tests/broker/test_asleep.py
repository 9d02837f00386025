"""mambaamqp/broker/asleep.py: who may sleep, and what is kept of it."""

from collections.abc import Callable

import pytest

from mambaamqp.broker.asleep import (
    JOURNALED,
    KEPT,
    MARKED,
    NOWHERE,
    SLOT,
    SLOT_BYTES,
    SPILLED,
    Asleep,
    awake_bytes_of,
    checksum,
    fit,
    is_journaled,
    is_marked,
    is_shared,
    kept_slot_of,
    may_be_kept,
    may_be_spilled,
    record_of,
    slot_of,
    spilled_in,
    spilled_slot_of,
)
from mambaamqp.broker.entry import GONE, NEVER, Entry
from mambaamqp.broker.message import NO_LSN
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.errors import StoreError
from mambaamqp.store.body import StoredBody
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
    asleep = Asleep(slot_of(entry) + slot_of(other), NEVER, 0)
    lsn, size = entry.message.lsn, entry.message.kept_bytes()
    kept = (lsn, size, checksum(entry.message), 4)
    assert list(asleep.slots()) == [(1, *kept, 0), (9, *kept, 1)]
    assert (asleep.count, asleep.first, asleep.last) == (2, 1, 9)
    assert (asleep.lowest_lsn, asleep.journal.start, asleep.journal.size) == (lsn, lsn, size)
    assert (asleep.journal.record_bytes, asleep.scratch.size, asleep.body_bytes) == (2 * size, 0, 8)
    assert len(asleep.packed) == 2 * SLOT_BYTES


def test_a_block_of_several_kinds() -> None:
    """What stands in the journal, in the scratch and in memory is counted apart."""
    slots = [
        (1, 100, 10, 0, 5, 0),
        (2, 500, 20, 0, 6, SPILLED),
        (3, 7, 1, 0, 7, KEPT | JOURNALED),
        (4, 110, 30, 0, 8, MARKED),
    ]
    asleep = Asleep(b"".join([SLOT.pack(*slot) for slot in slots]), NEVER, 0)
    assert (asleep.first, asleep.last, asleep.count, asleep.body_bytes) == (1, 4, 4, 26)
    assert (asleep.journal.start, asleep.journal.size, asleep.lowest_lsn) == (100, 40, 100)
    assert (asleep.journal.count, asleep.journal.record_bytes) == (2, 40)
    assert (asleep.scratch.start, asleep.scratch.size, asleep.scratch.count) == (500, 20, 1)


def test_a_run_has_no_gaps(entry: Entry) -> None:
    """In its positions, nor in the journal: then it is settled in one."""
    following = Entry(entry.message, entry.queue, 2)
    later = Entry(entry.message, entry.queue, 3)
    assert Asleep(slot_of(entry) + slot_of(following), NEVER, 0).is_run
    assert not Asleep(slot_of(entry) + slot_of(later), NEVER, 0).is_run
    assert not Asleep(slot_of(entry) + spilled_slot_of(following, 7, 9), NEVER, 0).is_run


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


def delivered(entry: Entry) -> None:
    entry.delivery_count = 1


def shared(entry: Entry) -> None:
    entry.message.references = 2


def in_parts(entry: Entry) -> None:
    entry.message.lsn = NO_LSN


@pytest.mark.parametrize("change", [gone, not_journaled, delivered, shared, in_parts])
def test_nobody_else_is(entry: Entry, change: Callable[[Entry], None]) -> None:
    """What a slot does not say would be lost."""
    change(entry)
    assert not fit(entry, FAR)


def test_what_is_not_in_the_journal_may_be_spilled(vhost: VirtualHost, make: Make) -> None:
    """Unless a slot does not say all of it."""
    queue = make()
    vhost.enqueue(message(b"body", delivery_mode=1), [queue])
    (found,) = queue.ready.entries()
    assert may_be_spilled(found)
    assert not fit(found, FAR)
    found.delivery_count = 1
    assert not may_be_spilled(found)


def test_what_is_large_may_be_kept(entry: Entry) -> None:
    """Whoever else needs it: it is on disk but for its header."""
    assert not may_be_spilled(entry)
    assert not may_be_kept(entry)
    entry.message.stored, entry.message.lsn = StoredBody([]), NO_LSN
    assert may_be_kept(entry)
    assert not may_be_spilled(entry)
    entry.message.references = 2
    assert may_be_kept(entry)
    entry.state = GONE
    assert not may_be_kept(entry)


def test_a_message_of_several_queues_is_shared(entry: Entry) -> None:
    """And of one queue, if its record is for several yet; not if it is a large one."""
    assert not is_shared(entry)
    entry.message.references = 2
    assert is_shared(entry)
    entry.message.references, entry.message.lsn = 1, NO_LSN
    assert is_shared(entry)
    entry.message.stored = StoredBody([])
    assert not is_shared(entry)
    entry.message.stored = None
    entry.delivery_count = 1
    assert not is_shared(entry)


def test_what_is_spilled_is_found_again(vhost: VirtualHost, make: Make) -> None:
    """All that a client sees; its slot says where."""
    queue = make()
    vhost.enqueue(message(b"body", delivery_mode=1, app_id="a"), [queue])
    (found,) = queue.ready.entries()
    octets = record_of(found)
    record = spilled_in(b"__" + octets, 2, len(octets))
    assert record.address == found.message.address
    assert record.content == [found.message.content]
    asleep = Asleep(spilled_slot_of(found, 500, len(octets)), NEVER, 0)
    assert list(asleep.slots()) == [(1, 500, len(octets), checksum(found.message), 4, SPILLED)]
    assert (asleep.scratch.start, asleep.scratch.size) == (500, len(octets))
    assert (asleep.journal.size, asleep.lowest_lsn) == (0, NOWHERE)
    with pytest.raises(StoreError):
        spilled_in(octets[:-1], 0, len(octets))


def test_whose_settlement_is_written(entry: Entry) -> None:
    """What is in the journal's hands, wherever it is read from."""
    places = {"journal": slot_of(entry), "kept": kept_slot_of(entry, 5)}
    entry.journaled = False
    places["kept, transient"] = kept_slot_of(entry, 6)
    entry.redelivered = True
    places["scratch"] = spilled_slot_of(entry, 5, 100)
    slots = {name: SLOT.unpack(packed) for name, packed in places.items()}
    assert [name for name, slot in slots.items() if is_journaled(slot)] == ["journal", "kept"]
    assert [name for name, slot in slots.items() if is_marked(slot)] == ["scratch"]


def test_messages_count_as_far_as_they_are_in_memory(entry: Entry) -> None:
    """By their bodies, but for those that are on disk."""
    before = awake_bytes_of(entry)
    entry.message.body_bytes += 1500
    assert awake_bytes_of(entry) == before + 1500
    entry.message.stored = StoredBody([])
    assert awake_bytes_of(entry) == before - 4
