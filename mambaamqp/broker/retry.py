"""How long a message that came back waits before it may be delivered again, and what waits so.

The delay is RabbitMQ 4.3's, `min` times the delivery count up to `max`; exponential back-off and jitter are
ours. What waits is in no line: it counts as little as what is unacknowledged, and when its time has come it
returns to its original position. Refuses to know limits and expiry, which are the queue's matter.
"""

from heapq import heappop, heappush
from random import Random
from typing import Final

from mambaamqp.broker.entry import NEVER, Entry

DELAY_MS_MAX: Final = 315_360_000_000
"""Ten years, RabbitMQ's bound for every time span."""
DOUBLINGS_MAX: Final = 40


class Retry:
    """Which returns are delayed, and by how much.

    `kind` is all, failed (only returns that count towards the delivery limit), returned (only others) or
    disabled; `jitter_percent` of the delay is left to chance.
    """

    def __init__(
        self, kind: str, min_ms: int, max_ms: int | None, exponential: bool, jitter_percent: int
    ) -> None:
        self.failed = kind in ("all", "failed")
        self.returned = kind in ("all", "returned")
        self.min_ms = min_ms
        self.max_ms = DELAY_MS_MAX if max_ms is None else max_ms
        self.exponential = exponential
        self.jitter_percent = jitter_percent

    def delay_seconds(self, delivery_count: int, counted: bool, random: Random) -> float:
        """Of a message with so many deliveries that count, the last one included if it was `counted`."""
        if not (self.failed if counted else self.returned):
            return 0.0
        times = max(1, delivery_count)
        factor = 1 << min(times - 1, DOUBLINGS_MAX) if self.exponential else times
        delay_ms = min(self.min_ms * factor, self.max_ms)
        if self.jitter_percent:
            delay_ms -= int(delay_ms * self.jitter_percent * random.random() / 100)
        return delay_ms / 1000


NO_RETRY: Final = Retry("disabled", 0, None, False, 0)


class Delayed:
    """The entries of one queue that wait out their delay, by the moment when it is over."""

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Entry]] = []

    def __len__(self) -> int:
        return len(self.heap)

    def put(self, entry: Entry, moment: float) -> None:
        """Have `entry` wait until `moment`."""
        heappush(self.heap, (moment, int(entry.position), entry))

    def next_moment(self) -> float:
        """When the first one is due; NEVER without one."""
        return self.heap[0][0] if self.heap else NEVER

    def due(self, now: float) -> list[Entry]:
        """Take out what has waited long enough."""
        found: list[Entry] = []
        while self.heap and self.heap[0][0] <= now:
            found.append(heappop(self.heap)[2])
        return found

    def entries(self) -> list[Entry]:
        """All that wait; a copy."""
        return [entry for _, _, entry in self.heap]

    def take_all(self) -> list[Entry]:
        """Take out everything."""
        found = self.entries()
        self.heap.clear()
        return found
