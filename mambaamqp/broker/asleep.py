"""A block of waiting messages that are on disk only: what must be known to find them again, packed.

A message that sleeps costs SLOT_BYTES, whatever its size. Only what can be had again in one read from the
journal sleeps: see `fit`. What is read back is checked against the checksum that was taken when it fell
asleep.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final
from zlib import crc32

from mambaamqp.broker.entry import NEVER, READY, Entry
from mambaamqp.broker.message import NO_LSN, Message

SLOT: Final = Struct("<qqIIIB")
"""position, LSN of the record, its octets, checksum of address and content, octets of the body, mark"""
SLOT_BYTES: Final = SLOT.size

ENTRY_BYTES: Final = 200
"""What a message that is awake costs in memory besides its content, about."""

Slot = tuple[int, int, int, int, int, int]


def fit(entry: Entry, durable: int) -> bool:
    """Whether an entry can be had again from the log as far as it is durable, and nothing else needs it."""
    message = entry.message
    return (
        entry.journaled
        and entry.state == READY
        and entry.deadline == NEVER
        and entry.delivery_count == 0
        and message.lsn != NO_LSN
        and message.references == 1
        and message.lsn + message.kept_bytes() <= durable
    )


def awake_bytes_of_entry(entry: Entry) -> int:
    """What a message takes in memory while it is awake, about."""
    message = entry.message
    size = ENTRY_BYTES + len(message.content)
    if message.more is not None:
        for piece in message.more:
            size += len(piece)
    return size


def checksum(message: Message) -> int:
    """Of everything that a client will see of a message."""
    return crc32(message.content, crc32(message.address))


def slot_of(entry: Entry) -> bytes:
    """What is kept of an entry that is fit to sleep."""
    message = entry.message
    return SLOT.pack(
        entry.position,
        message.lsn,
        message.kept_bytes(),
        checksum(message),
        message.body_bytes,
        entry.redelivered,
    )


class Asleep:
    """Slots in the order of their positions; at least one."""

    def __init__(self, packed: bytes) -> None:
        self.packed = packed
        slots = list(self.slots())
        self.count = len(slots)
        self.first = slots[0][0]
        self.last = slots[-1][0]
        self.lowest_lsn = min([slot[1] for slot in slots])
        self.span_bytes = max([slot[1] + slot[2] for slot in slots]) - self.lowest_lsn
        """From the first record to the end of the last one."""
        self.record_bytes = sum([slot[2] for slot in slots])
        self.body_bytes = sum([slot[4] for slot in slots])
        self.expected = False
        """The operating system has been told that it will be read."""

    def slots(self) -> Iterator[Slot]:
        """(position, LSN, octets of the record, checksum, octets of the body, redelivered) of each."""
        return SLOT.iter_unpack(self.packed)
