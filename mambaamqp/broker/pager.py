"""Backlogs in bounded memory: what waits far from the front of a queue sleeps on disk until it is due.

Theory of operation. A message that is in the journal need not be in memory too. When the full blocks of all
ready lines (`broker.ready`) take more than `budget_bytes`, blocks behind the first HEAD_BLOCKS of a line are
replaced by what finds them again (`broker.asleep`), a few at the end of each batch, line after line in turn.
When the front of the line comes to a sleeping block, or compaction needs it, it is read back in one go,
and the blocks behind it are announced to the operating system, so that it reads them meanwhile.

What does not sleep: the head and the tail of a line, what came back, and whatever could not be had again in
one read: messages of several queues, of more than a mebibyte, with a time to live, or not in the journal.
"""

import logging
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from mambaamqp.broker.asleep import Asleep, Slot, awake_bytes_of_entry, checksum, fit, slot_of
from mambaamqp.broker.entry import GONE, Entry
from mambaamqp.broker.ready import BLOCK, Block, Line
from mambaamqp.broker.revival import Revival
from mambaamqp.errors import StoreError
from mambaamqp.store.decoding import publish_in
from mambaamqp.store.segment import Segment

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker
    from mambaamqp.broker.queue import Queue

HEAD_BLOCKS: Final = 16
"""The front of each line that stays awake: what consumers take in the next milliseconds."""
BLOCKS_PER_BATCH: Final = 32
"""So many are put to sleep at the end of a batch, at most."""
LINES_PER_BATCH: Final = 8
"""So many lines are looked at for that."""
AHEAD_BLOCKS: Final = 8
"""So many are announced before they are needed."""
SPAN_SLACK_BYTES: Final = 65_536

log = logging.getLogger("mambaamqp.store")


def awake_bytes_of(block: Block) -> int:
    """What the messages of a block take in memory, about."""
    size = 0
    for entry in block.entries:
        if entry is not None:
            size += awake_bytes_of_entry(entry)
    return size


class Pager:
    """All lines of a broker that have something to put to sleep."""

    def __init__(self, broker: "Broker", budget_bytes: int) -> None:
        self.broker = broker
        self.budget_bytes: i64 = budget_bytes
        self.block_size: i64 = BLOCK
        """Of lines that are made from now on."""
        self.head_blocks: i64 = HEAD_BLOCKS
        self.awake_bytes: i64 = 0
        """In full blocks of all lines."""
        self.recalled_bytes: i64 = 0
        """Awake in all recollections, while the log is replayed."""
        self.slept = 0
        self.woken = 0
        """Messages that were put to sleep, and woken, since the start."""
        self._lines: dict[Line, None] = {}
        self._revival = Revival()

    # What lines say

    def filled(self, line: Line, block: Block) -> None:
        """A block is complete, and another one stands behind it."""
        block.awake_bytes = awake_bytes_of(block)
        self.awake_bytes += block.awake_bytes
        self._look_at(line)

    def _look_at(self, line: Line) -> None:
        """Keep a line in mind that may have something to put to sleep."""
        if len(line.blocks) > self.head_blocks + 1:
            self._lines[line] = None

    def used_up(self, line: Line, block: Block) -> None:
        """A block is no longer there."""
        self.awake_bytes -= block.awake_bytes
        block.awake_bytes = 0
        if len(line.blocks) <= self.head_blocks + 1:
            self._lines.pop(line, None)

    # To sleep

    def relieve(self) -> None:
        """The end of a batch: put some blocks to sleep if there is need."""
        left = BLOCKS_PER_BATCH
        lines = min(LINES_PER_BATCH, len(self._lines))
        while left > 0 and lines > 0 and self.awake_bytes > self.budget_bytes:
            lines -= 1
            line = next(iter(self._lines))
            del self._lines[line]
            slept = self._put_to_sleep(line, left)
            left -= slept
            self._lines[line] = None

    def _put_to_sleep(self, line: Line, most: int) -> int:
        """Up to so many blocks of a line; how many it were."""
        slept = 0
        while slept < most and self.awake_bytes > self.budget_bytes:
            block = line.next_to_rest(self.head_blocks)
            if block is None or not self._sleep(line, block):
                break
            slept += 1
        return slept

    def _sleep(self, line: Line, block: Block) -> bool:
        """Put one block to sleep, or leave it awake for good; False when it is not the time for it yet."""
        if block.held:
            return False
        durable = self.broker.journal.durable
        slots: list[bytes] = []
        gone = 0
        for entry in block.entries:
            if entry is None:
                continue
            if entry.state == GONE:
                gone += 1
            elif fit(entry, durable):
                slots.append(slot_of(entry))
            elif entry.message.lsn + entry.message.kept_bytes() > durable:
                return False
            else:
                line.rested = block.last
                return True
        line.rested = block.last
        if slots:
            line.tombstones -= gone
            self.fall_asleep(block, Asleep(b"".join(slots)))
        return True

    def fall_asleep(self, block: Block, asleep: Asleep) -> None:
        """The entries of a block are let go."""
        self.slept += asleep.count
        self.awake_bytes -= block.awake_bytes
        block.awake_bytes = 0
        block.asleep = asleep
        block.entries = []

    # Awake again

    def wake(self, line: Line, block: Block) -> None:
        """Have the entries of a sleeping block; what cannot be read is reported and left out."""
        asleep, queue = block.asleep, line.queue
        if asleep is None or queue is None:
            return
        entries: list[Entry | None] = []
        entries += self.read(asleep, queue, lose=True)
        block.entries = entries
        block.asleep = None
        block.awake_bytes = awake_bytes_of(block)
        self.awake_bytes += block.awake_bytes
        self.woken += len(entries)
        line.rested = min(line.rested, asleep.first - 1)
        self._look_at(line)

    def expect(self, line: Line) -> None:
        """The front of a line has come to what sleeps: announce what comes next."""
        journal = self.broker.journal
        for block in line.blocks[1 : 1 + AHEAD_BLOCKS]:
            asleep = block.asleep
            if asleep is not None and not asleep.expected:
                asleep.expected = True
                journal.expect(asleep.lowest_lsn, asleep.span_bytes)

    def read(self, asleep: Asleep, queue: "Queue", *, lose: bool) -> list[Entry]:
        """The entries of a sleeping block, which goes on sleeping.

        What cannot be read is left out; with `lose` that is reported, and it counts no longer.
        """
        octets, start = self._span(asleep)
        entries: list[Entry] = []
        for slot in asleep.slots():
            entry = self._entry(slot, octets, start, queue)
            if entry is not None:
                entries.append(entry)
            elif lose:
                self._lose(slot, queue)
        return entries

    def _span(self, asleep: Asleep) -> tuple[bytes, int]:
        """All octets from the first record to the last and where they begin, if they stand close together."""
        size = asleep.span_bytes
        segment = self.broker.journal.segment_of(asleep.lowest_lsn)
        if segment is None or asleep.lowest_lsn + size > segment.end_lsn:
            return b"", 0
        if size > 2 * asleep.record_bytes + SPAN_SLACK_BYTES:
            return b"", 0
        return self._octets(segment, asleep.lowest_lsn, size), asleep.lowest_lsn

    def _octets(self, segment: Segment, lsn: int, size: int) -> bytes:
        try:
            return self.broker.journal.read(segment, lsn, size)
        except OSError as failure:
            log.error("cannot read the journal at LSN %d: %s", lsn, failure)
            return b""

    def entry(self, slot: Slot, queue: "Queue") -> Entry | None:
        """One entry that slept; None if it cannot be read, which is reported."""
        entry = self._entry(slot, b"", 0, queue)
        if entry is None:
            self._report(slot, queue)
        return entry

    def _entry(self, slot: Slot, octets: bytes, start: int, queue: "Queue") -> Entry | None:
        position, lsn, size, checked, _, redelivered = slot
        segment = self.broker.journal.segment_of(lsn)
        if segment is None:
            return None
        at = lsn - start
        if not octets or at < 0 or at + size > len(octets):
            octets = self._octets(segment, lsn, size)
            at = 0
        try:
            record = publish_in(octets, at, size)
        except StoreError:
            return None
        message = self._revival.message(record, lsn)
        if checksum(message) != checked:
            return None
        message.segment = segment
        message.references = 1
        entry = Entry(message, queue, position)
        entry.journaled = True
        entry.redelivered = redelivered != 0
        return entry

    def _lose(self, slot: Slot, queue: "Queue") -> None:
        """A message whose octets have changed on disk, or cannot be read, counts no longer."""
        self._report(slot, queue)
        self.release_slot(slot)
        queue.ready.lost(slot[4])

    def _report(self, slot: Slot, queue: "Queue") -> None:
        position, lsn, size, *_ = slot
        log.error(
            "the message at position %d of queue '%s' in vhost '%s' is damaged on disk (LSN %d to %d): "
            "it is not delivered",
            position,
            queue.name,
            queue.vhost.name,
            lsn,
            lsn + size,
        )

    # What is settled in its sleep

    def release(self, asleep: Asleep) -> None:
        """The journal need not keep these any more."""
        for slot in asleep.slots():
            self.release_slot(slot)

    def release_slot(self, slot: Slot) -> None:
        """Nor this one."""
        segment = self.broker.journal.segment_of(slot[1])
        if segment is not None:
            segment.live -= 1
            segment.live_bytes -= slot[2]
