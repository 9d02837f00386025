"""Room in the journal: what lives in its oldest, sparse segments is written again at its end.

Theory of operation. Segments go from the oldest end only, so one old message would keep its segment and all
younger ones. When the log is larger than its live messages explain (`Journal.sparse_below`), those in the
oldest segments are moved: published again, for the same positions of the same queues, with what happened to
them meanwhile. Replay lets the later copy count, a settlement that follows settles it, and the emptied
segments go by the way that all dead segments go. A crash in between leaves a message in the log twice, which
is harmless.

All entries, waiting and outstanding, are noted at one moment; then they are looked through, and the ones
found are moved, a slice at a time, so that nobody waits for it. Between two slices anything may happen to an
entry: what is settled by then is passed over. One that was missed costs nothing but time: its segment stays
until the next round. A disk that does not keep up is waited for.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from mambaamqp.broker.entry import GONE, NEVER, Entry
from mambaamqp.broker.message import Message

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker

SLICE_ENTRIES: Final = 4096
"""Looked through in one slice: about a tenth of a millisecond."""
SLICE_BYTES: Final = 64 * 1024
"""Moved in one slice: a few hundred small messages, a fraction of a millisecond."""
PAUSE_SECONDS: Final = 0.002
PENDING_BYTES_MAX: Final = 4 * 1024 * 1024
"""While so much is not on its way to the disk yet, nothing is moved."""


class Compaction:
    """One round at a time; `deadline` is when the next slice is due, NEVER between rounds."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.deadline = NEVER
        self.slice_entries: i64 = SLICE_ENTRIES
        self.slice_bytes: i64 = SLICE_BYTES
        self.pending_bytes_max = PENDING_BYTES_MAX
        self.moved_messages = 0
        """Since the start of the broker."""
        self.moved_bytes = 0
        self._below_lsn = 0
        """Segments that begin before it are to be emptied."""
        self._noted: list[Entry] = []
        self._looked_at: i64 = 0
        self._found: dict[Message, list[Entry]] = {}
        self._order: list[Message] = []

    def begin(self) -> bool:
        """Begin a round if the journal is sparse and none is under way; whether it did."""
        if self.deadline != NEVER:
            return False
        self._below_lsn = self.broker.journal.sparse_below()
        if not self._below_lsn:
            return False
        self._noted = self.broker.live_entries()
        self._looked_at = 0
        self.deadline = self.broker.now
        return True

    def step(self) -> None:
        """One slice."""
        if self._looked_at < len(self._noted):
            self._look()
        elif self.broker.journal.pending_bytes < self.pending_bytes_max:
            self._noted = []
            self._move_some()
        more = self._noted or self._order
        self.deadline = self.broker.now + PAUSE_SECONDS if more else NEVER

    def _look(self) -> None:
        """Sort out the entries whose messages are to be moved; the entries of one message go together."""
        end = min(self._looked_at + self.slice_entries, len(self._noted))
        for place in range(self._looked_at, end):
            entry = self._noted[place]
            if not entry.journaled or entry.state == GONE or not self._is_old(entry.message):
                continue
            entries = self._found.get(entry.message)
            if entries is None:
                self._found[entry.message] = [entry]
                self._order.append(entry.message)
            else:
                entries.append(entry)
        self._looked_at = end
        if end == len(self._noted):
            self._order.reverse()  # taken from the end

    def _is_old(self, message: Message) -> bool:
        segment = message.segment
        return segment is not None and segment.base_lsn < self._below_lsn

    def _move_some(self) -> None:
        moved: i64 = 0
        while self._order and moved < self.slice_bytes:
            message = self._order.pop()
            entries = self._found.pop(message)
            if self._is_old(message) and self._move(message, entries):
                moved += message.kept_bytes
        self.moved_bytes += moved

    def _move(self, message: Message, entries: list[Entry]) -> bool:
        """Write a message again for all the queues that need it; False when not all of them are known."""
        needed = [entry for entry in entries if entry.state != GONE]
        if len(needed) != message.references:
            return False
        self.broker.leave_segment(message)
        self.broker.keep(message, needed)
        self.moved_messages += 1
        return True
