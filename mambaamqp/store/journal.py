"""The journal as the core sees it: append facts, learn their position, seal what is to be committed.

Main thread only, no I/O, deterministic. Theory of operation: `append` lays records out into the open frame
as they come, so that a record's place in the log (its LSN and its segment) is known at once; `seal` closes
the open frame and hands everything laid out so far to the committer as one Commit. A frame belongs to the
segment it starts in; a new segment is begun when the last one is full, so a segment is larger than its
nominal size by at most one frame. Records between `begin_atom` and `end_atom` are never parted: if they do
not fit one frame they become part frames closed by a batch frame.

Space comes back from the oldest end only: settlements always come later than what they settle, so a log
without its first segments is still the whole truth once a checkpoint has said again what topology there is.
"""

from collections import deque

from mambaamqp.store.commit import Commit
from mambaamqp.store.log_format import (
    BATCH,
    EPOCH,
    FRAME_BYTES_TARGET,
    HEADER_BYTES,
    PART,
    RECORDS_MAX,
)
from mambaamqp.store.segment import Segment
from mambaamqp.store.writer import Frame, LogWriter, epoch_body


class Journal:
    """An append-only log. Positions are LSNs: offsets in the log, over all segments."""

    def __init__(
        self,
        writer: LogWriter,
        end_lsn: int,
        segments: list[Segment],
        *,
        segment_bytes: int,
        sync: bool = True,
    ) -> None:
        self.writer = writer
        self.segment_bytes = segment_bytes
        self.sync = sync
        self.segments: deque[Segment] = deque(segments)
        self.end_lsn = end_lsn
        """Behind the last closed frame."""
        self.position = end_lsn
        """Behind the last appended record."""
        self.durable = end_lsn
        self.record_lsn = end_lsn
        """Where the record appended last starts."""
        self.checkpoint_lsn = 0
        """Segments that end at or before this need not be read for topology any more."""
        self._checkpoint_start = 0
        self._pieces: list[bytes] = []
        self._body_bytes = 0
        self._record_count = 0
        self._atoms = 0
        self._frames: list[Frame] = []
        self._created: list[Segment] = []
        self._doomed: list[Segment] = []
        self._sealed_bytes = 0
        self.segment = self._roll()

    @property
    def pending_bytes(self) -> int:
        """Octets appended and not sealed yet."""
        return self.position - self.end_lsn + self._sealed_bytes

    # Appending

    def append(self, record: bytes) -> int:
        """Append a record; returns the position behind it."""
        size = len(record)
        if not self._pieces:
            self._open()
        elif self._body_bytes + size > FRAME_BYTES_TARGET or self._record_count >= RECORDS_MAX:
            self._close(PART if self._atoms else BATCH)
            self._open()
        self.record_lsn = self.end_lsn + HEADER_BYTES + self._body_bytes
        self._pieces.append(record)
        self._body_bytes += size
        self._record_count += 1
        self.position = self.record_lsn + size
        return self.position

    def append_pieces(self, pieces: list[bytes]) -> int:
        """Append a record given as pieces, which are not copied until they are written."""
        position = self.append(pieces[0])
        for piece in pieces[1:]:
            self._pieces.append(piece)
            self._body_bytes += len(piece)
            position += len(piece)
        self.position = position
        return position

    def begin_atom(self) -> None:
        """What follows until `end_atom` survives a crash together or not at all. Atoms may nest."""
        self._atoms += 1

    def end_atom(self) -> None:
        """The atom is complete."""
        self._atoms -= 1

    def next_segment(self) -> Segment:
        """The segment in which the next record will start."""
        if not self._pieces:
            self._open()
        return self.segment

    def _open(self) -> None:
        """The next record starts a frame, in a new segment if the last one is full."""
        if self.end_lsn - self.segment.base_lsn >= self.segment_bytes:
            self.segment = self._roll()

    def _close(self, kind: int) -> None:
        """The open frame is complete."""
        if not self._pieces:
            return
        self._frames.append(
            Frame(self.segment, kind, self.end_lsn, self._record_count, self._pieces, self._body_bytes)
        )
        size = HEADER_BYTES + self._body_bytes
        self._sealed_bytes += size
        self.end_lsn += size
        self.segment.end_lsn = self.end_lsn
        self.position = self.end_lsn
        self._pieces = []
        self._body_bytes = 0
        self._record_count = 0

    def _roll(self) -> Segment:
        """Begin a new segment with its epoch frame."""
        segment = Segment(self.end_lsn)
        self.segments.append(segment)
        self._created.append(segment)
        from_body = epoch_body(self.writer.store_id)
        self._frames.append(Frame(segment, EPOCH, self.end_lsn, 0, [from_body], len(from_body)))
        self._sealed_bytes += HEADER_BYTES + len(from_body)
        self.end_lsn += HEADER_BYTES + len(from_body)
        segment.end_lsn = self.end_lsn
        self.position = self.end_lsn
        return segment

    # Committing

    def seal(self) -> Commit | None:
        """Everything appended so far, for the committer; None when there is nothing to do."""
        assert not self._atoms, "sealed in the middle of an atom"
        self._close(BATCH)
        if not (self._frames or self._doomed):
            return None
        commit = Commit(self.writer, self._created, self._frames, self._doomed, self.end_lsn, self.sync)
        self._created = []
        self._frames = []
        self._doomed = []
        self._sealed_bytes = 0
        return commit

    def committed(self, commit: Commit) -> None:
        """The commit is on stable storage."""
        self.durable = commit.position

    # Space

    def wants_checkpoint(self) -> bool:
        """Whether segments could go if only the topology in them were said again."""
        oldest = self.segments[0]
        return oldest is not self.segment and oldest.live == 0 and oldest.end_lsn > self.checkpoint_lsn

    def begin_checkpoint(self) -> None:
        """The topology follows, all of it."""
        self._checkpoint_start = self.position

    def end_checkpoint(self) -> None:
        """The topology has been said again; what lies before is not needed for it."""
        self.checkpoint_lsn = self._checkpoint_start

    def drop_dead_segments(self) -> int:
        """Let the oldest segments go that nothing needs; returns how many. The next commit removes them.

        It does so after its own sync, so that what settled their messages is safe before they are gone.
        """
        count = 0
        while self.segments[0] is not self.segment:
            oldest = self.segments[0]
            if oldest.live or oldest.end_lsn > self.checkpoint_lsn:
                break
            self._doomed.append(self.segments.popleft())
            count += 1
        return count
