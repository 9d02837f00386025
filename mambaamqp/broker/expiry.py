"""Which messages of a queue expire when, at any position of the queue.

RabbitMQ looks only at the head, so that one patient message keeps all expired ones behind it. Here each block
of a line (`broker.ready`) knows its earliest deadline, and stands in a heap by that; so a message with a time
to live costs nothing more than one without, and what sleeps is woken when its first message is due. What came
back to the queue stands in no block, and in a heap of its own. What left the queue earlier stays in either
heap until its deadline or until such leftovers outnumber the rest; then the heap is rebuilt.
"""

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from mambaamqp.broker.entry import GONE, NEVER, READY, Entry

if TYPE_CHECKING:
    from mambaamqp.broker.pager import Pager
    from mambaamqp.broker.ready import Block, Line

LEFTOVERS_MIN: Final = 1024
DUE_MAX: Final = 1024


class Expiry:
    """The deadlines of one queue."""

    def __init__(self) -> None:
        self.blocks: list[tuple[float, int, Block, Line]] = []
        """By deadline; out of date where the block has another one by now."""
        self.returned: list[tuple[float, int, Entry]] = []
        self._rebuild_blocks_at: int = LEFTOVERS_MIN
        self._rebuild_returned_at: int = LEFTOVERS_MIN
        self._watched = 0

    def watch(self, line: "Line", block: "Block") -> None:
        """Look at a block of the queue at `block.deadline`."""
        self._watched += 1
        heappush(self.blocks, (block.deadline, self._watched, block, line))
        if len(self.blocks) > self._rebuild_blocks_at:
            self.blocks = [item for item in self.blocks if item[0] == item[2].deadline]
            heapify(self.blocks)
            self._rebuild_blocks_at = max(LEFTOVERS_MIN, 2 * len(self.blocks))

    def watch_returned(self, entry: Entry) -> None:
        """Look at an entry that came back to the queue at `entry.deadline`."""
        heappush(self.returned, (entry.deadline, entry.position, entry))
        if len(self.returned) > self._rebuild_returned_at:
            self.returned = [item for item in self.returned if item[2].state != GONE]
            heapify(self.returned)
            self._rebuild_returned_at = max(LEFTOVERS_MIN, 2 * len(self.returned))

    def clear(self) -> None:
        """Forget everything: the queue is gone."""
        self.blocks.clear()
        self.returned.clear()

    def due(self, now: float, pager: "Pager") -> list[Entry]:
        """Entries that wait and whose time is up at `now`, by deadline; each may come twice.

        About DUE_MAX at a time: a backlog that expires at once must not hold up everything else.
        """
        found: list[Entry] = []
        while self.blocks and self.blocks[0][0] <= now and len(found) < DUE_MAX:
            moment, _, block, line = heappop(self.blocks)
            if moment == block.deadline:
                self._look_at(line, block, now, pager, found)
        while self.returned and self.returned[0][0] <= now and len(found) < DUE_MAX:
            entry = heappop(self.returned)[2]
            if entry.state == READY:
                found.append(entry)
        found.sort(key=_deadline)
        return found

    def _look_at(self, line: "Line", block: "Block", now: float, pager: "Pager", found: list[Entry]) -> None:
        """Find what is due in a block, and when to look at it again."""
        if block.asleep is not None:
            pager.wake(line, block)
        next_deadline = NEVER
        for entry in block.entries:
            if entry is None or entry.state != READY:
                continue
            if entry.deadline <= now:
                found.append(entry)
            elif entry.deadline < next_deadline:
                next_deadline = entry.deadline
        block.deadline = next_deadline
        if next_deadline != NEVER:
            self.watch(line, block)

    def deadline(self) -> float:
        """When to look again; NEVER without anything to expire."""
        while self.blocks and self.blocks[0][0] != self.blocks[0][2].deadline:
            heappop(self.blocks)
        while self.returned and self.returned[0][2].state == GONE:
            heappop(self.returned)
        moment = self.blocks[0][0] if self.blocks else NEVER
        return min(moment, self.returned[0][0]) if self.returned else moment


def _deadline(entry: Entry) -> tuple[float, int]:
    return entry.deadline, entry.position
