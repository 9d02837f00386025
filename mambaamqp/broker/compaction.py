"""Room in the journal: what lives in its oldest, sparse segments is written again at its end.

Theory of operation. Segments go from the oldest end only, so one old message would keep its segment and all
younger ones. When the log is larger than its live messages explain (`Journal.sparse_below`), those in the
oldest segments are moved: published again, for the same positions of the same queues, with what happened to
them meanwhile. Replay lets the later copy count, a settlement that follows settles it, and the emptied
segments go by the way that all dead segments go. A crash in between leaves a message in the log twice, which
is harmless.

A round walks over all entries (`broker.walk`), waiting and outstanding, and moves what it finds, in slices of
bounded work and memory. Between two slices anything may happen to an entry. A message of several queues is
moved once, when all its entries have been met; what was met of it is kept so long. The round trusts nothing
but the count of what lives in a segment: one entry that was missed costs nothing but time, since its segment
stays until the next round. Where traffic would outrun the round, the slices come faster; a disk that does not
keep up is waited for.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from mambaamqp.broker.entry import GONE, NEVER, Entry
from mambaamqp.broker.message import Message
from mambaamqp.broker.walk import Walk
from mambaamqp.store.segment import Segment

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker

SLICE_ENTRIES: Final = 1024
"""Looked at in one slice: about a tenth of a millisecond where it is compiled."""
SLICE_MESSAGES: Final = 64
"""Moved in one slice."""
SLICE_BYTES: Final = 64 * 1024
"""Moved in one slice, unless its first message is larger."""
PAUSE_SECONDS: Final = 0.005
PAUSE_BEHIND_SECONDS: Final = 0.001
ROOM_SEGMENTS: Final = 2
"""A round may take as long as traffic needs to fill so many, or half as much as lives, whichever is more."""
PENDING_BYTES_MAX: Final = 4 * 1024 * 1024
"""While so much is not on its way to the disk yet, nothing is moved."""
GATHERED_MAX: Final = 65_536
"""Messages of several queues of which some entries have been met, in one round."""


class Compaction:
    """One round at a time; `deadline` is when the next slice is due, NEVER between rounds."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.deadline = NEVER
        self.slice_entries: i64 = SLICE_ENTRIES
        self.slice_messages: i64 = SLICE_MESSAGES
        self.slice_bytes: i64 = SLICE_BYTES
        self.pending_bytes_max = PENDING_BYTES_MAX
        self.gathered_max = GATHERED_MAX
        self.moved_messages: i64 = 0
        """Since the start of the broker."""
        self.moved_bytes: i64 = 0
        self._walk: Walk | None = None
        self._below_lsn = 0
        """Segments that begin before it are to be emptied."""
        self._emptied: list[Segment] = []
        """Those of them in which something lives yet, the oldest last."""
        self._met: list[Entry] = []
        """By the last step of the walk, and not looked at yet; from its end."""
        self._gathered: dict[Message, dict[Entry, None]] = {}
        self._began_lsn = 0
        self._began_live_bytes: i64 = 0
        self._began_moved_bytes: i64 = 0
        self._room_bytes: i64 = 0
        self._not_before_lsn = 0
        """A round that moved nothing is not repeated before the log has grown to this."""

    def begin(self) -> bool:
        """Begin a round if the journal is sparse and none is under way; whether it did."""
        journal = self.broker.journal
        if self._walk is not None or journal.position < self._not_before_lsn:
            return False
        self._below_lsn = journal.sparse_below()
        if not self._below_lsn:
            return False
        self._emptied = [segment for segment in journal.segments if segment.base_lsn < self._below_lsn]
        self._emptied.reverse()
        self._began_lsn = journal.position
        self._began_live_bytes = self._live_bytes()
        self._began_moved_bytes = self.moved_bytes
        self._room_bytes = max(ROOM_SEGMENTS * journal.segment_bytes, journal.live_bytes // 2)
        self._walk = Walk(self.broker, self._below_lsn)
        self.deadline = self.broker.now
        return True

    def _live_bytes(self) -> int:
        return sum([segment.live_bytes for segment in self._emptied])

    def _end(self) -> None:
        journal = self.broker.journal
        if self._walk is not None:
            self._walk.let_go()
        in_vain = self.moved_bytes == self._began_moved_bytes
        self._not_before_lsn = journal.position + journal.segment_bytes if in_vain else 0
        self._walk = None
        self._emptied = []
        self._met = []
        self._gathered = {}
        self.deadline = NEVER

    def step(self) -> None:
        """One slice. The broker is at rest: nobody is dead and not buried, and no atom is open."""
        walk = self._walk
        if walk is None:
            self.deadline = NEVER
            return
        # First of all: a step that fails must not be due for ever.
        self.deadline = self.broker.now + (PAUSE_BEHIND_SECONDS if self._is_behind() else PAUSE_SECONDS)
        if self.broker.journal.pending_bytes < self.pending_bytes_max and not self._go_on(walk):
            self._end()

    def _is_behind(self) -> bool:
        """Whether traffic fills its share of the room faster than the round does its share of the work."""
        moved = self.moved_bytes - self._began_moved_bytes
        grown = self.broker.journal.position - self._began_lsn - moved
        done = self._began_live_bytes - self._live_bytes()
        return grown * self._began_live_bytes > done * self._room_bytes

    def _go_on(self, walk: Walk) -> bool:
        """Look at entries and move what is old; False when nothing is left to do."""
        looks = self.slice_entries
        messages_end = self.moved_messages + self.slice_messages
        bytes_end = self.moved_bytes + self.slice_bytes
        while looks > 0 and self.moved_messages < messages_end and self.moved_bytes < bytes_end:
            looks -= 1
            if not self._is_needed():
                return False
            if self._met:
                self._look_at(self._met.pop())
            elif not walk.over:
                self._met = walk.step()
                self._met.reverse()
            elif self._gathered:
                message, met = self._gathered.popitem()
                self._move_whole(message, met)
            else:
                return False
        return True

    def _is_needed(self) -> bool:
        """Whether something lives yet in what is to be emptied."""
        emptied = self._emptied
        while emptied and not emptied[-1].live:
            emptied.pop()
        return bool(emptied)

    def _look_at(self, entry: Entry) -> None:
        message = entry.message
        segment = message.segment
        if segment is None or segment.base_lsn >= self._below_lsn:
            return
        if entry.state == GONE or not entry.journaled:
            return
        if entry.queue.deleted:
            # What is delivered of it will be acknowledged, which means nothing any more.
            entry.journaled = False
            self.broker.release(entry)
        elif message.references == 1:
            self._move(message, [entry])
        else:
            self._gather(message, entry)

    def _gather(self, message: Message, entry: Entry) -> None:
        """One entry of a message of several queues; it may have been met before."""
        met = self._gathered.get(message)
        if met is None:
            if len(self._gathered) >= self.gathered_max:
                return
            met = self._gathered[message] = {}
        met[entry] = None
        if len(met) >= message.references and self._move_whole(message, met):
            del self._gathered[message]

    def _move_whole(self, message: Message, met: dict[Entry, None]) -> bool:
        """Move a message if all the entries that need it have been met; whether that was so."""
        needed = [entry for entry in met if entry.state != GONE and entry.message is message]
        if not needed or len(needed) != message.references:
            return False
        self._move(message, needed)
        return True

    def _move(self, message: Message, entries: list[Entry]) -> None:
        """Write a message again for all the queues that need it."""
        self.moved_messages += 1
        self.moved_bytes += message.kept_bytes()
        message.leave()
        self.broker.keep(message, entries)
