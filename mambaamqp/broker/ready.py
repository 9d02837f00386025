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
from typing import Final

from mypy_extensions import i64

from mambaamqp.broker.entry import GONE, READY, Entry

TOMBSTONES_MIN: Final = 1024
"""Removed entries that are tolerated before a rebuild is considered; a rebuild walks the whole line."""
BLOCK: Final = 256


class Line:
    """One first-in, first-out line with a way back for requeued entries."""

    at: i64

    def __init__(self) -> None:
        self.head: list[Entry | None] = []
        """The first block; what was taken out of it is None."""
        self.at = 0
        """The front of the line: a place in the first block."""
        self.tail = self.head
        """The last block, maybe the first one too; all before it are full."""
        self.blocks: list[list[Entry | None]] = [self.head]
        self.returned: list[tuple[int, Entry]] = []
        self.tombstones = 0

    @property
    def length(self) -> int:
        """Entries that stand in the line, those that are marked GONE among them."""
        return (len(self.blocks) - 1) * BLOCK + len(self.tail) - self.at + len(self.returned)

    def push(self, entry: Entry) -> None:
        tail = self.tail
        if len(tail) == BLOCK:
            tail = []
            self.tail = tail
            self.blocks.append(tail)
        tail.append(entry)

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

    def peek(self) -> Entry | None:
        """The first entry still waiting, left where it is."""
        while self.returned:
            entry = self.returned[0][1]
            if entry.state == READY:
                return entry
            heappop(self.returned)
            self.tombstones -= 1
        while self.at < len(self.head) or self._next_block():
            first = self.head[self.at]
            assert first is not None
            if first.state == READY:
                return first
            self.head[self.at] = None
            self.at += 1
            self.tombstones -= 1
        return None

    def _next_block(self) -> bool:
        """The first block is used up: go on to the next one, if there is any."""
        self.at = 0
        if self.head is self.tail:
            self.head.clear()
            return False
        del self.blocks[0]
        self.head = self.blocks[0]
        return True

    def bury(self) -> None:
        """An entry somewhere in the line has become GONE."""
        self.tombstones += 1
        if self.tombstones > TOMBSTONES_MIN and self.tombstones * 2 > self.length:
            self._rebuild()

    def _rebuild(self) -> None:
        waiting: list[Entry | None] = [entry for entry in self._fresh() if entry.state != GONE]
        self.blocks = [waiting[at : at + BLOCK] for at in range(0, len(waiting), BLOCK)] or [[]]
        self.head = self.blocks[0]
        self.tail = self.blocks[-1]
        self.at = 0
        self.returned = [pair for pair in self.returned if pair[1].state != GONE]
        heapify(self.returned)
        self.tombstones = 0

    def _fresh(self) -> list[Entry]:
        """Everything but what came back, GONE or not."""
        return [entry for block in self.blocks for entry in block if entry is not None]

    def entries(self) -> list[Entry]:
        """All waiting entries in order."""
        back = [entry for _, entry in sorted(self.returned, key=_position) if entry.state == READY]
        return back + [entry for entry in self._fresh() if entry.state == READY]

    def after(self, position: int) -> list[Entry]:
        """The next entries that were never taken out, of a position greater than this: one block at most.

        Empty at the end of the line. Those marked GONE are among them.
        """
        block = self._block_after(position)
        return [entry for entry in block if entry is not None and entry.position > position]

    def _block_after(self, position: int) -> list[Entry | None]:
        """The first block whose last entry stands behind `position`; an empty one at the end."""
        low = 1 if self.at == len(self.head) else 0
        high = len(self.blocks)
        while low < high:
            middle = (low + high) // 2
            last = self.blocks[middle][-1]
            if last is not None and last.position > position:
                high = middle
            else:
                low = middle + 1
        return self.blocks[low] if low < len(self.blocks) else []


def _position(pair: tuple[int, Entry]) -> int:
    return pair[0]


class Ready:
    """The waiting entries of a queue; `count` and `body_bytes` are those of what really waits."""

    def __init__(self) -> None:
        self.count = 0
        self.body_bytes = 0
        self.line = Line()

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
        self.line.bury()

    def entries(self) -> list[Entry]:
        """All waiting entries in the order in which they would go; a copy."""
        return self.line.entries()

    def all_lines(self) -> list[Line]:
        """The lines in use."""
        return [self.line]


class PriorityReady(Ready):
    """A line for each priority in use; strictly the highest first, first-in first-out within a level."""

    def __init__(self, priority_max: int, priority_default: int = 0) -> None:
        super().__init__()
        self.priority_max = priority_max
        self.priority_default = priority_default
        self.lines: list[Line | None] = [None] * (priority_max + 1)
        self.highest = 0
        """No line above this level holds anything."""

    def _line_of(self, entry: Entry) -> Line:
        priority = entry.message.priority
        level = self.priority_default if priority < 0 else min(priority, self.priority_max)
        if level > self.highest:
            self.highest = level
        line = self.lines[level]
        if line is None:
            line = self.lines[level] = Line()
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

    def remove(self, entry: Entry) -> None:
        self.count -= 1
        self.body_bytes -= entry.message.body_bytes
        self._line_of(entry).bury()

    def entries(self) -> list[Entry]:
        return [entry for line in reversed(self.lines) if line is not None for entry in line.entries()]

    def all_lines(self) -> list[Line]:
        return [line for line in self.lines if line is not None]
