"""The file side of the journal: frames into segment files, in the committer's thread.

Keeps what only the writing side needs: the open file, the checksum that chains one frame to the next, and
whether everything written so far is on stable storage. The order of its calls is the promise: a segment is
whole and synced before the next one is created, a new name is synced before anything further is done, and old
segments go one by one, oldest first. So a crash leaves the log without a hole, whatever it leaves of its end.
"""

from typing import Final

from mambaamqp.errors import StoreError
from mambaamqp.store.disk import Disk, File
from mambaamqp.store.log_format import FIRST_EPOCH, HEADER_BYTES, SYNCED, pack_frame, segment_name
from mambaamqp.store.segment import Segment

SMALL_PIECE_BYTES: Final = 4096
"""Pieces smaller than this on average are cheaper to copy once more than to checksum one by one."""


class Frame:
    """A frame as the journal laid it out: its body in pieces, not yet checksummed."""

    __slots__ = ("body_bytes", "kind", "lsn", "pieces", "record_count", "segment")

    def __init__(
        self, segment: Segment, kind: int, lsn: int, record_count: int, pieces: list[bytes], body_bytes: int
    ) -> None:
        self.segment = segment
        self.kind = kind
        self.lsn = lsn
        self.record_count = record_count
        self.pieces = pieces
        self.body_bytes = body_bytes


class Run:
    """Frames of one segment that stand behind each other, as the octets of one write."""

    __slots__ = ("octets", "offset", "segment")

    def __init__(self, segment: Segment, offset: int, octets: bytes) -> None:
        self.segment = segment
        self.offset = offset
        self.octets = octets


class LogWriter:
    """Writes frames in order. Poisoned by the first failure of a sync, for good."""

    def __init__(
        self, disk: Disk, directory: str, store_id: bytes, prev_crc: int, segment_bytes: int
    ) -> None:
        self.disk = disk
        self.directory = directory
        self.store_id = store_id
        self.prev_crc = prev_crc
        self.segment_bytes = segment_bytes
        self.poisoned = False
        self.synced = True
        """Everything written so far is on stable storage."""
        self.file: File | None = None
        self.segment: Segment | None = None
        self._end = 0
        """Offset behind what has been written to the open file."""

    def check(self) -> None:
        """StoreError once anything has failed."""
        if self.poisoned:
            raise StoreError("the journal has failed before; nothing more is written")

    def poison(self) -> None:
        """Nothing can be promised any more."""
        self.poisoned = True

    def pack(self, frames: list[Frame]) -> list[Run]:
        """Checksum and chain the frames of a commit, one run for each segment. Once for each commit."""
        runs: list[Run] = []
        octets: list[bytes] = []
        # What is written before this commit is as durable as it was when the commit began.
        flag = SYNCED if self.synced else 0
        for place, frame in enumerate(frames):
            pieces = frame.pieces
            if len(pieces) * SMALL_PIECE_BYTES > frame.body_bytes:
                pieces = [b"".join(pieces)]
            header, self.prev_crc = pack_frame(
                frame.kind | flag,
                frame.lsn,
                FIRST_EPOCH,
                self.prev_crc,
                frame.record_count,
                frame.body_bytes,
                pieces,
            )
            flag = 0
            octets.append(header)
            octets += pieces
            if place + 1 == len(frames) or frames[place + 1].segment is not frame.segment:
                whole = b"".join(octets)
                end = frame.lsn + HEADER_BYTES + frame.body_bytes
                runs.append(Run(frame.segment, end - len(whole) - frame.segment.base_lsn, whole))
                octets = []
                # The next run starts a segment, and that is created after this one has been synced.
                flag = SYNCED
        return runs

    def leave_segment(self, successor: Segment) -> None:
        """Sync and close the open segment, unless it is `successor` itself."""
        if self.file is not None and self.segment is not successor:
            self.sync()
            self.close()

    def write(self, run: Run) -> None:
        """Write a run to its segment, a new file if it starts one. May be repeated when the disk was full."""
        if self.file is None:
            assert run.offset == 0, "a segment is written from its start, by one writer"
            path = f"{self.directory}/{segment_name(run.segment.base_lsn)}"
            self.file = self.disk.create(path, self.segment_bytes)
            self.segment = run.segment
        self.synced = False
        self.disk.write(self.file, run.octets, run.offset)
        self._end = run.offset + len(run.octets)

    def sync(self) -> None:
        """Everything written so far is on stable storage when this returns."""
        if self.file is None or self.synced:
            return
        self.disk.sync(self.file)
        self.synced = True

    def sync_name(self, run: Run) -> None:
        """The name of a file that `run` has created is durable only when its directory is."""
        if run.offset == 0:
            self.disk.sync_directory(self.directory)

    def remove(self, segment: Segment) -> None:
        """Delete a segment that nothing needs; it is gone for good before the next one goes."""
        self.disk.remove(f"{self.directory}/{segment_name(segment.base_lsn)}")
        self.disk.sync_directory(self.directory)

    def close(self) -> None:
        """Cut the last segment to what it holds and close it."""
        if self.file is not None:
            if not self.poisoned:
                self.disk.truncate(self.file, self._end)
            self.disk.close(self.file)
        self.file = None
        self.segment = None
