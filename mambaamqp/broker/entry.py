"""One message's place in one queue.

`position` counts up for ever within a queue and is never used twice: it is the order of the queue, the
key of the journal's settle records, and the way back to the original place for a requeued message.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i16, i32, i64, mypyc_attr, u8

from mambaamqp.broker.message import Message

if TYPE_CHECKING:
    from mambaamqp.broker.consumers import Consumer
    from mambaamqp.broker.queue import Queue

READY: Final = 0
UNACKED: Final = 1
GONE: Final = 2
"""Settled, expired or purged; a structure that still names the entry passes over it."""
DELAYED: Final = 3
"""Out of the line for now: until it may be delivered again (`broker.retry`), or buried (`broker.kept`)."""

NEVER: Final = float("inf")
RETURNS_MAX: Final = 30_000
"""Where counting ends: sixteen bits lie between the other fields and cost nothing."""


# As many as messages; `Remains` breaks the circle through a deleted queue, since no collector would.
@mypyc_attr(acyclic=True)
class Entry:
    """A message in a queue; `deadline` in monotonic seconds, `journaled` if its settlement is written."""

    # Defaults stand on the class: what most entries do not need costs them nothing.
    delivery_count: i32 = 0
    redelivered: bool = False
    state: u8 = READY
    returns: i16 = 0
    """How often it has come back, for whatever reason; the journal does not know of it."""
    deadline: float = NEVER
    consumer: "Consumer | None" = None
    journaled: bool = False

    position: i64

    def __init__(self, message: Message, queue: "Queue", position: i64) -> None:
        self.message = message
        self.queue = queue
        self.position = position

    def come_back(self, counted: bool) -> None:
        """It was delivered and is not done with; `counted` towards the delivery limit."""
        self.consumer = None
        self.redelivered = True
        if self.returns < RETURNS_MAX:
            self.returns += 1
        if counted:
            self.delivery_count += 1

    def acquired(self) -> int:
        """How often it has been delivered before; what was before a start counts as once at least."""
        most = int(self.delivery_count)
        if self.returns > most:
            most = int(self.returns)
        return most if most else 1
