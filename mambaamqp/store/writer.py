"""The file side of the journal: frames into segment files, in the committer's thread.

Keeps what only the writing side needs: the open file and the checksum that chains one frame to the next.
"""

from mambaamqp.errors import StoreError
from mambaamqp.store.disk import Disk, File
from mambaamqp.store.log_format import (
    FIRST_EPOCH,
    FORMAT_VERSION,
    pack_frame,
    segment_name,
)
from mambaamqp.store.segment import Segment


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


def epoch_body(store_id: bytes) -> bytes:
    """The body of the epoch frame that starts each segment: format version and the store's id."""
    return bytes((FORMAT_VERSION,)) + store_id


class LogWriter:
    """Writes frames in order. Poisoned by the first failure, for good."""

    def __init__(
        self, disk: Disk, directory: str, store_id: bytes, prev_crc: int, segment_bytes: int
    ) -> None:
        self.disk = disk
        self.directory = directory
        self.store_id = store_id
        self.prev_crc = prev_crc
        self.segment_bytes = segment_bytes
        self.poisoned = False
        self.file: File | None = None
        self.segment: Segment | None = None

    def check(self) -> None:
        """StoreError once anything has failed."""
        if self.poisoned:
            raise StoreError("the journal has failed before; nothing more is written")

    def poison(self) -> None:
        """Nothing can be promised any more."""
        self.poisoned = True

    def write(self, created: list[Segment], frames: list[Frame], sync: bool) -> None:
        """Write frames, each run of one segment in one go, and sync what was touched."""
        at = 0
        while at < len(frames):
            end = at
            while end < len(frames) and frames[end].segment is frames[at].segment:
                end += 1
            self._write_run(frames[at].segment, frames[at:end])
            if sync and self.file is not None:
                self.disk.sync(self.file)
            at = end
        if created:
            # A new file's name is durable only when its directory is.
            self.disk.sync_directory(self.directory)

    def _write_run(self, segment: Segment, frames: list[Frame]) -> None:
        octets: list[bytes] = []
        for frame in frames:
            body = b"".join(frame.pieces)
            header, self.prev_crc = pack_frame(
                frame.kind, frame.lsn, FIRST_EPOCH, self.prev_crc, frame.record_count, body
            )
            octets.append(header)
            octets.append(body)
        self.disk.write(self._open(segment), b"".join(octets), frames[0].lsn - segment.base_lsn)

    def _open(self, segment: Segment) -> File:
        if self.file is None or self.segment is not segment:
            self.close()
            path = f"{self.directory}/{segment_name(segment.base_lsn)}"
            self.file = self.disk.create(path, self.segment_bytes)
            self.segment = segment
        return self.file

    def remove(self, doomed: list[Segment]) -> None:
        """Delete segments that nothing needs."""
        for segment in doomed:
            self.disk.remove(f"{self.directory}/{segment_name(segment.base_lsn)}")
        if doomed:
            self.disk.sync_directory(self.directory)

    def close(self) -> None:
        """Cut the last segment to what it holds and close it."""
        if self.file is not None and self.segment is not None:
            if not self.poisoned:
                self.disk.truncate(self.file, self.segment.end_lsn - self.segment.base_lsn)
            self.disk.close(self.file)
        self.file = None
        self.segment = None
