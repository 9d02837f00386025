"""A block of waiting messages that are on disk only: what must be known to find them again, packed.

A message that sleeps costs SLOT_BYTES, whatever its size. One that is in the journal is read from there again
(`fit`); others have been written into the scratch (`may_be_spilled`), as a record without content and the
content behind it. What is read back is checked against the checksum that was taken when it fell asleep. A
large message, whose body is on disk anyhow, is kept as it is beside the slots (`may_be_kept`).
"""

from collections.abc import Iterator, Sequence
from itertools import compress
from operator import add
from struct import Struct
from typing import Final
from zlib import crc32

from mambaamqp.broker.entry import READY, Entry
from mambaamqp.broker.message import NO_LSN, Message
from mambaamqp.errors import StoreError
from mambaamqp.store.decoding import RECORD_HEAD_BYTES, publish_in
from mambaamqp.store.records import Publish, publish_one

SLOT: Final = Struct("<qqIIIB")
"""position, place of the record (LSN, address in the scratch, or number), its octets, checksum of address and
content, octets of the body, flags"""
SLOT_BYTES: Final = SLOT.size

MARKED: Final = 1
"""It has been delivered before, or may have been."""
SPILLED: Final = 2
"""It is read from the scratch."""
KEPT: Final = 4
"""It is in memory, but for its body; the place is a number that the pager has given it."""
JOURNALED: Final = 8
"""It is kept, and stands in the journal."""
IN_JOURNAL: Final = bytes([flags for flags in range(256) if not flags & (SPILLED | KEPT)])
"""The flags of what is read from the journal."""
ENTRY_BYTES: Final = 290
"""What a message that is awake costs in memory besides its body, about."""
NOWHERE: Final = 1 << 62
"""The lowest LSN of a block that has nothing in the journal."""

Slot = tuple[int, int, int, int, int, int]


def fit(entry: Entry, durable: int) -> bool:
    """Whether an entry can be had again from the log as far as it is durable, and nothing else needs it."""
    message = entry.message
    return (
        entry.journaled
        and entry.state == READY
        and entry.delivery_count == 0
        and message.lsn != NO_LSN
        and message.references == 1
        and message.lsn + message.kept_bytes() <= durable
    )


def may_be_spilled(entry: Entry) -> bool:
    """Whether an entry can be had again from the scratch: it is not in the journal."""
    return (
        entry.state == READY
        and entry.delivery_count == 0
        and not entry.journaled
        and entry.message.stored is None
    )


def may_be_kept(entry: Entry) -> bool:
    """Whether an entry costs little while it sleeps in memory."""
    return entry.state == READY and entry.message.stored is not None


def is_shared(entry: Entry) -> bool:
    """Whether nothing but the other queues of its message, past or present, keeps an entry awake."""
    message = entry.message
    if not entry.journaled or entry.state != READY or entry.delivery_count:
        return False
    return message.stored is None and (message.references > 1 or message.lsn == NO_LSN)


def record_of(entry: Entry) -> bytes:
    """What is written of an entry into the scratch: a record as the journal would have it, the content."""
    message = entry.message
    head = publish_one(
        message.dead_lettered,
        message.published_ms,
        entry.queue.serial,
        entry.position,
        0,
        entry.redelivered,
        message.address,
        b"",
    )
    return b"".join((head, message.content))


def awake_bytes_of(entry: Entry) -> int:
    """What a message takes in memory while it is awake, about."""
    message = entry.message
    return ENTRY_BYTES + (message.body_bytes if message.stored is None else 0)


def checksum(message: Message) -> int:
    """Of everything that a client will see of a message."""
    return crc32(message.content, crc32(message.address))


def slot_of(entry: Entry) -> bytes:
    """What is kept of an entry that is read from the journal again."""
    message = entry.message
    return _slot(entry, message.lsn, message.kept_bytes(), MARKED if entry.redelivered else 0)


def spilled_slot_of(entry: Entry, address: int, size: int) -> bytes:
    """What is kept of an entry that has been written into the scratch, to this address and so many octets."""
    return _slot(entry, address, size, SPILLED | (MARKED if entry.redelivered else 0))


def kept_slot_of(entry: Entry, number: int) -> bytes:
    """What is kept of an entry beside the entry itself, which is found again by a number."""
    flags = KEPT | (JOURNALED if entry.journaled else 0) | (MARKED if entry.redelivered else 0)
    return SLOT.pack(entry.position, number, 1, 0, entry.message.body_bytes, flags)


def spilled_in(octets: bytes, at: int, size: int) -> Publish:
    """What `record_of` wrote, `size` octets at `at`; StoreError if it is not there."""
    head_bytes = RECORD_HEAD_BYTES + int.from_bytes(octets[at + 1 : at + RECORD_HEAD_BYTES], "big")
    record = publish_in(octets, at, head_bytes)
    begin, end = at + head_bytes, at + size
    if not begin < end <= len(octets):
        raise StoreError("there is no such content")
    record.content = [octets[begin:end]]
    return record


def _slot(entry: Entry, place: int, size: int, flags: int) -> bytes:
    message = entry.message
    return SLOT.pack(entry.position, place, size, checksum(message), message.body_bytes, flags)


def is_journaled(slot: Slot) -> bool:
    """Whether the settlement of what sleeps there must be written."""
    flags = slot[5]
    return flags & JOURNALED != 0 or flags & (SPILLED | KEPT) == 0


def is_marked(slot: Slot) -> bool:
    """Whether it has been delivered before, or may have been."""
    return slot[5] & MARKED != 0


class Span:
    """Where `count` records stand: from `start`, `size` octets, of which `record_bytes` are theirs."""

    def __init__(self, places: Sequence[int], sizes: Sequence[int]) -> None:
        self.count = len(places)
        self.start = min(places, default=0)
        self.size = max(map(add, places, sizes), default=0) - self.start
        self.record_bytes = sum(sizes)


class Asleep:
    """Slots in the order of their positions; at least one."""

    def __init__(self, packed: bytes, deadline: float, oldest_ms: int) -> None:
        """`deadline`: in monotonic seconds, none of them expires earlier; none was published before
        `oldest_ms` since 1970."""
        self.packed = packed
        self.deadline = deadline
        self.oldest_ms = oldest_ms
        # By columns: a start makes all that waits out of these, and a slot unpacked is six numbers.
        positions, places, sizes, _, bodies, flags = zip(*SLOT.iter_unpack(packed), strict=True)
        self.count = len(positions)
        self.first: int = positions[0]
        self.last: int = positions[-1]
        self.body_bytes = sum(bodies)
        self.scratch = NOTHING
        if packed[SLOT_BYTES - 1 :: SLOT_BYTES].translate(None, IN_JOURNAL):
            self.journal = _span_of(places, sizes, [not flag & (SPILLED | KEPT) for flag in flags])
            self.scratch = _span_of(places, sizes, [flag & SPILLED != 0 for flag in flags])
        else:
            self.journal = Span(places, sizes)
        self.lowest_lsn = self.journal.start if self.journal.count else NOWHERE
        self.expected = False
        """The operating system has been told that it will be read."""

    @property
    def is_run(self) -> bool:
        """Whether all positions from the first to the last are here, and stand in the journal."""
        return self.journal.count == self.last - self.first + 1

    def slots(self) -> Iterator[Slot]:
        """(position, place, octets of the record, checksum, octets of the body, flags) of each: see SLOT."""
        return SLOT.iter_unpack(self.packed)


def _span_of(places: Sequence[int], sizes: Sequence[int], chosen: list[bool]) -> Span:
    return Span(list(compress(places, chosen)), list(compress(sizes, chosen)))


NOTHING: Final = Span((), ())
