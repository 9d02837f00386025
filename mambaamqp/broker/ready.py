"""The messages of a queue that wait for a consumer, in the order in which they will go.

Theory of operation. New entries arrive in the order of their positions and leave from the front, so they
stand in blocks, lists of BLOCK entries each: cheap at both ends, and whoever walks along the line (see
`after`) finds the place to go on from its position, whatever has come and gone meanwhile. An entry that comes
back (requeue) has a smaller position than all that were never delivered: such entries stand in a small heap
in front. An entry that is removed from the middle (expired, purged) is only marked GONE and passed over
later; when too many such marks pile up, the structure is rebuilt, so that each entry costs a constant on
average and memory stays proportional to what is really waiting. A priority queue has one such line for each
level in use, highest level first.
"""

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from mambaamqp.broker.asleep import Asleep
from mambaamqp.broker.entry import GONE, NEVER, READY, Entry

if TYPE_CHECKING:
    from mambaamqp.broker.queue import Queue

TOMBSTONES_MIN: Final = 1024
"""Removed entries that are tolerated before a rebuild is considered; a rebuild walks the whole line."""
QUORUM_PRIORITY_MAX: Final = 31
QUORUM_PRIORITY_DEFAULT: Final = 4
BLOCK: Final = 256
"""Entries of a block, as a rule; none has more."""
BLOCK_BYTES: Final = 1024 * 1024
"""A block with bodies of so many octets is complete."""


class Block:
    """Up to BLOCK entries in a row. One that sleeps has none, and `asleep` finds them again (`pager`)."""

    def __init__(self, entries: list[Entry | None]) -> None:
        self.entries = entries
        self.body_bytes: i64 = 0
        """Of its bodies, when it was complete."""
        self.asleep: Asleep | None = None
        self.unfit = False
        """It has been found that it cannot sleep."""
        self.held = False
        """Somebody is at its entries: it must not fall asleep."""
        self.awake_bytes: i64 = 0
        """What the pager counts for it."""
        self.deadline: float = NEVER
        """None of its entries expires earlier; NEVER when it is no longer of a line."""

    @property
    def last(self) -> int:
        """The position of the last entry; -1 when that has been taken out."""
        if self.asleep is not None:
            return self.asleep.last
        last = self.entries[-1] if self.entries else None
        return -1 if last is None else last.position


class Line:
    """One first-in, first-out line with a way back for requeued entries.

    `queue` is whose line it is; without one nothing sleeps.
    """

    at: i64

    def __init__(self, queue: "Queue | None" = None) -> None:
        self.queue = queue
        self.block_size: i64 = BLOCK if queue is None else queue.broker.pager.block_size
        self.head: list[Entry | None] = []
        """The first block's entries; what was taken out of it is None."""
        self.at = 0
        """The front of the line: a place in the first block."""
        self.tail = self.head
        """The last block's entries, maybe those of the first one too."""
        self.tail_bytes: i64 = 0
        """Of the bodies that were pushed to the last block."""
        self.blocks: list[Block] = [Block(self.head)]
        self.returned: list[tuple[int, Entry]] = []
        self.tombstones = 0
        self.rested = 0
        """Blocks up to this position sleep, or have been found unfit for it."""

    def push(self, entry: Entry) -> None:
        tail = self.tail
        if len(tail) >= self.block_size or self.tail_bytes >= BLOCK_BYTES:
            tail = self._begin_block()
        tail.append(entry)
        self.tail_bytes += i64(entry.message.body_bytes)
        if entry.deadline != NEVER:
            self._watch(self.blocks[-1], entry.deadline)

    def _watch(self, block: Block, deadline: float) -> None:
        """Something in a block expires then."""
        if deadline < block.deadline:
            block.deadline = deadline
            if self.queue is not None:
                self.queue.watch(self, block)

    def _begin_block(self) -> list[Entry | None]:
        """The last block is complete: another one behind it."""
        full = self.blocks[-1]
        full.body_bytes = self.tail_bytes
        self.tail = []
        self.tail_bytes = 0
        self.blocks.append(Block(self.tail))
        if self.queue is not None:
            self.queue.broker.pager.filled(self, full)
        return self.tail

    def push_asleep(self, asleep: Asleep) -> None:
        """A block that sleeps already; its positions are greater than all before."""
        last = self.blocks[-1]
        if last.entries or len(self.blocks) == 1:
            self._begin_block()
            last = self.blocks[-1]
        last.asleep = asleep
        self._watch(last, asleep.deadline)
        self.rested = asleep.last
        self.tail = []
        self.tail_bytes = 0
        self.blocks.append(Block(self.tail))

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands here, not even what is GONE."""
        return not self.returned and self.at == len(self.head) and len(self.blocks) == 1

    def push_back(self, entry: Entry) -> None:
        heappush(self.returned, (entry.position, entry))

    def pop(self) -> Entry | None:
        """The first entry still waiting, taken out; None when the line is empty."""
        while self.returned:
            _, entry = heappop(self.returned)
            if entry.state == READY:
                return entry
            self.tombstones -= 1
        while True:
            head = self.head
            at = self.at
            if at == len(head):
                if not self._next_block():
                    return None
                continue
            first = head[at]
            head[at] = None
            self.at = at + 1
            assert first is not None
            if first.state == READY:
                return first
            self.tombstones -= 1

    def pop_asleep(self) -> Asleep | None:
        """The block at the front, taken out as it sleeps; None if something is awake in front of it."""
        if self.returned or self.at < len(self.head) or len(self.blocks) < 2:
            return None
        block = self.blocks[1]
        asleep = block.asleep
        if asleep is not None:
            block.deadline = NEVER
            del self.blocks[1]
        return asleep

    def peek(self) -> Entry | None:
        """The first entry still waiting, left where it is."""
        while self.returned:
            entry = self.returned[0][1]
            if entry.state == READY:
                return entry
            heappop(self.returned)
            self.tombstones -= 1
        while self.at < len(self.head) or self._next_block():
            if self.at == len(self.head):
                continue
            first = self.head[self.at]
            assert first is not None
            if first.state == READY:
                return first
            self.head[self.at] = None
            self.at += 1
            self.tombstones -= 1
        return None

    def _next_block(self) -> bool:
        """The first block is used up: go on to the next one, if there is any, and have it awake."""
        self.at = 0
        if self.head is self.tail:
            self.head.clear()
            self.tail_bytes = 0
            return False
        used = self.blocks[0]
        used.deadline = NEVER
        del self.blocks[0]
        head = self.blocks[0]
        queue = self.queue
        if queue is not None:
            queue.broker.pager.used_up(self, used)
            if head.asleep is not None:
                queue.broker.pager.wake(self, head)
                queue.broker.pager.expect(self)
        self.head = head.entries
        return True

    def bury(self, waiting: int) -> None:
        """An entry somewhere in the line has become GONE; so many wait yet."""
        self.tombstones += 1
        if self.tombstones > TOMBSTONES_MIN and self.tombstones > waiting:
            self._rebuild()

    def _rebuild(self) -> None:
        """Without what is GONE. Nothing that sleeps is."""
        old = self.blocks
        waiting: list[Entry | None] = []
        self.blocks = []
        for block in old:
            if self.queue is not None:
                self.queue.broker.pager.used_up(self, block)
            if block.asleep is not None:
                self._cut(waiting)
                waiting = []
                self.blocks.append(block)
            else:
                block.deadline = NEVER
                waiting += [entry for entry in block.entries if entry is not None and entry.state != GONE]
        self._cut(waiting)
        if not self.blocks or self.blocks[0].asleep is not None:
            self.blocks.insert(0, Block([]))
        if self.blocks[-1].asleep is not None:
            self.blocks.append(Block([]))
        self.head = self.blocks[0].entries
        self.tail = self.blocks[-1].entries
        self.tail_bytes = self.blocks[-1].body_bytes
        self.at = 0
        self.returned = [pair for pair in self.returned if pair[1].state != GONE]
        heapify(self.returned)
        self.tombstones = 0
        if self.queue is not None:
            for block in self.blocks[:-1]:
                self.queue.broker.pager.filled(self, block)

    def _cut(self, entries: list[Entry | None]) -> None:
        """Blocks of these, behind those that there are."""
        size = int(self.block_size)
        for at in range(0, len(entries), size):
            block = Block(entries[at : at + size])
            for entry in block.entries:
                if entry is not None:
                    block.body_bytes += i64(entry.message.body_bytes)
                    self._watch(block, entry.deadline)
            self.blocks.append(block)

    def retime(self, queue: "Queue") -> None:
        """The time to live of the queue has changed: all deadlines are found anew."""
        for _, entry in self.returned:
            queue.resume_clock(entry)
            if entry.state == READY and entry.deadline != NEVER:
                queue.expiry.watch_returned(entry)
        for block in self.blocks:
            deadline = _retimed(block, queue)
            block.deadline = NEVER
            self._watch(block, deadline)

    def entries(self) -> list[Entry]:
        """All waiting entries in order; what sleeps is read and goes on sleeping."""
        found = [entry for _, entry in sorted(self.returned, key=_position) if entry.state == READY]
        for block in self.blocks:
            asleep = block.asleep
            if asleep is not None and self.queue is not None:
                found += self.queue.broker.pager.read(asleep, self.queue, lose=False)
            else:
                found += [entry for entry in block.entries if entry is not None and entry.state == READY]
        return found

    def awake(self) -> list[Entry]:
        """As `entries`, without what sleeps."""
        found = [entry for _, entry in self.returned if entry.state == READY]
        for block in self.blocks:
            found += [entry for entry in block.entries if entry is not None and entry.state == READY]
        return found

    def sleeping(self) -> list[Asleep]:
        """What sleeps, in order."""
        return [block.asleep for block in self.blocks if block.asleep is not None]

    def block_after(self, position: int) -> Block | None:
        """The first block with entries of a position greater than this; None at the end of the line."""
        low = 1 if self.at == len(self.head) else 0
        # A last block without entries has no last position either.
        end = high = len(self.blocks) if self.tail else len(self.blocks) - 1
        while low < high:
            middle = (low + high) // 2
            if self.blocks[middle].last > position:
                high = middle
            else:
                low = middle + 1
        return self.blocks[low] if low < end else None

    def next_to_rest(self, head_blocks: i64) -> Block | None:
        """The first complete block, behind so many at the front, that is awake and has not been tried."""
        low = int(head_blocks)
        high = len(self.blocks) - 1
        while low < high:
            middle = (low + high) // 2
            if self.blocks[middle].last > self.rested:
                high = middle
            else:
                low = middle + 1
        while low < len(self.blocks) - 1:
            block = self.blocks[low]
            if block.asleep is None:
                return block
            self.rested = block.last
            low += 1
        return None


def _retimed(block: Block, queue: "Queue") -> float:
    """The deadline of a block after a change; of one that sleeps no later than the true one."""
    asleep = block.asleep
    if asleep is not None:
        asleep.deadline = min(asleep.deadline, queue.moment_of(asleep.oldest_ms))
        return asleep.deadline
    deadline = NEVER
    for entry in block.entries:
        if entry is not None and entry.state == READY:
            queue.resume_clock(entry)
            deadline = min(deadline, entry.deadline)
    return deadline


def _position(pair: tuple[int, Entry]) -> int:
    return pair[0]


class Ready:
    """The waiting entries of a queue; `count` and `body_bytes` are those of what really waits.

    `queue` is whose they are; without one nothing sleeps.
    """

    def __init__(self, queue: "Queue | None" = None) -> None:
        self.queue = queue
        self.count = 0
        self.body_bytes = 0
        self.line = Line(queue)

    def push(self, entry: Entry) -> None:
        """Append a new entry; its position is greater than all before."""
        self.count += 1
        self.body_bytes += entry.message.body_bytes
        self.line.push(entry)

    def push_back(self, entry: Entry) -> None:
        """Put an entry back to its original place."""
        self.count += 1
        self.body_bytes += entry.message.body_bytes
        self.line.push_back(entry)

    def pop(self) -> Entry | None:
        """Take the entry that goes next; None when nothing waits."""
        entry = self.line.pop()
        if entry is not None:
            self.count -= 1
            self.body_bytes -= entry.message.body_bytes
        return entry

    def peek(self) -> Entry | None:
        return self.line.peek()

    def remove(self, entry: Entry) -> None:
        """Take an entry out wherever it stands. The caller has marked it GONE already."""
        self.count -= 1
        self.body_bytes -= entry.message.body_bytes
        self.line.bury(self.count)

    def pop_asleep(self) -> Asleep | None:
        """What comes next and sleeps, as it is; None if what comes next is awake."""
        return self._without(self.line.pop_asleep())

    def _without(self, asleep: Asleep | None) -> Asleep | None:
        if asleep is not None:
            self.count -= asleep.count
            self.body_bytes -= asleep.body_bytes
        return asleep

    def level_of(self, entry: Entry) -> int:
        """The line that an entry stands in."""
        return 0

    def push_asleep(self, asleep: Asleep, level: int) -> None:
        """Append what sleeps already to a line."""
        self.count += asleep.count
        self.body_bytes += asleep.body_bytes
        self.line.push_asleep(asleep)

    def lost(self, body_bytes: int) -> None:
        """An entry that slept could not be read."""
        self.count -= 1
        self.body_bytes -= body_bytes

    def entries(self) -> list[Entry]:
        """All waiting entries in the order in which they would go; a copy."""
        return self.line.entries()

    def all_lines(self) -> list[Line]:
        """The lines in use."""
        return [self.line]


class PriorityReady(Ready):
    """A line for each priority in use; strictly the highest first, first-in first-out within a level."""

    def __init__(self, priority_max: int, priority_default: int = 0, queue: "Queue | None" = None) -> None:
        super().__init__(queue)
        self.priority_max = priority_max
        self.priority_default = priority_default
        self.lines: list[Line | None] = [None] * (priority_max + 1)
        self.highest = 0
        """No line above this level holds anything."""

    def level_of(self, entry: Entry) -> int:
        priority = entry.message.priority
        return self.priority_default if priority < 0 else min(priority, self.priority_max)

    def _line_of(self, entry: Entry) -> Line:
        return self._line_at(self.level_of(entry))

    def _line_at(self, level: int) -> Line:
        if level > self.highest:
            self.highest = level
        line = self.lines[level]
        if line is None:
            line = self.lines[level] = Line(self.queue)
        return line

    def push(self, entry: Entry) -> None:
        self.count += 1
        self.body_bytes += entry.message.body_bytes
        self._line_of(entry).push(entry)

    def push_back(self, entry: Entry) -> None:
        self.count += 1
        self.body_bytes += entry.message.body_bytes
        self._line_of(entry).push_back(entry)

    def pop(self) -> Entry | None:
        while self.highest >= 0:
            line = self.lines[self.highest]
            entry = None if line is None else line.pop()
            if entry is not None:
                self.count -= 1
                self.body_bytes -= entry.message.body_bytes
                return entry
            self.highest -= 1
        self.highest = 0
        return None

    def peek(self) -> Entry | None:
        for level in range(self.highest, -1, -1):
            line = self.lines[level]
            entry = None if line is None else line.peek()
            if entry is not None:
                return entry
        return None

    def pop_asleep(self) -> Asleep | None:
        for level in range(self.highest, -1, -1):
            line = self.lines[level]
            if line is not None and not line.is_empty:
                return self._without(line.pop_asleep())
        return None

    def push_asleep(self, asleep: Asleep, level: int) -> None:
        self.count += asleep.count
        self.body_bytes += asleep.body_bytes
        self._line_at(level).push_asleep(asleep)

    def remove(self, entry: Entry) -> None:
        self.count -= 1
        self.body_bytes -= entry.message.body_bytes
        self._line_of(entry).bury(self.count)

    def entries(self) -> list[Entry]:
        return [entry for line in reversed(self.lines) if line is not None for entry in line.entries()]

    def all_lines(self) -> list[Line]:
        return [line for line in self.lines if line is not None]


def ready_for(queue_type: str, max_priority: int | None, queue: "Queue") -> Ready:
    """What a queue of that type keeps its waiting entries in."""
    if queue_type == "quorum":
        return PriorityReady(QUORUM_PRIORITY_MAX, QUORUM_PRIORITY_DEFAULT, queue)
    return PriorityReady(max_priority, 0, queue) if max_priority else Ready(queue)
