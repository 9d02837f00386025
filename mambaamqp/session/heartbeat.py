"""When to show a sign of life, and when to give a silent peer up: arithmetic on moments, nothing else.

A frame is sent after half an interval without any; a peer is dead after DEAD_INTERVALS without traffic.
Any traffic is a sign of life. An interval of 0 switches both off. Source: AMQP 0-9-1 section 4.2.7.
"""

from typing import Final

NEVER: Final = float("inf")
DEAD_INTERVALS: Final = 2.5
"""The standard says two; the half covers a heartbeat that was on its way."""


class Heartbeat:
    """One connection's heartbeat; moments are monotonic seconds."""

    def __init__(self, interval_seconds: int, now: float) -> None:
        self.interval_seconds = interval_seconds
        self.sent_at = now
        self.received_at = now

    def sent(self, now: float) -> None:
        """Something has been written."""
        self.sent_at = now

    def received(self, now: float) -> None:
        """Something has been read."""
        self.received_at = now

    @property
    def send_at(self) -> float:
        """When to write a heartbeat unless something else is written."""
        return self.sent_at + self.interval_seconds / 2 if self.interval_seconds else NEVER

    @property
    def dead_at(self) -> float:
        """When to give the peer up unless something is read."""
        return self.received_at + self.interval_seconds * DEAD_INTERVALS if self.interval_seconds else NEVER

    @property
    def deadline(self) -> float:
        """When to look again."""
        return min(self.send_at, self.dead_at)

    def due_to_send(self, now: float) -> bool:
        """Whether a heartbeat must be written now."""
        return now >= self.send_at

    def dead(self, now: float) -> bool:
        """Whether the peer has been silent for too long."""
        return now >= self.dead_at
