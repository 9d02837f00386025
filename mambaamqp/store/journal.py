"""The journal as the core sees it: append facts, learn their position, seal what is to be committed.

Refuses to know files: main thread only, no I/O, deterministic.

Theory of operation
-------------------
`append` lays records out into the open frame as they come, so that a record's place in the log (its LSN and
its segment) is known at once; `seal` closes the open frame and hands everything laid out so far to the
committer as one Commit. A new segment is begun only by the first record after a seal, when the last segment
is full, or by a checkpoint. So a commit stands in one segment, and is one write and one sync; a segment is
larger than its nominal size by at most one commit.

Records between `begin_atom` and `end_atom` are never parted: if they do not fit one frame they become a run
of part frames closed by a batch frame. A run never leaves its segment.

Space comes back from the oldest end only: settlements always come later than what they settle, so a log
without its first segments is still the whole truth once a checkpoint has said again what topology there is.
A checkpoint is a run closed by a checkpoint frame, at the start of a segment where recovery finds it without
reading the rest, and stands there twice: one damaged sector must not take the topology of all older messages.
So that no sector holds parts of both, there is space between the two.
"""

from bisect import bisect_right
from collections import deque
from itertools import dropwhile
from typing import Final

from mambaamqp.store.body import Chunk, MemoryFile, StoredBody
from mambaamqp.store.commit import Commit, Move
from mambaamqp.store.disk import Disk
from mambaamqp.store.log_format import (
    BATCH,
    CHECKPOINT,
    CONTINUED,
    EPOCH,
    EPOCH_BYTES,
    FRAME_BYTES_TARGET,
    HEADER_BYTES,
    PART,
    RECORDS_MAX,
    SPACE,
    SPACE_BYTES,
    epoch_body,
)
from mambaamqp.store.read_back import ReadBack
from mambaamqp.store.records import Span
from mambaamqp.store.scratch import Scratch
from mambaamqp.store.segment import Segment
from mambaamqp.store.spool import Spool
from mambaamqp.store.writer import Frame, LogWriter

CLOSED = -1

LOG_PER_LIVE: Final = 2
SLACK_SEGMENTS: Final = 4
"""The log may be twice as large as what lives in it, and four segments more."""


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
        checkpoint_lsn: int = 0,
    ) -> None:
        self.writer = writer
        self.segment_bytes = segment_bytes
        self.frame_bytes_target = FRAME_BYTES_TARGET
        self.slack_segments = SLACK_SEGMENTS
        self.sync = sync
        self.segments: deque[Segment] = deque(segments)
        """Oldest first; the last one is written to."""
        self.position = end_lsn
        """Behind the last appended record."""
        self.durable = end_lsn
        self.record_lsn = end_lsn
        """Where the record appended last starts."""
        self.checkpoint_lsn = checkpoint_lsn
        """Segments that end at or before this need not be read for topology any more: it has been said again
        later, durably."""
        self._sealed_lsn = end_lsn
        self._frame_lsn = end_lsn
        self._frame_end_max = CLOSED
        """The open frame must not reach beyond this position; CLOSED when no frame is open."""
        self._records_left = 0
        self._pieces: list[bytes] = []
        self._stored: dict[int, Chunk] | None = None
        """Pieces of the open frame that are not in memory, by their places among `_pieces`."""
        self._stored_bytes = 0
        """Of those in all frames that are not sealed yet."""
        self._moves: list[Move] = []
        self._atom_depth = 0
        self._in_run = False
        """The frame closed last was a part: the next one goes on with its run."""
        self._frames: list[Frame] = []
        self._doomed: list[Segment] = []
        self._checkpoint_frames = 0
        self._checkpoint_base = checkpoint_lsn
        self._checkpoint_end = 0
        self.read_back = ReadBack(writer.disk, writer.directory)
        self.scratch = Scratch(writer.disk, writer.directory)
        self.spool = Spool(writer.disk, writer.directory)
        self.segment = self._roll()

    @property
    def pending_bytes(self) -> int:
        """Octets appended and not sealed yet, without those that are on disk elsewhere."""
        return self.position - self._sealed_lsn - self._stored_bytes

    # Appending

    def append(self, record: bytes) -> int:
        """Append a record; returns the position behind it. `segment` and `record_lsn` say where it stands."""
        size = len(record)
        if self.position + size > self._frame_end_max or self._records_left == 0:
            self._next_frame()
        self._pieces.append(record)
        self._records_left -= 1
        lsn = self.position
        self.record_lsn = lsn
        position = lsn + size
        self.position = position
        return position

    def append_pieces(self, pieces: list[bytes]) -> int:
        """Append a record given as pieces, which are not copied until they are written."""
        size = 0
        for piece in pieces:
            size += len(piece)
        if self.position + size > self._frame_end_max or self._records_left == 0:
            self._next_frame()
        self._pieces += pieces
        self._records_left -= 1
        self.record_lsn = self.position
        self.position += size
        return self.position

    def append_stored(self, pieces: list[bytes], chunks: list[Chunk]) -> int:
        """Append a record that ends with what stands elsewhere, and is read when the record is written."""
        stored_bytes = sum([chunk.size for chunk in chunks])
        size = sum([len(piece) for piece in pieces]) + stored_bytes
        if self.position + size > self._frame_end_max or self._records_left == 0:
            self._next_frame()
        self._pieces += pieces
        if self._stored is None:
            self._stored = {}
        for chunk in chunks:
            self._stored[len(self._pieces)] = chunk
            self._pieces.append(b"")
        self._stored_bytes += stored_bytes
        self._records_left -= 1
        self.record_lsn = self.position
        self.position += size
        return self.position

    def move(self, body: StoredBody, segment: Segment, lsns: list[int]) -> None:
        """The chunks of a body have been appended too, there: that is where it is read when it is safe."""
        self._moves.append((body, segment, lsns))

    def begin_atom(self) -> None:
        """What follows until `end_atom` survives a crash together or not at all. Atoms may nest."""
        self._atom_depth += 1

    def end_atom(self) -> None:
        """The atom is complete."""
        assert self._atom_depth > 0, "an atom ends that never began"
        self._atom_depth -= 1

    def next_segment(self) -> Segment:
        """The segment in which the next record will stand, wherever in it."""
        if self._frame_end_max == CLOSED:
            self._open_frame()
        return self.segment

    def _next_frame(self) -> None:
        """The record that comes does not fit the open frame, or there is none."""
        if self._frame_end_max != CLOSED:
            self._close_frame(PART if self._atom_depth else BATCH)
        self._open_frame()

    def _open_frame(self) -> None:
        nothing_sealed_since = not self._frames
        if nothing_sealed_since and self.position - self.segment.base_lsn >= self.segment_bytes:
            self.segment = self._roll()
        self._frame_lsn = self.position
        self.position += HEADER_BYTES
        self._frame_end_max = self.position + self.frame_bytes_target
        self._records_left = RECORDS_MAX

    def _close_frame(self, kind: int) -> None:
        flags = CONTINUED if self._in_run else 0
        self._in_run = kind == PART
        stored, self._stored = self._stored, None
        self._put_frame(kind | flags, RECORDS_MAX - self._records_left, self._pieces, stored)
        self._pieces = []
        self._frame_end_max = CLOSED
        self._records_left = 0

    def _put_frame(
        self, kind: int, record_count: int, pieces: list[bytes], stored: dict[int, Chunk] | None = None
    ) -> None:
        """The frame from `_frame_lsn` to `position` is complete."""
        body_bytes = self.position - self._frame_lsn - HEADER_BYTES
        frame = Frame(self.segment, kind, self._frame_lsn, record_count, pieces, body_bytes, stored)
        self._frames.append(frame)
        self.segment.end_lsn = self.position

    def _roll(self) -> Segment:
        """Begin a new segment with its epoch frame."""
        segment = self.segment = Segment(self.position)
        self.segments.append(segment)
        self._frame_lsn = self.position
        self.position += EPOCH_BYTES
        self._put_frame(EPOCH, 0, [epoch_body(self.writer.store_id)])
        return segment

    # Committing

    def seal(self) -> Commit | None:
        """Everything appended so far, for the committer; None when there is nothing to do."""
        assert self._atom_depth == 0, "sealed in the middle of an atom"
        if self._frame_end_max != CLOSED:
            self._close_frame(BATCH)
        if self._doomed and not self._frames:
            # A frame to say that what makes them needless is safe: see SYNCED.
            self._open_frame()
            self._close_frame(BATCH)
        if not self._frames:
            return None
        commit = Commit(self.writer, self._frames, self._doomed, self.position, self.sync)
        commit.moves = self._moves
        self._moves = []
        self._stored_bytes = 0
        self._frames = []
        self._doomed = []
        self._sealed_lsn = self.position
        return commit

    def committed(self, commit: Commit) -> None:
        """The commit is on stable storage."""
        self.durable = commit.position
        for body, segment, lsns in commit.moves:
            body.move(self._standing(body, segment, lsns))
        if self.durable >= self._checkpoint_end:
            self.checkpoint_lsn = self._checkpoint_base

    def stored_body(self, spans: list[Span], segment: Segment) -> StoredBody:
        """A large body that has been found in the log."""
        file, base_lsn = self.read_back.keep(segment.base_lsn), segment.base_lsn
        chunks: list[Chunk] = []
        for span in spans:
            if span.octets:
                chunks.append(Chunk(MemoryFile(span.octets), 0, span.size, span.crc))
            else:
                chunks.append(Chunk(file, span.lsn - base_lsn, span.size, span.crc))
        return StoredBody(chunks)

    def _standing(self, body: StoredBody, segment: Segment, lsns: list[int]) -> list[Chunk]:
        """The chunks of a body as they stand in a segment."""
        file, base_lsn = self.read_back.keep(segment.base_lsn), segment.base_lsn
        return [
            Chunk(file, lsn - base_lsn, chunk.size, chunk.crc)
            for lsn, chunk in zip(lsns, body.chunks, strict=True)
        ]

    # Reading again

    def segment_of(self, lsn: int) -> Segment | None:
        """The segment in which a record stands; None if that is gone."""
        at = bisect_right(self.segments, lsn, key=_base_lsn)
        return self.segments[at - 1] if at else None

    def read(self, segment: Segment, lsn: int, size: int) -> bytes:
        """Octets of the log that are durable; OSError goes up."""
        return self.read_back.read(segment.base_lsn, lsn, size)

    def expect(self, lsn: int, size: int) -> None:
        """As much of them as stands in one segment will be read soon."""
        segment = self.segment_of(lsn)
        if segment is not None:
            self.read_back.expect(segment.base_lsn, lsn, min(size, segment.end_lsn - lsn))

    # Space

    @property
    def log_bytes(self) -> int:
        """From the start of the oldest segment to the end."""
        return self.position - self.segments[0].base_lsn

    @property
    def live_bytes(self) -> int:
        """About what all messages that are still needed take."""
        return sum([segment.live_bytes for segment in self.segments])

    def sparse_below(self) -> int:
        """Segments that begin before this LSN are to be emptied; 0 while the log is no larger than allowed.

        Allowed is a multiple of what lives, and some segments more. Emptied is so much, from the oldest end,
        that the next time is not soon.
        """
        live = self.live_bytes
        slack = self.slack_segments * self.segment_bytes
        # What is dead at the old end goes without help.
        segments = list(dropwhile(_is_dead, self.segments))
        log = self.position - segments[0].base_lsn if segments else 0
        if log <= LOG_PER_LIVE * live + slack:
            return 0
        wanted = log - (LOG_PER_LIVE + 1) * live // 2 - slack // 2
        below = moved = 0
        for segment in segments:
            if segment is self.segment or wanted <= 0 or moved > slack:
                break
            wanted -= segment.end_lsn - segment.base_lsn - segment.live_bytes
            moved += segment.live_bytes
            below = segment.end_lsn
        return below

    def wants_checkpoint(self) -> bool:
        """Whether segments could go if only the topology in them were said again."""
        oldest = self.segments[0]
        return oldest is not self.segment and oldest.live == 0 and oldest.end_lsn > self._checkpoint_base

    def begin_checkpoint(self) -> None:
        """The topology follows, all of it."""
        assert self._atom_depth == 0, "a checkpoint in the middle of an atom"
        if self._frame_end_max != CLOSED:
            self._close_frame(BATCH)
        if self.position - self.segment.base_lsn > EPOCH_BYTES:
            self.segment = self._roll()
        self._checkpoint_frames = len(self._frames)
        self._atom_depth += 1

    def end_checkpoint(self) -> None:
        """The topology has been said again; older segments are not needed for it once this is durable."""
        self._atom_depth -= 1
        if self._frame_end_max == CLOSED:
            self._open_frame()
        self._close_frame(CHECKPOINT)
        copy = self._frames[self._checkpoint_frames :]
        self._put_whole(SPACE, 0, [bytes(SPACE_BYTES)], SPACE_BYTES)
        for frame in copy:
            self._put_whole(frame.kind, frame.record_count, frame.pieces, frame.body_bytes)
        self._checkpoint_base = self.segment.base_lsn
        self._checkpoint_end = self.position

    def _put_whole(self, kind: int, record_count: int, pieces: list[bytes], body_bytes: int) -> None:
        """A frame whose body is there already."""
        self._frame_lsn = self.position
        self.position += HEADER_BYTES + body_bytes
        self._put_frame(kind, record_count, pieces)

    def drop_dead_segments(self) -> int:
        """Let the oldest segments go that nothing needs; returns how many. The next commit removes them.

        It does so after its own sync, so that what settled their messages is safe before they are gone, and
        so is a frame which says that the checkpoint is.
        """
        count = 0
        while self.segments[0] is not self.segment:
            oldest = self.segments[0]
            if oldest.live or oldest.end_lsn > self.checkpoint_lsn:
                break
            self._doomed.append(self.segments.popleft())
            self.read_back.forget(oldest.base_lsn)
            count += 1
        return count


def deaf_journal(directory: str, disk: Disk) -> Journal:
    """For replaying: what is replayed is in the log already; whatever is appended meanwhile goes nowhere."""
    journal = Journal(LogWriter(disk, directory, b"", 0, 0), 0, [], segment_bytes=1, sync=False)
    journal.segments.clear()
    return journal


def _base_lsn(segment: Segment) -> int:
    return segment.base_lsn


def _is_dead(segment: Segment) -> bool:
    return segment.live == 0
