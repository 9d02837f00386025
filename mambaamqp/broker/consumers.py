"""A queue's consumers and whose turn it is.

Knows credit and turns; refuses to know frames and sockets: `Consumer` is the port that `session` fills in.
Turns: the highest x-priority first among those that can take a message; round-robin within a priority.
A consumer that cannot take one (prefetch used up, outbox full) leaves the rotation and is put
back by `wake`, so that a thousand blocked consumers cost nothing per message.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from mambaamqp.broker.entry import Entry

if TYPE_CHECKING:
    from mambaamqp.broker.queue import Queue
    from mambaamqp.broker.subscription import Subscription

UNLIMITED: Final = 1 << 60


class Consumer:
    """Someone who takes messages from one queue. `credit` is how many more may be outstanding."""

    def __init__(self, queue: "Queue", tag: str, *, no_ack: bool, exclusive: bool, priority: int) -> None:
        self.queue = queue
        self.tag = tag
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.priority = priority
        self.credit = UNLIMITED
        self.in_rotation = False
        self.active = False
        """May be given messages at all: false for the waiting ones of a single-active-consumer queue."""
        self.subscription: Subscription | None = None
        """What it asks of a stream."""

    def can_take(self) -> bool:
        """Whether a message may be handed over now."""
        return self.credit > 0

    def deliver(self, entry: Entry) -> None:
        """Take `entry`; the receiver owns its settlement unless `no_ack`."""
        raise NotImplementedError

    def cancelled_by_broker(self) -> None:
        """The queue is gone or was taken away: tell the client if it can be told."""
        raise NotImplementedError

    def wake(self) -> None:
        """Credit is back: take part in the rotation again."""
        if self.active and not self.in_rotation:
            self.queue.rotation.enter(self)
            self.queue.touch()


def first_by_priority(consumers: list[Consumer]) -> Consumer:
    """Of consumers in the order in which they came, the first of the highest priority."""
    best = consumers[0]
    for consumer in consumers[1:]:
        if consumer.priority > best.priority:
            best = consumer
    return best


class Rotation:
    """Whose turn it is among the consumers of one queue."""

    def __init__(self) -> None:
        self.rings: dict[int, deque[Consumer]] = {}
        self.priorities: list[int] = []

    @property
    def alone(self) -> bool:
        """Whether there is one consumer only: nobody to take turns with."""
        return len(self.priorities) == 1 and len(self.rings[self.priorities[0]]) == 1

    def enter(self, consumer: Consumer) -> None:
        """Join at the end of the ring of one's priority."""
        ring = self.rings.get(consumer.priority)
        if ring is None:
            ring = self.rings[consumer.priority] = deque()
            self.priorities = sorted(self.rings, reverse=True)
        ring.append(consumer)
        consumer.in_rotation = True

    def leave(self, consumer: Consumer) -> None:
        """Out, because the consumer cannot take more for now."""
        if consumer.in_rotation:
            consumer.in_rotation = False
            ring = self.rings[consumer.priority]
            if ring[-1] is consumer:
                ring.pop()
            else:
                ring.remove(consumer)

    def forget(self, consumer: Consumer) -> None:
        """Out for good; a priority that nobody uses any more leaves nothing behind."""
        self.leave(consumer)
        if consumer.priority in self.rings and not self.rings[consumer.priority]:
            del self.rings[consumer.priority]
            self.priorities.remove(consumer.priority)

    def next(self) -> Consumer | None:
        """The consumer to serve now, or None when nobody can take a message."""
        for priority in self.priorities:
            ring = self.rings[priority]
            while ring:
                consumer = ring[0]
                if consumer.can_take():
                    if len(ring) > 1:
                        ring.rotate(-1)
                    return consumer
                consumer.in_rotation = False
                ring.popleft()
        return None
