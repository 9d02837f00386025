"""Reading a segment: which of its frames are whole, and what the rest is.

Changes nothing and decides no policy: it yields the frames that count and notes the gaps between them.
`recovery` repairs and reports; `inspect` only reports.

Theory of operation
-------------------
A frame counts if its checksum is right, it stands where it says, it is chained to the frame before, and the
run that it belongs to is complete. What does not count is a gap, and a gap is one of two things:

*torn*: the end of the last segment, written but not yet synced when the machine stopped. The disk may have
kept any of these sectors and lost any other, so whole frames may follow an unreadable one. Nobody was told
that any of it is safe: the log ends where the gap begins.

*damaged*: it was on stable storage and is unreadable now. That is certain in a segment that has a
successor (which is created after its predecessor was synced), and wherever a later frame says SYNCED, by
which its writer states that everything before it was safe. Reading goes on at the next whole frame.

Zeros up to the end of the last segment are the unused part of its reservation, and no gap.

The next whole frame behind a gap is found by the length in the damaged frame's header if that leads to a
frame which is chained to it, and by searching for the epoch field otherwise. Messages are other people's
octets and may contain what looks like frames, so what a search finds must also be followed by a frame that
is chained to it, or by nothing.
"""

from collections.abc import Iterator
from typing import Final

from mambaamqp.errors import StoreError
from mambaamqp.store.disk import Disk, File
from mambaamqp.store.log_format import (
    CONTINUED,
    FIRST_EPOCH,
    FLAGS,
    FRAME_BYTES_MAX,
    HEADER,
    HEADER_BYTES,
    KIND_MASK,
    KINDS,
    PART,
    SYNCED,
    is_whole,
)

READ_BYTES: Final = 1024 * 1024
ZEROS: Final = bytes(READ_BYTES)
EPOCH_OFFSET: Final = 16
"""Of the epoch field in a frame's header."""
UNKNOWN: Final = -1


class StoredFrame:
    """A frame that counts. `offset` is where it stands in its file; `run_kind` is how its run ends."""

    __slots__ = ("body", "crc", "end", "flags", "kind", "offset", "prev_crc", "record_count", "run_kind")

    def __init__(
        self, offset: int, kind: int, crc: int, prev_crc: int, record_count: int, body: bytes
    ) -> None:
        self.offset = offset
        self.end = offset + HEADER_BYTES + len(body)
        self.flags = kind & ~KIND_MASK
        self.kind = kind & KIND_MASK
        self.run_kind = self.kind
        self.crc = crc
        self.prev_crc = prev_crc
        self.record_count = record_count
        self.body = body


class Gap:
    """Octets of a segment, from `start` up to and without `end`, that do not count."""

    def __init__(self, start: int, end: int, torn: bool) -> None:
        self.start = start
        self.end = end
        self.torn = torn


class SegmentReader:
    """One segment file, read once from its start. One frame in memory at a time."""

    def __init__(
        self, disk: Disk, file: File, base_lsn: int, *, end: int | None, prev_crc: int = UNKNOWN
    ) -> None:
        """`end` is where the successor says that this segment ends, None for the last one."""
        self.base_lsn = base_lsn
        self.prev_crc = prev_crc
        """Of the last frame that counts, UNKNOWN behind a gap: what the next one must be chained to."""
        self.gaps: list[Gap] = []
        self.end = 0
        """Where the segment's part of the log ends, as far as it has been read."""
        self._disk = disk
        self._file = file
        self._size = disk.size(file)
        self._is_last = end is None
        self._limit = self._size if end is None else min(end, self._size)
        self._expected_end = self._size if end is None else end
        self._buffer = b""
        self._buffer_at = 0

    def frames(self) -> Iterator[StoredFrame]:
        """Every frame that counts, in order."""
        while True:
            frame = self._chained(self.end, self.prev_crc)
            broken_at = self.end
            if frame is not None and not frame.flags & CONTINUED:
                if frame.kind != PART:
                    yield self._take(frame)
                    continue
                run_kind, broken_at = self._run(frame)
                if run_kind:
                    yield from self._run_frames(frame, run_kind)
                    continue
            elif self.end == 0 and frame is None:
                self._refuse_stranger()
            if not self._pass_over(self.end, broken_at):
                return

    def _refuse_stranger(self) -> None:
        """A whole first frame that is not chained to the segment before was never written there."""
        if self._frame(0) is not None:
            raise StoreError(
                f"{self._file.path} does not continue the segment before it: files of two stores, or of two "
                "times of one, have been mixed"
            )

    def _take(self, frame: StoredFrame) -> StoredFrame:
        self.end = frame.end
        self.prev_crc = frame.crc
        return frame

    # Runs

    def _run(self, frame: StoredFrame) -> tuple[int, int]:
        """(kind of the frame that ends the run, 0), or (0, offset) where the run is broken."""
        while frame.kind == PART:
            following = self._chained(frame.end, frame.crc)
            if following is None or not following.flags & CONTINUED:
                return 0, frame.end
            frame = following
        return frame.kind, 0

    def _run_frames(self, first: StoredFrame, run_kind: int) -> Iterator[StoredFrame]:
        """The frames of a run that is known to be complete: read again, rather than kept in memory."""
        frame: StoredFrame | None = first
        while frame is not None:
            frame.run_kind = run_kind
            yield self._take(frame)
            frame = self._chained(frame.end, frame.crc) if frame.kind == PART else None

    # Gaps

    def _pass_over(self, start: int, broken_at: int) -> bool:
        """What stands at `start` does not count: note the gap. Whether there is something behind it."""
        if self._is_last:
            if start == broken_at and self._is_zero(start):
                return False
            resume, torn = self._resume_last(broken_at)
        else:
            if start >= self._expected_end:
                return False
            resume, torn = self._resume(broken_at), False
        end = resume if resume else (self._used_end(start) if self._is_last else self._expected_end)
        self.gaps.append(Gap(start, end, torn))
        if torn:
            return False
        self.end = end
        self.prev_crc = UNKNOWN
        return bool(resume)

    def _resume(self, broken_at: int) -> int:
        """The offset of the next frame that begins a run; 0 without one."""
        for frame in self._survivors(broken_at):
            if not frame.flags & CONTINUED:
                return frame.offset
        return 0

    def _resume_last(self, broken_at: int) -> tuple[int, bool]:
        """In the last segment: the same, and whether the gap is torn rather than damaged."""
        resume = 0
        for frame in self._survivors(broken_at):
            if not frame.flags & CONTINUED:
                resume = resume or frame.offset
            if frame.flags & SYNCED:
                return resume, False
        return 0, True

    def _survivors(self, broken_at: int) -> Iterator[StoredFrame]:
        """The whole frames behind a broken one, as far as they can be told from octets that look alike."""
        frame = self._behind_broken(broken_at)
        if frame is None:
            frame = self._search(broken_at + 1)
        while frame is not None:
            yield frame
            frame = self._chained(frame.end, frame.crc) or self._search(frame.end)

    def _behind_broken(self, at: int) -> StoredFrame | None:
        """The frame to which the broken one's header leads, if it is chained to it."""
        header = self._read(at, HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            return None
        crc, body_bytes, lsn, _, _, _, _ = HEADER.unpack(header)
        if lsn != self.base_lsn + at or body_bytes > FRAME_BYTES_MAX:
            return None
        return self._chained(at + HEADER_BYTES + body_bytes, crc)

    def _search(self, at: int) -> StoredFrame | None:
        """The next whole frame that starts at `at` or later, by the epoch that each header carries."""
        needle = FIRST_EPOCH.to_bytes(8, "big")
        while at + HEADER_BYTES <= self._limit:
            window = self._disk.read(self._file, min(READ_BYTES, self._limit - at), at)
            found = window.find(needle, EPOCH_OFFSET)
            while found >= 0:
                offset = at + found - EPOCH_OFFSET
                lsn = int.from_bytes(window[found - 8 : found], "big")
                if lsn == self.base_lsn + offset:
                    frame = self._frame(offset)
                    if frame is not None and self._goes_on(frame):
                        return frame
                found = window.find(needle, found + 1)
            if at + len(window) >= self._limit:
                break
            # The next window begins with what may be the start of a header at the end of this one.
            at += len(window) - HEADER_BYTES
        return None

    def _goes_on(self, frame: StoredFrame) -> bool:
        """A frame is followed by one that is chained to it, or by nothing."""
        return self._chained(frame.end, frame.crc) is not None or self._is_zero(frame.end)

    def _is_zero(self, at: int) -> bool:
        while at < self._limit:
            part = self._disk.read(self._file, min(READ_BYTES, self._limit - at), at)
            if part != ZEROS[: len(part)]:
                return False
            if not part:
                return True
            at += len(part)
        return True

    def _used_end(self, start: int) -> int:
        """Behind the last octet that is not zero, in what follows `start`."""
        end = at = start
        while at < self._limit:
            part = self._disk.read(self._file, min(READ_BYTES, self._limit - at), at)
            if not part:
                break
            if part != ZEROS[: len(part)]:
                end = at + len(part.rstrip(b"\0"))
            at += len(part)
        return end

    # Octets

    def _chained(self, at: int, prev_crc: int) -> StoredFrame | None:
        """The whole frame at `at`, if it is chained to the one before."""
        frame = self._frame(at)
        if frame is None or (prev_crc != UNKNOWN and frame.prev_crc != prev_crc):
            return None
        return frame

    def _frame(self, at: int) -> StoredFrame | None:
        """The whole frame at `at`, whatever it is chained to."""
        header = self._read(at, HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            return None
        crc, body_bytes, lsn, _, prev_crc, kind, record_count = HEADER.unpack(header)
        if lsn != self.base_lsn + at or body_bytes > min(FRAME_BYTES_MAX, self._limit - at - HEADER_BYTES):
            return None
        body = self._read(at + HEADER_BYTES, body_bytes)
        if len(body) < body_bytes or not is_whole(header, body):
            return None
        if kind & KIND_MASK not in KINDS or kind & ~(KIND_MASK | FLAGS):
            raise StoreError(f"{self._file.path}: a frame of kind {kind:#x} is unknown to this version")
        return StoredFrame(at, kind, crc, prev_crc, record_count, body)

    def _read(self, at: int, size: int) -> bytes:
        """Octets of the segment, out of a buffer where frames are small."""
        start = at - self._buffer_at
        if start < 0 or start + size > len(self._buffer):
            self._buffer = self._disk.read(self._file, max(size, min(READ_BYTES, self._limit - at)), at)
            self._buffer_at = at
            start = 0
        return self._buffer[start : start + size]
