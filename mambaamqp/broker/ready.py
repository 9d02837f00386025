"""The messages of a queue that wait for a consumer, in the order in which they will go.

Theory of operation. New entries arrive in the order of their positions and leave from the front, so they
stand in a double-ended queue. An entry that comes back (requeue) has a smaller position than all that were
never delivered: such entries stand in a small heap in front. An entry that is removed from the middle
(expired, purged) is only marked GONE and passed over later; when too many such marks pile up, the
structure is rebuilt, so that each entry costs a constant on average and memory stays proportional to what
is really waiting. A priority queue has one such line for each level in use, highest level first.
"""

from collections import deque
from heapq import heapify, heappop, heappush
from typing import Final

from mambaamqp.broker.entry import GONE, READY, Entry

TOMBSTONES_MIN: Final = 1024
"""Removed entries that are tolerated before a rebuild is considered; a rebuild walks the whole line."""


class Line:
    """One first-in, first-out line with a way back for requeued entries."""

    def __init__(self) -> None:
        self.fresh: deque[Entry] = deque()
        self.returned: list[tuple[int, Entry]] = []
        self.tombstones = 0

    def push(self, entry: Entry) -> None:
        self.fresh.append(entry)

    def push_back(self, entry: Entry) -> None:
        heappush(self.returned, (entry.position, entry))

    def pop(self) -> Entry | None:
        """The first entry still waiting, taken out; None when the line is empty."""
        while self.returned:
            _, entry = heappop(self.returned)
            if entry.state == READY:
                return entry
            self.tombstones -= 1
        while self.fresh:
            entry = self.fresh.popleft()
            if entry.state == READY:
                return entry
            self.tombstones -= 1
        return None

    def peek(self) -> Entry | None:
        """The first entry still waiting, left where it is."""
        while self.returned:
            entry = self.returned[0][1]
            if entry.state == READY:
                return entry
            heappop(self.returned)
            self.tombstones -= 1
        while self.fresh:
            entry = self.fresh[0]
            if entry.state == READY:
                return entry
            self.fresh.popleft()
            self.tombstones -= 1
        return None

    def bury(self) -> None:
        """An entry somewhere in the line has become GONE."""
        self.tombstones += 1
        if self.tombstones > TOMBSTONES_MIN and self.tombstones * 2 > len(self.fresh) + len(self.returned):
            self.fresh = deque([entry for entry in self.fresh if entry.state != GONE])
            self.returned = [pair for pair in self.returned if pair[1].state != GONE]
            heapify(self.returned)
            self.tombstones = 0

    def entries(self) -> list[Entry]:
        """All waiting entries in order."""
        back = [entry for _, entry in sorted(self.returned, key=_position) if entry.state == READY]
        return back + [entry for entry in self.fresh if entry.state == READY]

    def snapshot(self) -> list[Entry]:
        """All entries in here at this moment, also those that are GONE; a copy, at the speed of a copy."""
        found = list(self.fresh)
        for _, entry in self.returned:
            found.append(entry)
        return found


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

    def snapshot(self) -> list[Entry]:
        """All entries in here, in any order, with some that are GONE: quick where there are millions."""
        return self.line.snapshot()


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

    def snapshot(self) -> list[Entry]:
        return [entry for line in self.lines if line is not None for entry in line.snapshot()]
