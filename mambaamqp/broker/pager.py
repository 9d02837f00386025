"""Backlogs in bounded memory: what waits far from the front of a queue sleeps on disk until it is due.

Theory of operation. When the complete blocks of all ready lines (`broker.ready`) take more than
`budget_bytes`, blocks behind the first HEAD_BLOCKS of a line are replaced by what finds their entries again
(`broker.asleep`), a few at the end of each batch, line after line in turn: what is in the journal is read
from there, what is not is written into the scratch. Where that is not enough, for many lines with large
heads, only the first block of a line stays. When the front of a line comes to a sleeping block, or compaction
needs it, it is read back in one go, and the blocks behind it are announced to the operating system, so that
it reads them meanwhile.

A message of several queues is written into the journal once more for each queue in which it is to sleep. A
large message is on disk but for its header, and stays in memory as it is. A block with a time to live is
woken when its first message is due (`broker.expiry`).

What does not sleep: the head and the tail of a line, what came back, and, after a restart, what had been
delivered before and counted.
"""

import logging
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from mambaamqp.broker.asleep import (
    ENTRY_BYTES,
    JOURNALED,
    KEPT,
    SPILLED,
    Asleep,
    Slot,
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
from mambaamqp.broker.entry import GONE, Entry
from mambaamqp.broker.message import NO_LSN
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
PENDING_BYTES_MAX: Final = 4 * 1024 * 1024
"""While so much is not on its way to the disk yet, nothing is written into the journal for its sleep."""
SPAN_SLACK_BYTES: Final = 65_536
"""So many octets more than twice what is needed are read at once, rather than record by record."""

log = logging.getLogger("mambaamqp.store")


class Octets:
    """A stretch of the journal or the scratch that has been read; empty if it was not worth it, or failed."""

    def __init__(self, start: int, octets: bytes) -> None:
        self.start = start
        self.octets = octets

    def place_of(self, slot: Slot) -> int:
        """Where a record stands in it; -1 if it does not."""
        at = slot[1] - self.start
        return at if self.octets and at >= 0 and at + slot[2] <= len(self.octets) else -1


NOTHING: Final = Octets(0, b"")


class Pager:
    """All lines of a broker that have something to put to sleep."""

    def __init__(self, broker: "Broker", budget_bytes: int) -> None:
        self.broker = broker
        self.budget_bytes: i64 = budget_bytes
        self.block_size: i64 = BLOCK
        """Of lines that are made from now on."""
        self.head_blocks: i64 = HEAD_BLOCKS
        self.awake_bytes: i64 = 0
        """In complete blocks of all lines."""
        self.recalled_bytes: i64 = 0
        """Awake in all recollections, while the log is replayed."""
        self.slept: i64 = 0
        self.woken: i64 = 0
        """Messages that were put to sleep, and woken, since the start."""
        self._lines: dict[Line, None] = {}
        self._revival = Revival()
        self.spills = True
        """Whether the scratch may be written."""
        self._scratch_failed = False
        self._kept: dict[int, Entry] = {}
        """Large messages that sleep, by the numbers in their slots."""
        self._kept_number = 0

    # What lines say

    def filled(self, line: Line, block: Block) -> None:
        """A block is complete, and another one stands behind it."""
        block.awake_bytes = len(block.entries) * ENTRY_BYTES + block.body_bytes
        if block.body_bytes > self.broker.journal.spool.whole_bytes_max:
            for entry in block.entries:
                if entry is not None and entry.message.stored is not None:
                    block.awake_bytes -= i64(entry.message.body_bytes)
        self.awake_bytes += block.awake_bytes
        if len(line.blocks) > 2:
            self._lines[line] = None

    def used_up(self, line: Line, block: Block) -> None:
        """A block is no longer there."""
        self.awake_bytes -= block.awake_bytes
        block.awake_bytes = 0
        if len(line.blocks) <= 2:
            self._lines.pop(line, None)

    def let_be(self, line: Line) -> None:
        """Nothing of a line is to be put to sleep: its queue is gone."""
        self._lines.pop(line, None)

    # To sleep

    def relieve(self) -> None:
        """The end of a batch: put some blocks to sleep if there is need."""
        slept = self._put_lines_to_sleep(heads=False)
        if not slept and self.awake_bytes > self.budget_bytes + self.budget_bytes // 4:
            self._put_lines_to_sleep(heads=True)

    def _put_lines_to_sleep(self, heads: bool) -> int:
        """Some blocks of some lines: those behind the heads, or those of the heads; how many it were."""
        slept = 0
        for _ in range(min(LINES_PER_BATCH, len(self._lines))):
            if slept >= BLOCKS_PER_BATCH or self.awake_bytes <= self.budget_bytes:
                break
            line = next(iter(self._lines))
            del self._lines[line]
            self._lines[line] = None
            slept += (
                self._put_head_to_sleep(line) if heads else self._put_to_sleep(line, BLOCKS_PER_BATCH - slept)
            )
        return slept

    def _put_to_sleep(self, line: Line, most: int) -> int:
        slept = 0
        while slept < most and self.awake_bytes > self.budget_bytes:
            block = line.next_to_rest(self.head_blocks)
            if block is None or not self._sleep(line, block):
                break
            line.rested = block.last
            slept += block.asleep is not None
        return slept

    def _put_head_to_sleep(self, line: Line) -> int:
        """All but the first block, and the last one, which is not complete."""
        slept = 0
        last = int(min(self.head_blocks, len(line.blocks) - 1))
        for block in [block for block in line.blocks[1:last] if block.asleep is None and not block.unfit]:
            if self.awake_bytes > self.budget_bytes and self._sleep(line, block):
                slept += block.asleep is not None
        return slept

    def _sleep(self, line: Line, block: Block) -> bool:
        """Put one block to sleep, or leave it awake for good; False when it is not the time for it yet."""
        if block.held:
            return False
        waiting = [entry for entry in block.entries if entry is not None and entry.state != GONE]
        if not self._are_durable(waiting):
            return False
        durable = self.broker.journal.durable
        kept = [entry for entry in waiting if may_be_kept(entry)]
        others = [entry for entry in waiting if entry.message.stored is None and not fit(entry, durable)]
        fits = all(may_be_spilled(entry) for entry in others)
        slots = self.spill(others) if fits and others else {}
        block.unfit = True
        if waiting and fits and len(slots) == len(others):
            for entry in kept:
                slots[entry] = self.keep(entry)
            line.tombstones -= len(block.entries) - len(waiting)
            packed = b"".join([slots[entry] if entry in slots else slot_of(entry) for entry in waiting])
            oldest_ms = min([entry.message.published_ms for entry in waiting])
            self._fall_asleep(block, self.asleep(packed, block.deadline, oldest_ms))
        return True

    def _are_durable(self, entries: list[Entry]) -> bool:
        """Whether all that is to be read from the journal can be; what is not there by itself is written."""
        journal = self.broker.journal
        ready = True
        for entry in entries:
            if is_shared(entry):
                ready = False
                if journal.pending_bytes > PENDING_BYTES_MAX:
                    break
                self.broker.keep_apart(entry)
            elif (
                entry.journaled
                and entry.message.stored is None
                and entry.message.lsn + entry.message.kept_bytes() > journal.durable
            ):
                ready = False
        return ready

    def spill(self, entries: list[Entry]) -> dict[Entry, bytes]:
        """Write entries into the scratch; their slots, or nothing if that cannot be written."""
        if not self.spills:
            return {}
        records = [record_of(entry) for entry in entries]
        try:
            address = self.broker.journal.scratch.write(b"".join(records))
        except OSError as failure:
            if not self._scratch_failed:
                self._scratch_failed = True
                log.warning("cannot write scratch, so messages stay in memory: %s", failure)
            return {}
        self._scratch_failed = False
        slots: dict[Entry, bytes] = {}
        for entry, record in zip(entries, records, strict=True):
            slots[entry] = spilled_slot_of(entry, address, len(record))
            address += len(record)
        return slots

    def keep(self, entry: Entry) -> bytes:
        """Put a large message aside, whose body is on disk; its slot."""
        self._kept_number += 1
        self._kept[self._kept_number] = entry
        return kept_slot_of(entry, self._kept_number)

    def asleep(self, packed: bytes, deadline: float, oldest_ms: int) -> Asleep:
        """A block of these slots; `deadline` and `oldest_ms` as `Asleep` has them."""
        asleep = Asleep(packed, deadline, oldest_ms)
        for slot in asleep.slots():
            segment = self._segment_of(slot) if slot[5] & JOURNALED else None
            if segment is not None:
                asleep.lowest_lsn = min(asleep.lowest_lsn, segment.base_lsn)
        return asleep

    def _fall_asleep(self, block: Block, asleep: Asleep) -> None:
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
        block.unfit = False
        for entry in entries:
            if entry is not None:
                block.awake_bytes += awake_bytes_of(entry)
        self.awake_bytes += block.awake_bytes
        self.woken += len(entries)
        line.rested = min(line.rested, asleep.first - 1)
        if len(line.blocks) > 2:
            self._lines[line] = None
        if len(entries) < asleep.count:
            # Not before the others are awake: they are looked for.
            queue.recall()

    def expect(self, line: Line) -> None:
        """The front of a line has come to what sleeps: announce what comes next."""
        journal = self.broker.journal
        for block in line.blocks[1 : 1 + AHEAD_BLOCKS]:
            asleep = block.asleep
            if asleep is None or asleep.expected:
                continue
            asleep.expected = True
            if asleep.journal.size:
                journal.expect(asleep.journal.start, asleep.journal.size)
            if asleep.scratch.size:
                journal.scratch.expect(asleep.scratch.start, asleep.scratch.size)

    def read(self, asleep: Asleep, queue: "Queue", *, lose: bool) -> list[Entry]:
        """The entries of a sleeping block, which goes on sleeping.

        What cannot be read is left out. With `lose` that is reported, and it counts no longer; and what was
        in the scratch goes from there.
        """
        journal, scratch = self._journal_octets(asleep), self._scratch_octets(asleep)
        entries: list[Entry] = []
        for slot in asleep.slots():
            entry = self._entry(slot, scratch if slot[5] & SPILLED else journal, queue)
            if entry is not None:
                entries.append(entry)
                if lose:
                    self._leave(slot)
            elif lose:
                self._lose(slot, queue)
        return entries

    def _journal_octets(self, asleep: Asleep) -> Octets:
        """All from the first record to the last, if they stand close together and in one segment."""
        span = asleep.journal
        segment = self.broker.journal.segment_of(span.start)
        if segment is None or not span.size or span.start + span.size > segment.end_lsn:
            return NOTHING
        if span.size > 2 * span.record_bytes + SPAN_SLACK_BYTES:
            return NOTHING
        return self._read(span.start, span.size, 0)

    def _scratch_octets(self, asleep: Asleep) -> Octets:
        """They were written in one go."""
        span = asleep.scratch
        return self._read(span.start, span.size, SPILLED) if span.size else NOTHING

    def _read(self, start: int, size: int, flags: int) -> Octets:
        journal = self.broker.journal
        try:
            if flags & SPILLED:
                return Octets(start, journal.scratch.read(start, size))
            segment = journal.segment_of(start)
            return NOTHING if segment is None else Octets(start, journal.read(segment, start, size))
        except OSError as failure:
            log.error("cannot read what sleeps on disk: %s", failure)
            return NOTHING

    def entry(self, slot: Slot, queue: "Queue") -> Entry | None:
        """One entry, woken by itself; None if it cannot be read, which is reported."""
        entry = self._entry(slot, NOTHING, queue)
        if entry is None:
            self._report(slot, queue)
            self.release_slot(slot)
        else:
            self._leave(slot)
        return entry

    def _entry(self, slot: Slot, octets: Octets, queue: "Queue") -> Entry | None:
        position, place, size, checked, _, flags = slot
        if flags & KEPT:
            kept = self._kept[place]
            kept.redelivered = is_marked(slot)
            queue.resume_clock(kept)
            return kept
        at = octets.place_of(slot)
        if at < 0:
            octets = self._read(place, size, flags)
            at = 0
        try:
            if flags & SPILLED:
                record = spilled_in(octets.octets, at, size)
            else:
                record = publish_in(octets.octets, at, size)
        except StoreError:
            return None
        message = self._revival.message(record, NO_LSN if flags & SPILLED else place)
        if checksum(message) != checked:
            return None
        entry = Entry(message, queue, position)
        entry.redelivered = is_marked(slot)
        queue.resume_clock(entry)
        if is_journaled(slot):
            entry.journaled = True
            message.segment = self._segment_of(slot)
            message.references = 1
        return entry

    def _lose(self, slot: Slot, queue: "Queue") -> None:
        """A message whose octets have changed on disk, or cannot be read, counts no longer."""
        self._report(slot, queue)
        self.release_slot(slot)
        queue.ready.lost(slot[4])

    def _report(self, slot: Slot, queue: "Queue") -> None:
        position, place, size, _, _, flags = slot
        log.error(
            "the message at position %d of queue '%s' in vhost '%s' is damaged on disk (%s %d to %d): "
            "it is not delivered",
            position,
            queue.name,
            queue.vhost.name,
            "scratch" if flags & SPILLED else "LSN",
            place,
            place + size,
        )

    def _segment_of(self, slot: Slot) -> Segment | None:
        """Where it stands in the journal; None if it does not."""
        if slot[5] & KEPT:
            return self._kept[slot[1]].message.segment
        return None if slot[5] & SPILLED else self.broker.journal.segment_of(slot[1])

    def delivery_count(self, slot: Slot) -> int:
        """How many deliveries of what sleeps there count; of anything but what is kept there is none."""
        return int(self._kept[slot[1]].delivery_count) if slot[5] & KEPT else 0

    def _leave(self, slot: Slot) -> None:
        """What was kept of it, or stands in the scratch, is not needed any more."""
        _, place, size, _, _, flags = slot
        if flags & SPILLED:
            self.broker.journal.scratch.release(place, size)
        elif flags & KEPT:
            del self._kept[place]

    # What is settled in its sleep

    def release(self, asleep: Asleep) -> None:
        """Neither journal nor scratch need keep these any more."""
        segment = self._whole_in(asleep)
        if segment is not None:
            segment.live -= asleep.count
            segment.live_bytes -= asleep.journal.record_bytes
            return
        for slot in asleep.slots():
            self.release_slot(slot)

    def _whole_in(self, asleep: Asleep) -> Segment | None:
        """The one segment that holds all of it; None if there is no such."""
        span = asleep.journal
        if span.count < asleep.count:
            return None
        segment = self.broker.journal.segment_of(span.start)
        return segment if segment is not None and span.start + span.size <= segment.end_lsn else None

    def release_slot(self, slot: Slot) -> None:
        """Nor this one."""
        if slot[5] & KEPT:
            entry = self._kept.pop(slot[1])
            entry.state = GONE
            if entry.journaled:
                self.broker.release(entry)
            return
        segment, size = self._segment_of(slot), slot[2]
        self._leave(slot)
        if segment is not None:
            segment.live -= 1
            segment.live_bytes -= size
