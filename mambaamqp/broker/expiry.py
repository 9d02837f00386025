"""Which messages of a queue expire when, at any position of the queue.

RabbitMQ looks only at the head, so that one patient message keeps all expired ones behind it. Here the
entries with a deadline also stand in a heap by deadline. An entry that left the queue earlier stays in the
heap until its deadline or until such leftovers outnumber the rest; then the heap is rebuilt.
"""

from heapq import heapify, heappop, heappush
from typing import Final

from mambaamqp.broker.entry import GONE, NEVER, READY, Entry

LEFTOVERS_MIN: Final = 1024


class Expiry:
    """The deadlines of one queue."""

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Entry]] = []
        self.rebuild_at: int = LEFTOVERS_MIN

    def add(self, entry: Entry) -> None:
        """Watch `entry.deadline`."""
        heappush(self.heap, (entry.deadline, entry.position, entry))
        if len(self.heap) > self.rebuild_at:
            self._rebuild()

    def clear(self) -> None:
        """Forget everything: the queue is gone."""
        self.heap.clear()

    def due(self, now: float) -> list[Entry]:
        """Entries that wait and whose time is up at `now`, by deadline; they are forgotten here."""
        found: list[Entry] = []
        while self.heap and self.heap[0][0] <= now:
            entry = heappop(self.heap)[2]
            if entry.state == READY:
                found.append(entry)
        return found

    def deadline(self) -> float:
        """When to look again; NEVER without anything to expire."""
        while self.heap and self.heap[0][2].state == GONE:
            heappop(self.heap)
        return self.heap[0][0] if self.heap else NEVER

    def _rebuild(self) -> None:
        self.heap = [item for item in self.heap if item[2].state != GONE]
        heapify(self.heap)
        self.rebuild_at = max(LEFTOVERS_MIN, 2 * len(self.heap))
