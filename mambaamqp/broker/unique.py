"""A queue without duplicates: what stands in it, ready, delayed or unacknowledged, is not taken once more.

Nothing is written for it: the keys are those of the messages themselves, found again from them after a start
and when a policy turns this on. A message is known from when it is let in until it has gone, whichever way;
what comes back to the queue never left it.
"""

from typing import TYPE_CHECKING

from mambaamqp.broker.deduplication import FOR_EVER, Keys, digest_of, ttl_ms
from mambaamqp.broker.message import Message
from mambaamqp.broker.traits import Traits

if TYPE_CHECKING:
    from mambaamqp.broker.queue import Queue


class Unique:
    """The keys of what stands in one queue, out of that header."""

    def __init__(self, header: str) -> None:
        self.header = header
        self.keys = Keys()

    def repeats(self, message: Message) -> bool:
        """Whether a message with the same key stands in the queue."""
        digest = digest_of(Traits(message).header(self.header))
        return bool(digest) and self.keys.has(digest, message.published_ms)

    def note(self, message: Message) -> None:
        """A message has come into the queue."""
        traits = Traits(message)
        digest = digest_of(traits.header(self.header))
        if digest:
            self.keys.put(digest, _until_ms(traits))

    def forget(self, message: Message) -> None:
        """It has gone."""
        traits = Traits(message)
        digest = digest_of(traits.header(self.header))
        if digest:
            self.keys.forget(digest, _until_ms(traits))

    def recall(self, queue: "Queue") -> None:
        """Know all that stands in the queue, and nothing else."""
        self.keys = Keys()
        for entry in queue.ready.entries():
            self.note(entry.message)
        for entry in queue.delayed.entries():
            self.note(entry.message)
        for holder in queue.broker.holders:
            for entry in holder.outstanding():
                if entry.queue is queue:
                    self.note(entry.message)


def _until_ms(traits: Traits) -> int:
    ttl = ttl_ms(traits.headers, -1)
    return FOR_EVER if ttl < 0 else int(traits.message.published_ms) + ttl
