"""Virtual time: what is to happen, in order; ties in the order in which they were arranged."""

from collections.abc import Callable
from heapq import heappop, heappush


class Clock:
    """Seconds that pass only when `run` says so."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Call `what` when so many seconds have passed."""
        self.at(self.now + seconds, what)

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Call `what` at that moment, or at once if it has passed."""
        self._serial += 1
        heappush(self._due, (max(when, self.now), self._serial, what))

    def run(self, seconds: float) -> None:
        """Let time pass with all that is due meanwhile. An exception leaves the rest due."""
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, what = heappop(self._due)
            what()
        self.now = end

    def clear(self) -> None:
        """Whatever was to happen will not."""
        self._due.clear()
