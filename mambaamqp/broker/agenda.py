"""What must happen when: queues by the moment at which they want to be looked at again.

Time is an argument; the shell asks for the next moment and calls back then.
"""

from typing import TYPE_CHECKING

from sortedcontainers import SortedDict

from mambaamqp.broker.entry import NEVER

if TYPE_CHECKING:
    from mambaamqp.broker.queue import Queue


class Agenda:
    """Queues in the order of their next moment (monotonic seconds); each stands in it at most once."""

    def __init__(self) -> None:
        self.moments: SortedDict[tuple[float, int], Queue] = SortedDict()

    def schedule(self, queue: "Queue", moment: float) -> None:
        """Look at `queue` at `moment` at the latest; an earlier appointment is kept."""
        if moment >= queue.appointment:
            return
        self.cancel(queue)
        queue.appointment = moment
        self.moments[(moment, queue.serial)] = queue

    def cancel(self, queue: "Queue") -> None:
        """Forget the queue's appointment."""
        if queue.appointment != NEVER:
            self.moments.pop((queue.appointment, queue.serial), None)
            queue.appointment = NEVER

    def next_moment(self) -> float:
        """The first appointment; NEVER without one."""
        return float(self.moments.peekitem(0)[0][0]) if self.moments else NEVER

    def due(self, now: float) -> "list[Queue]":
        """Take out the queues whose moment has come."""
        found: list[Queue] = []
        while self.moments and self.moments.peekitem(0)[0][0] <= now:
            _, queue = self.moments.popitem(0)
            queue.appointment = NEVER
            found.append(queue)
        return found
