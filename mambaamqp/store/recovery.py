"""Opening a store: lock it, find what is whole, cut what is torn, put aside what is damaged.

The steps, in order:

1. make the directory, take its lock, remove what an earlier process left as scratch;
2. list the segments; each ends where the next one begins;
3. find the newest whole checkpoint: it stands at the start of a segment. Its topology comes first, since
   the segments that said it before may be gone, and what older segments say about topology is passed over;
4. read frame by frame, one in memory at a time (`reader` says which of them count);
5. a torn tail of the last segment is copied aside and cut;
6. damage is copied aside and passed over up to the next whole frame ("quarantine", reported), or a refusal to
   start ("refuse");
7. what has been read is synced: after the death of a process, as opposed to a machine, it may only stand in
   the memory of the operating system;
8. a new segment is begun; nothing is ever appended to an old one.

Refuses to know what the records mean.
"""

import logging
from collections.abc import Iterator
from typing import Final

from mambaamqp.errors import StoreError
from mambaamqp.store import records
from mambaamqp.store.decoding import BodyDecoder, Stored
from mambaamqp.store.disk import Disk, File
from mambaamqp.store.journal import Journal
from mambaamqp.store.log_format import (
    CHECKPOINT,
    CONTINUED,
    EPOCH,
    FORMAT_VERSION,
    HEADER_BYTES,
    SPACE,
    STORE_ID_BYTES,
    base_of,
    segment_name,
)
from mambaamqp.store.reader import READ_BYTES, UNKNOWN, Gap, SegmentReader, StoredFrame
from mambaamqp.store.scratch import remove_leftovers
from mambaamqp.store.segment import Segment
from mambaamqp.store.writer import LogWriter

log = logging.getLogger("mambaamqp.store")

LOCK_NAME: Final = "lock"


class Finding:
    """Octets of the store that do not count: from `start` up to and without `end` in `file`."""

    def __init__(self, file: str, base_lsn: int, gap: Gap) -> None:
        self.file = file
        self.start = gap.start
        self.end = gap.end
        self.lsn = base_lsn + gap.start
        self.end_lsn = base_lsn + gap.end
        self.torn = gap.torn

    def __str__(self) -> str:
        what = "torn tail" if self.torn else "damage"
        return (
            f"{self.file}: {what} from offset {self.start} to {self.end} (LSN {self.lsn} to {self.end_lsn})"
        )


class Recovered:
    """An opened store. `records` must be exhausted before `journal` is called."""

    def __init__(self, directory: str, disk: Disk, on_corruption: str) -> None:
        self.directory = directory
        self.disk = disk
        self.on_corruption = on_corruption
        self.warnings: list[str] = []
        self.findings: list[Finding] = []
        self.segments: list[Segment] = []
        self.end_lsn = 0
        self.prev_crc = 0
        self.store_id = b""
        self.clean_stop = False
        """The last record says that the broker stopped in order, and nothing was damaged."""
        self.checkpoint_lsn = 0
        """Where the segment of the newest checkpoint begins."""
        self.decoder = BodyDecoder()
        self.lock: File = disk.lock(f"{directory}/{LOCK_NAME}")

    # Reading

    def records(self) -> Iterator[Stored]:
        """(LSN, segment, record): the topology of the newest checkpoint, then the log in its order."""
        try:
            yield from self._records()
        except OSError as failure:
            raise StoreError(f"cannot read the store {self.directory}: {failure}") from failure

    def _records(self) -> Iterator[Stored]:
        remove_leftovers(self.disk, self.directory)
        bases = segment_bases(self.disk, self.directory)
        checkpoint = find_checkpoint(self.disk, self.directory, bases)
        if checkpoint is not None:
            self.checkpoint_lsn = checkpoint.base_lsn
            yield from checkpoint.records(self.disk, self.directory)
        elif bases and bases[0] > 0:
            self._damage(
                f"the log begins at LSN {bases[0]} and no checkpoint is left that says what was before"
            )
        for place, base in enumerate(bases):
            yield from self._segment_records(base, bases[place + 1] if place + 1 < len(bases) else None)
        self.clean_stop = self.decoder.last_kind == records.CLEAN_STOP and not self.findings
        if self.clean_stop:
            yield self.end_lsn, self.segments[-1], records.CleanStop()

    def _segment_records(self, base: int, successor: int | None) -> Iterator[Stored]:
        path = f"{self.directory}/{segment_name(base)}"
        file = self.disk.open(path)
        segment = Segment(base)
        try:
            end = None if successor is None else successor - base
            # Nothing is known of the frame before the oldest one, unless it is the first of all.
            prev_crc = self.prev_crc if self.segments or base == 0 else UNKNOWN
            reader = SegmentReader(self.disk, file, base, end=end, prev_crc=prev_crc)
            self.decoder.messages_only = base < self.checkpoint_lsn
            for frame in reader.frames():
                yield from self._frame_records(frame, segment, path)
            self._take_gaps(reader, file, base)
            if successor is None:
                self._settle_end(reader, file)
        finally:
            self.disk.close(file)
        segment.end_lsn = self.end_lsn = base + reader.end
        self.prev_crc = reader.prev_crc
        if reader.end:
            self.segments.append(segment)
        elif successor is None:
            self._forget_empty(path)

    def _frame_records(self, frame: StoredFrame, segment: Segment, path: str) -> list[Stored]:
        if frame.kind == EPOCH:
            # A broker that has begun this segment may have delivered since, though it appended nothing.
            self.decoder.last_kind = 0
            self._take_epoch(frame.body, path)
            return []
        if frame.run_kind in (CHECKPOINT, SPACE):
            return []
        if not frame.flags & CONTINUED:
            self.decoder.begin_run()
        lsn = segment.base_lsn + frame.offset + HEADER_BYTES
        return self.decoder.decode(frame.body, lsn, segment)

    def _take_epoch(self, body: bytes, path: str) -> None:
        if len(body) != 1 + STORE_ID_BYTES or body[0] != FORMAT_VERSION:
            raise StoreError(f"{path} has a format that this version cannot read")
        if self.store_id and body[1:] != self.store_id:
            raise StoreError(f"{path} belongs to another store")
        self.store_id = body[1:]

    # Repair

    def _take_gaps(self, reader: SegmentReader, file: File, base: int) -> None:
        for gap in reader.gaps:
            finding = Finding(file.path, base, gap)
            self.findings.append(finding)
            if gap.torn:
                copy = self._put_aside(file, gap, "torn")
                self._warn(f"{finding}: cut off, a copy is in {copy}")
            else:
                self._damage(str(finding))
                self._put_aside(file, gap, "damaged")

    def _settle_end(self, reader: SegmentReader, file: File) -> None:
        """The last segment ends where its data do, and is on stable storage, name and all."""
        self.disk.truncate(file, reader.end)
        self.disk.sync(file)
        self.disk.sync_directory(self.directory)

    def _forget_empty(self, path: str) -> None:
        """A segment that was created and never written: the next one will have its name."""
        self.disk.remove(path)
        self.disk.sync_directory(self.directory)

    def _put_aside(self, file: File, gap: Gap, what: str) -> str:
        """Copy a gap into a file of its own, unless an earlier start has done so."""
        name = f"{file.path.rpartition('/')[2]}.{gap.start}.{what}"
        path = f"{self.directory}/{name}"
        if name in self.disk.list(self.directory):
            if not gap.torn:
                return path
            self.disk.remove(path)
        copy = self.disk.create(path, 0)
        try:
            at, end = gap.start, min(gap.end, self.disk.size(file))
            while at < end:
                part = self.disk.read(file, min(READ_BYTES, end - at), at)
                self.disk.write(copy, part, at - gap.start)
                at += len(part)
            self.disk.sync(copy)
        finally:
            self.disk.close(copy)
        self.disk.sync_directory(self.directory)
        return path

    def _damage(self, text: str) -> None:
        if self.on_corruption == "refuse":
            raise StoreError(text)
        self._warn(text)

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        log.warning("%s", text)

    # Going on

    def journal(self, *, segment_bytes: int, sync: bool = True) -> Journal:
        """The journal behind what was recovered, in a new segment."""
        store_id = self.store_id or self.disk.random_octets(STORE_ID_BYTES)
        writer = LogWriter(self.disk, self.directory, store_id, max(self.prev_crc, 0), segment_bytes)
        return Journal(
            writer,
            self.end_lsn,
            self.segments,
            segment_bytes=segment_bytes,
            sync=sync,
            checkpoint_lsn=self.checkpoint_lsn,
        )

    def close(self) -> None:
        """Give the directory up."""
        self.disk.close(self.lock)


class Checkpoint:
    """The topology at the start of a segment: the run that begins at offset `start` of its file."""

    def __init__(self, base_lsn: int, start: int, segment_end: int | None) -> None:
        self.base_lsn = base_lsn
        self.start = start
        self.segment_end = segment_end
        """As in SegmentReader."""

    def records(self, disk: Disk, directory: str) -> Iterator[Stored]:
        """Its records."""
        segment = Segment(self.base_lsn)
        decoder = BodyDecoder()
        file = disk.open_to_read(f"{directory}/{segment_name(self.base_lsn)}")
        try:
            for frame in SegmentReader(disk, file, self.base_lsn, end=self.segment_end).frames():
                if frame.offset >= self.start:
                    lsn = self.base_lsn + frame.offset + HEADER_BYTES
                    yield from decoder.decode(frame.body, lsn, segment)
                    if frame.kind == CHECKPOINT:
                        return
        finally:
            disk.close(file)


def segment_bases(disk: Disk, directory: str) -> list[int]:
    """First LSNs of the segments in a directory, oldest first."""
    return sorted(base for name in disk.list(directory) if (base := base_of(name)) is not None)


def find_checkpoint(disk: Disk, directory: str, bases: list[int]) -> Checkpoint | None:
    """The newest whole checkpoint, out of the first frames of each segment."""
    successor: int | None = None
    for base in reversed(bases):
        segment_end = None if successor is None else successor - base
        successor = base
        file = disk.open_to_read(f"{directory}/{segment_name(base)}")
        try:
            for frame in SegmentReader(disk, file, base, end=segment_end).frames():
                if frame.run_kind == CHECKPOINT:
                    return Checkpoint(base, frame.offset, segment_end)
                if frame.kind not in (EPOCH, SPACE):
                    break
        finally:
            disk.close(file)
    return None


def open_store(directory: str, disk: Disk, *, on_corruption: str = "quarantine") -> Recovered:
    """Lock a store's directory, making it if need be; StoreError when another broker has it."""
    try:
        disk.make_directory(directory)
        return Recovered(directory, disk, on_corruption)
    except OSError as failure:
        raise StoreError(f"cannot open the store {directory}: {failure}") from failure
