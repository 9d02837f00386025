"""One consumer's way through a stream: where it stands, and the block that it reads.

A reader refers to the entries of one block: those of the line itself while they are awake, a copy that was
read from disk where they sleep. Whatever becomes of the block meanwhile, the next message is the one at
`position`, or, where that has been let go, the first one behind it.
"""

from typing import TYPE_CHECKING

from mypy_extensions import i64

from mambaamqp.broker.consumers import Consumer
from mambaamqp.broker.entry import UNACKED, Entry
from mambaamqp.broker.subscription import Filter

if TYPE_CHECKING:
    from mambaamqp.broker.stream import Stream


class StreamReader:
    """`position` is that of the first message that the consumer has not come to."""

    def __init__(self, stream: "Stream", consumer: Consumer, position: int, wanted: Filter | None) -> None:
        self.stream = stream
        self.consumer = consumer
        self.position: i64 = position
        self.wanted = wanted
        self.at_end = False
        """It has come to all that may be delivered."""
        self._ahead: list[Entry | None] = []
        self._at: i64 = 0

    def serve(self, looks_max: i64) -> i64:
        """Deliver what comes next, as long as the consumer can take it; returns how many were looked at."""
        consumer, wanted = self.consumer, self.wanted
        looks: i64 = 0
        self.at_end = False
        while looks < looks_max:
            entry = self._next()
            if entry is None:
                self.at_end = True
                break
            looks += 1
            self.position = entry.position + 1
            if wanted is None or wanted.passes(entry.message):
                self._deliver(entry)
                if not consumer.can_take():
                    break
        return looks

    def _deliver(self, entry: Entry) -> None:
        """An entry of its own, so that an acknowledgement means nothing to the stream but credit."""
        stream, consumer = self.stream, self.consumer
        own = Entry(stream.shown(entry), stream, entry.position)
        own.state = UNACKED
        own.consumer = consumer
        stream.unacked += 1
        consumer.credit -= 1
        consumer.deliver(own)

    def _next(self) -> Entry | None:
        """The entry at `position`, or the first one behind it; None where nothing is safe yet."""
        if self.position >= self.stream.committed:
            return None
        at = self._at
        if at < len(self._ahead):
            entry = self._ahead[at]
            if entry is not None and entry.position == self.position:
                self._at = at + 1
                return entry
        return self._find()

    def _find(self) -> Entry | None:
        stream = self.stream
        while self.position < stream.committed:
            block = stream.ready.line.block_after(self.position - 1)
            if block is None:
                return None
            last = block.last
            entries = stream.entries_of(block)
            at = place_of(entries, self.position)
            if at < len(entries):
                entry = entries[at]
                if entry is None or entry.position >= stream.committed:
                    return None
                self._ahead = entries
                self._at = at + 1
                return entry
            # What was at its end could not be read.
            self.position = last + 1
        return None


def place_of(entries: list[Entry | None], position: i64) -> i64:
    """The place of the first entry at a position or behind it; what has been taken out stands in front."""
    low: i64 = 0
    high: i64 = len(entries)
    while low < high:
        middle = (low + high) // 2
        entry = entries[middle]
        if entry is None or entry.position < position:
            low = middle + 1
        else:
            high = middle
    return low
