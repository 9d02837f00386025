"""Deadlines: one task for all of them, over one heap.

Refuses to know what a deadline is for. A thousand idle connections are a thousand heap entries, not a
thousand tasks or cancel scopes.

Invariant: an item that waits has `due` <= its true deadline. A deadline that moves *later* (every frame of a
busy connection moves its heartbeat) costs nothing: the item is called at the old time, finds that nothing is
due, and schedules itself again. Only a deadline that moves *earlier* makes a new entry.
"""

import math
from heapq import heapify, heappop, heappush
from typing import Protocol

import trio

STALE_ENTRIES_MIN = 1_024
"""Below this many outdated entries the heap is not worth tidying."""


class Timed(Protocol):
    """Something that waits; `due` belongs to Timers and starts as math.inf."""

    due: float

    def expire(self, now: float) -> None:
        """Called once at about `due`; schedule() again for another call. Must not raise."""


class BatchEnd(Protocol):
    """What to do once after everything that was due has been called."""

    def now(self) -> float: ...

    def finish(self, now: float) -> None: ...


class Timers:
    """A heap of (due, serial, item), with outdated entries skipped when they surface."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._serial = 0
        self._waiting = 0
        self._scope: trio.CancelScope | None = None

    def __len__(self) -> int:
        return self._waiting

    def schedule(self, item: Timed, when: float) -> None:
        """Call item.expire() at `when` instead of whenever it was due before; math.inf forgets it."""
        if item.due != math.inf:
            self._waiting -= 1
        item.due = when
        if when == math.inf:
            return
        self._waiting += 1
        self._serial += 1
        heappush(self._heap, (when, self._serial, item))
        if len(self._heap) - self._waiting > max(STALE_ENTRIES_MIN, self._waiting):
            self._tidy()
        if self._scope is not None and when < self._scope.deadline:
            self._scope.deadline = when

    def cancel(self, item: Timed) -> None:
        """Forget the item; harmless when it does not wait."""
        self.schedule(item, math.inf)

    @property
    def next_due(self) -> float:
        """When the earliest waiting item is due, math.inf when none waits."""
        heap = self._heap
        while heap and heap[0][0] != heap[0][2].due:
            heappop(heap)
        return heap[0][0] if heap else math.inf

    def expire(self, now: float) -> int:
        """Call everything that is due; how many that was."""
        expired = 0
        while self.next_due <= now:
            item = heappop(self._heap)[2]
            item.due = math.inf
            self._waiting -= 1
            expired += 1
            item.expire(now)
        return expired

    async def run(self, batch: BatchEnd) -> None:
        """Sleep until something is due, for ever."""
        while True:
            with trio.CancelScope(deadline=self.next_due) as self._scope:
                await trio.sleep_forever()
            self._scope = None
            now = batch.now()
            if self.expire(now):
                batch.finish(now)

    def _tidy(self) -> None:
        self._heap = [entry for entry in self._heap if entry[0] == entry[2].due]
        heapify(self._heap)
