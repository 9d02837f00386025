"""The file side of the journal: frames into segment files, in the committer's thread.

Keeps what only the writing side needs: the open file, the checksum that chains one frame to the next, and
whether everything written so far is on stable storage. The order of its calls is the promise: a segment is
whole and synced before the next one is created, a new name is synced before anything further is done, and old
segments go one by one, oldest first. So a crash leaves the log without a hole, whatever it leaves of its end.
"""

import logging
from typing import Final

from mambaamqp.errors import StoreError
from mambaamqp.store.body import BodyDamaged, Chunk
from mambaamqp.store.disk import Disk, File
from mambaamqp.store.log_format import FIRST_EPOCH, HEADER_BYTES, SYNCED, pack_frame, segment_name
from mambaamqp.store.segment import Segment

SMALL_PIECE_BYTES: Final = 4096
"""Pieces smaller than this on average are cheaper to copy once more than to checksum one by one."""
RUN_BYTES_MAX: Final = 8 * 1024 * 1024
"""One write takes frames until it holds as much."""

log = logging.getLogger("mambaamqp.store")


class Frame:
    """A frame as the journal laid it out: its body in pieces, not yet checksummed.

    `stored` has the pieces that are on disk elsewhere, by their places; in `pieces` these are empty.
    """

    __slots__ = ("body_bytes", "kind", "lsn", "pieces", "record_count", "segment", "stored")

    def __init__(
        self,
        segment: Segment,
        kind: int,
        lsn: int,
        record_count: int,
        pieces: list[bytes],
        body_bytes: int,
        stored: dict[int, Chunk] | None = None,
    ) -> None:
        self.segment = segment
        self.kind = kind
        self.lsn = lsn
        self.record_count = record_count
        self.pieces = pieces
        self.body_bytes = body_bytes
        self.stored = stored

    def load(self) -> list[bytes]:
        """All pieces, read from where they are; BodyDamaged or OSError for what has never been safe."""
        if self.stored is None:
            return self.pieces
        pieces = list(self.pieces)
        for place, chunk in self.stored.items():
            pieces[place] = _load(chunk)
        return pieces


def _load(chunk: Chunk) -> bytes:
    """What a message is written again with. What the disk has lost since is written as zeros: those are no
    frames, so that it is known for lost wherever it is read, and keeps nobody else from the disk."""
    try:
        return chunk.read()
    except (BodyDamaged, OSError) as damage:
        if not chunk.file.durable:
            raise
        log.error("a body cannot be written again, and is lost: %s", damage)
        return bytes(chunk.size)


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

    def pack(self, frames: list[Frame]) -> Run:
        """Checksum and chain the next run of a commit and take its frames off the list. Once for each frame.

        A run ends with its segment, or when it is large: what is being written is copied a bounded part at
        a time, so that a large message costs its memory once.
        """
        segment = frames[0].segment
        offset = frames[0].lsn - segment.base_lsn
        # What stands before this run is on disk if all before was, or if this run starts a segment: that is
        # created after the one before has been synced.
        flag = SYNCED if self.synced or offset == 0 else 0
        octets: list[bytes] = []
        gathered = 0
        taken = 0
        while taken < len(frames) and frames[taken].segment is segment and gathered < RUN_BYTES_MAX:
            gathered += self._pack_frame(frames[taken], flag, octets)
            flag = 0
            taken += 1
        del frames[:taken]
        return Run(segment, offset, b"".join(octets))

    def _pack_frame(self, frame: Frame, flag: int, octets: list[bytes]) -> int:
        pieces = frame.load()
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
        octets.append(header)
        octets += pieces
        return HEADER_BYTES + frame.body_bytes

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
