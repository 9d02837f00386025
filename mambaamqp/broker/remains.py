"""What deleted queues leave behind: messages that nobody will ask for, given back a bounded number at a time.

A deletion is one fact, written and done at once, however much waited. That the journal, the scratch and
memory need keep none of it any more has no hurry: it happens in slices, one at the end of each batch, and
while there is nothing else to do one after the other. A crash in between loses nothing, since all of this is
about what the log says no more. Refuses to know whose it was.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from mambaamqp.broker.entry import GONE, Entry
from mambaamqp.broker.ready import Ready

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker

SLICE_MESSAGES: Final = 512
"""Given back in one slice, and at most a block more: a fraction of a millisecond where it is compiled."""


class Remains:
    """`ready` are the lines of deleted queues, the oldest first; none of them falls asleep any more."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.slice_messages: i64 = SLICE_MESSAGES
        self.ready: deque[Ready] = deque()

    def take(self, ready: Ready) -> None:
        """What waited in a queue that is deleted."""
        for line in ready.all_lines():
            self.broker.pager.let_be(line)
        self.ready.append(ready)

    def dwindle(self) -> None:
        """Give one slice back."""
        left = self.slice_messages
        while left > 0 and self.ready:
            gone = self._give_back(self.ready[0])
            if not gone:
                self.ready.popleft()
            left -= gone

    def _give_back(self, ready: Ready) -> i64:
        """A block that sleeps, or a message; how many messages that were, 0 when nothing is left."""
        asleep = ready.pop_asleep()
        if asleep is not None:
            self.broker.pager.release(asleep)
            return i64(asleep.count)
        awake = ready.pop()
        if awake is None:
            return 0
        self.lay_down(awake)
        return 1

    def lay_down(self, entry: Entry) -> None:
        """Give one message back at once."""
        entry.state = GONE
        if entry.journaled:
            self.broker.release(entry)
