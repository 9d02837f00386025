"""The pace of publishers: no faster than the consumers that keep up with them.

A publisher costs the broker less per message than a consumer who acknowledges one by one. Read as fast as it
can write, it would take all the time there is, the backlog would grow, and consumers would starve although
they could do more. So when the backlog of a queue passes its mark while consumers take from it, whoever
publishes to it is not read until they have caught up.

It is never a dead end: a queue whose consumers take next to nothing (slow work, prefetch used up) lets its
publishers go on after CHECK_SECONDS and doubles its mark, so that a backlog that nobody can prevent is
built at full speed; the mark comes down again when the backlog is gone. Without consumers there is no pace.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mambaamqp.broker.queue import Queue
    from mambaamqp.broker.waiter import Waiter

MARK_MESSAGES: Final = 4096
"""Ready messages that a queue with live consumers holds before its publishers pause."""
CHECK_SECONDS: Final = 0.005
TAKEN_MIN: Final = 100
"""Messages taken within CHECK_SECONDS that count as keeping up: 20,000 a second."""


class Pace:
    """Who waits for the backlog of one queue to shrink."""

    def __init__(self) -> None:
        self.mark = MARK_MESSAGES
        self.taken = 0
        """Messages handed to consumers so far."""
        self.checked = 0
        self.waiting: list[Waiter] = []

    def behind(self, ready: int) -> bool:
        """Whether the backlog has passed the mark; one that is gone lets the mark come down."""
        if ready * 4 < self.mark:
            self.mark = MARK_MESSAGES
        return ready > self.mark

    def hold(self, waiter: "Waiter") -> None:
        """A publisher pauses; `released` or `check` lets it go on."""
        if not self.waiting:
            self.checked = self.taken
        self.waiting.append(waiter)

    def caught_up(self, ready: int) -> bool:
        """Whether those who wait may go on since half of the mark has been taken."""
        return bool(self.waiting) and ready * 2 <= self.mark

    def keeps_up(self) -> bool:
        """Whether consumers have taken enough since the last look; if not, the mark is doubled."""
        taken = self.taken - self.checked
        self.checked = self.taken
        if taken < TAKEN_MIN:
            self.mark *= 2
            return False
        return True

    def release(self, now: float) -> None:
        """Let all publishers go on."""
        waiting = self.waiting
        self.waiting = []
        for waiter in waiting:
            waiter.proceed(now)


def hold_back(queue: "Queue", publisher: "Waiter") -> bool:
    """Whether `publisher` must pause until the consumers have caught up; it is told by `proceed`."""
    if not queue.rotation.priorities or not queue.pace.behind(queue.ready.count):
        return False
    queue.pace.hold(publisher)
    queue.broker.paced[queue] = queue.broker.now + CHECK_SECONDS
    return True
