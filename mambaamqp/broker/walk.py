"""All journaled messages of a broker, a bounded number at a time, while traffic goes on.

Queue by queue what waits, then what connections hold unacknowledged. An entry that moves about between two
steps may be met twice, or not at all; one that stays where it is, is met.
"""

from typing import TYPE_CHECKING, Final

from mambaamqp.broker.entry import Entry
from mambaamqp.broker.ready import BLOCK, Block, Line
from mambaamqp.broker.waiter import Waiter

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker


EVERYTHING: Final = 1 << 62
"""No record stands behind this."""


class Walk:
    """One way through everything that there is now; what comes later is not looked for."""

    def __init__(self, broker: "Broker", below_lsn: int) -> None:
        """What sleeps, and stands in the log at `below_lsn` or behind it, is passed over."""
        self.broker = broker
        self.below_lsn = below_lsn
        self.over = False
        self._queues = [
            queue for vhost in broker.vhosts.values() for queue in vhost.queues.values() if queue.journaled
        ]
        self._lines: list[Line] = []
        self._position = 0
        """Of the entry of the first line that was met last."""
        self._place = 0
        """How many were met of those that came back to the first line."""
        self._holders: list[Waiter] | None = None
        self._held: list[Entry] = []
        self._block: Block | None = None
        """Where the entries stand that were met last."""

    def step(self) -> list[Entry]:
        """The next entries, at most BLOCK; `over` is set when there are no more. May be empty before that.

        They do not fall asleep before the next step.
        """
        self.let_go()
        if self._lines:
            return self._step_line(self._lines[-1])
        if self._queues:
            queue = self._queues.pop()
            self._lines = queue.ready.all_lines()
            return queue.delayed.entries() + queue.kept.entries()
        return self._step_held()

    def let_go(self) -> None:
        """What was met last is of no interest any more."""
        if self._block is not None:
            self._block.held = False
            self._block = None

    def _step_line(self, line: Line) -> list[Entry]:
        deleted = line.queue is not None and line.queue.deleted
        block = None if deleted else line.block_after(self._position)
        if block is not None:
            return self._step_block(line, block)
        found = [entry for _, entry in line.returned[self._place : self._place + BLOCK]]
        self._place += len(found)
        if not found:
            self._lines.pop()
            self._position = self._place = 0
        return found

    def _step_block(self, line: Line, block: Block) -> list[Entry]:
        """The entries of a block; what sleeps is woken if it may stand where it is looked for."""
        position = self._position
        self._position = block.last
        if block.asleep is not None:
            if block.asleep.lowest_lsn >= self.below_lsn:
                return []
            self.broker.pager.wake(line, block)
        block.held = True
        self._block = block
        return [entry for entry in block.entries if entry is not None and entry.position > position]

    def _step_held(self) -> list[Entry]:
        if self._holders is None:
            self._holders = list(self.broker.holders)
        if not self._held:
            if not self._holders:
                self.over = True
                return []
            self._held = self._holders.pop().outstanding()
        found = self._held[-BLOCK:]
        del self._held[-BLOCK:]
        return found
