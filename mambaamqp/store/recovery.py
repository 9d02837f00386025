"""Opening a store: lock it, find what is whole, cut what is torn, put aside what is damaged.

The steps, in order:

1. make the directory, take its lock;
2. list the segments and check that each begins where the one before ended;
3. read frame by frame, one in memory at a time: a frame counts if its checksum is right, it stands where it
   says, and it is chained to the one before;
4. at the end of the last segment anything that is no frame and is followed by none is a torn tail: it is
   copied aside and cut. Zeros are the unused part of the reservation;
5. anything else that is no frame is damage: copied aside and passed over up to the next whole frame
   ("quarantine", reported), or a refusal to start ("refuse");
6. a run of part frames counts when its batch frame is there;
7. a new segment is begun; nothing is ever appended to an old one.
"""

import logging
from collections.abc import Iterator
from typing import Any, Final
from zlib import crc32

from mambaamqp.errors import StoreError
from mambaamqp.store import records
from mambaamqp.store.disk import Disk, File
from mambaamqp.store.journal import Journal
from mambaamqp.store.log_format import (
    BATCH,
    EPOCH,
    FIRST_EPOCH,
    FORMAT_VERSION,
    FRAME_BYTES_MAX,
    HEADER,
    HEADER_BYTES,
    KINDS,
    PART,
    base_of,
    segment_name,
)
from mambaamqp.store.segment import Segment
from mambaamqp.store.writer import LogWriter

log = logging.getLogger("mambaamqp.store")

LOCK_NAME: Final = "lock"
STORE_ID_BYTES: Final = 16
ZERO_SCAN_BYTES: Final = 1024 * 1024


class Recovered:
    """An opened store. `records` must be exhausted before `journal` is called."""

    def __init__(self, directory: str, disk: Disk, on_corruption: str) -> None:
        self.directory = directory
        self.disk = disk
        self.on_corruption = on_corruption
        self.warnings: list[str] = []
        self.segments: list[Segment] = []
        self.end_lsn = 0
        self.prev_crc = 0
        self.store_id = b""
        self.clean_stop = False
        self.lock: File = disk.lock(f"{directory}/{LOCK_NAME}")

    def records(self) -> Iterator[tuple[int, Segment, Any]]:
        """(LSN, segment, record) in the order of the log."""
        bases = sorted(base for name in self.disk.list(self.directory) if (base := base_of(name)) is not None)
        run: list[tuple[int, Segment, Any]] = []
        for place, base in enumerate(bases):
            self._check_contiguous(base, place)
            segment = Segment(base)
            self.segments.append(segment)
            for kind, found in self._segment_frames(segment, place == len(bases) - 1):
                run += found
                if kind == BATCH:
                    yield from self._whole(run)
                    run = []
            self.end_lsn = segment.end_lsn
        if run:
            self._warn(f"{len(run)} records of an unfinished batch at the end of the log are dropped")

    def _check_contiguous(self, base: int, place: int) -> None:
        if place and base != self.end_lsn:
            self._damage(
                f"segment {segment_name(base)} does not follow the one before, which ends at {self.end_lsn}"
            )

    def _whole(self, run: list[tuple[int, Segment, Any]]) -> Iterator[tuple[int, Segment, Any]]:
        """Chunks go into the publish behind them; everything else passes."""
        chunks: list[bytes] = []
        first: tuple[int, Segment] | None = None
        for lsn, segment, record in run:
            self.clean_stop = isinstance(record, records.CleanStop)
            if isinstance(record, records.Chunk):
                first = first or (lsn, segment)
                chunks.append(record.content)
                continue
            if isinstance(record, records.Publish) and record.chunked and first is not None:
                record.content = chunks
                lsn, segment = first
            chunks, first = [], None
            yield lsn, segment, record

    def _segment_frames(
        self, segment: Segment, last: bool
    ) -> Iterator[tuple[int, list[tuple[int, Segment, Any]]]]:
        """(kind, decoded records) of each whole frame; ends where the segment's data end."""
        path = f"{self.directory}/{segment_name(segment.base_lsn)}"
        file = self.disk.open(path)
        try:
            size = self.disk.size(file)
            at = 0
            while True:
                frame = self._frame(file, at, segment, size)
                if frame is None:
                    following = self._gap(file, at, size, segment, last)
                    if following is None:
                        break
                    at = following
                    self.prev_crc = -1
                    continue
                kind, body, frame_bytes = frame
                lsn = segment.base_lsn + at + HEADER_BYTES
                at += frame_bytes
                segment.end_lsn = segment.base_lsn + at
                if kind == EPOCH:
                    self._take_epoch(body, path)
                elif kind in (BATCH, PART):
                    yield kind, _records_of(body, lsn, segment)
        finally:
            self.disk.close(file)

    def _frame(self, file: File, at: int, segment: Segment, size: int) -> tuple[int, bytes, int] | None:
        """Kind, body and size of the frame at `at`, or None if there is no whole, chained frame."""
        header = self.disk.read(file, HEADER_BYTES, at)
        if len(header) < HEADER_BYTES:
            return None
        crc, body_bytes, lsn, _, prev_crc, kind, _ = HEADER.unpack(header)
        if lsn != segment.base_lsn + at or kind not in KINDS or body_bytes > min(FRAME_BYTES_MAX, size - at):
            return None
        body = self.disk.read(file, body_bytes, at + HEADER_BYTES)
        if len(body) < body_bytes or crc32(body, crc32(header[4:])) != crc:
            return None
        # Nothing is known of the frame before the oldest one, or before a damaged stretch.
        if self.prev_crc >= 0 and (at or segment is not self.segments[0]) and prev_crc != self.prev_crc:
            return None
        self.prev_crc = crc
        return kind, body, HEADER_BYTES + body_bytes

    def _gap(self, file: File, at: int, size: int, segment: Segment, last: bool) -> int | None:
        """What follows is no frame: the end, a torn tail, or damage. Returns where to go on, if anywhere."""
        if self._is_zero(file, at, size):
            return None
        following = self._next_frame(file, at, size, segment)
        if following is None and last:
            self._put_aside(file, at, size, "torn")
            self._warn(f"{file.path}: torn tail of {size - at} bytes at offset {at} cut off; a copy is kept")
            self.disk.truncate(file, at)
            self.disk.sync(file)
            return None
        self._damage(
            f"{file.path}: damaged from offset {at} (LSN {segment.base_lsn + at}) to {following or size}"
        )
        self._put_aside(file, at, following or size, "damaged")
        if following is None:
            segment.end_lsn = segment.base_lsn + size
        return following

    def _is_zero(self, file: File, at: int, size: int) -> bool:
        while at < size:
            part = self.disk.read(file, min(ZERO_SCAN_BYTES, size - at), at)
            if not part or part.strip(b"\0"):
                return not part
            at += len(part)
        return True

    def _next_frame(self, file: File, at: int, size: int, segment: Segment) -> int | None:
        """The offset of the next whole frame behind `at`, found by the epoch that each header carries."""
        data = self.disk.read(file, size - at, at)
        needle = FIRST_EPOCH.to_bytes(8, "big")
        found = data.find(needle, 17)
        while found >= 0:
            offset = at + found - 16
            lsn = int.from_bytes(data[found - 8 : found], "big")
            if lsn == segment.base_lsn + offset and self._is_frame(data, found - 16):
                return offset
            found = data.find(needle, found + 1)
        return None

    def _is_frame(self, data: bytes, at: int) -> bool:
        header = data[at : at + HEADER_BYTES]
        if len(header) < HEADER_BYTES:
            return False
        crc, body_bytes, _, _, _, kind, _ = HEADER.unpack(header)
        body = data[at + HEADER_BYTES : at + HEADER_BYTES + body_bytes]
        return kind in KINDS and len(body) == body_bytes and crc32(body, crc32(header[4:])) == crc

    def _put_aside(self, file: File, at: int, end: int, what: str) -> None:
        name = f"{file.path.rpartition('/')[2]}.{at}.{what}"
        path = f"{self.directory}/{name}"
        if name in self.disk.list(self.directory):
            self.disk.remove(path)
        copy = self.disk.create(path, 0)
        self.disk.write(copy, self.disk.read(file, end - at, at), 0)
        self.disk.sync(copy)
        self.disk.close(copy)
        self.disk.sync_directory(self.directory)

    def _take_epoch(self, body: bytes, path: str) -> None:
        if len(body) != 1 + STORE_ID_BYTES or body[0] != FORMAT_VERSION:
            raise StoreError(f"{path} has a format that this version cannot read")
        if self.store_id and body[1:] != self.store_id:
            raise StoreError(f"{path} belongs to another store")
        self.store_id = body[1:]

    def _damage(self, text: str) -> None:
        if self.on_corruption == "refuse":
            raise StoreError(text)
        self._warn(text)

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        log.warning("%s", text)

    def journal(self, *, segment_bytes: int, sync: bool = True) -> Journal:
        """The journal behind what was recovered, in a new segment."""
        store_id = self.store_id or self.disk.random_octets(STORE_ID_BYTES)
        writer = LogWriter(self.disk, self.directory, store_id, max(self.prev_crc, 0), segment_bytes)
        return Journal(writer, self.end_lsn, self.segments, segment_bytes=segment_bytes, sync=sync)

    def close(self) -> None:
        """Give the directory up."""
        self.disk.close(self.lock)


def _records_of(body: bytes, lsn: int, segment: Segment) -> list[tuple[int, Segment, Any]]:
    """The decoded records of a frame's body, each with its own LSN."""
    found: list[tuple[int, Segment, Any]] = []
    at = 0
    while at < len(body):
        kind = body[at]
        size = int.from_bytes(body[at + 1 : at + 4], "big")
        end = at + 4 + size
        if end > len(body):
            raise StoreError(f"the record at LSN {lsn + at} ends outside its frame")
        found.append((lsn + at, segment, records.decode(kind, body[at + 4 : end])))
        at = end
    return found


def open_store(directory: str, disk: Disk, *, on_corruption: str = "quarantine") -> Recovered:
    """Lock a store's directory, making it if need be; StoreError when another broker has it."""
    disk.make_directory(directory)
    return Recovered(directory, disk, on_corruption)
