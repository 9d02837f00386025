"""Looking at a store without touching it: what stands in it, and whether all of it can be read.

Read-only and without the lock, so that it can be used on a copy, on a disk that is mounted read-only, or
while a broker is running (whose last commit may then look torn). Knows the envelope and the types of records,
not what they mean.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from mambaamqp.errors import StoreError
from mambaamqp.store import records
from mambaamqp.store.decoding import BodyDecoder
from mambaamqp.store.disk import Disk
from mambaamqp.store.log_format import (
    CHECKPOINT,
    CONTINUED,
    EPOCH,
    FORMAT_VERSION,
    HEADER_BYTES,
    SPACE,
    STORE_ID_BYTES,
    segment_name,
)
from mambaamqp.store.reader import UNKNOWN, SegmentReader, StoredFrame
from mambaamqp.store.recovery import Finding, find_checkpoint, segment_bases
from mambaamqp.store.segment import Segment

RECORD_NAMES: Final[dict[int, str]] = {
    records.VHOST_DECLARE: "vhost declare",
    records.VHOST_DELETE: "vhost delete",
    records.EXCHANGE_DECLARE: "exchange declare",
    records.EXCHANGE_DELETE: "exchange delete",
    records.QUEUE_DECLARE: "queue declare",
    records.QUEUE_DELETE: "queue delete",
    records.BIND: "bind",
    records.UNBIND: "unbind",
    records.PUBLISH: "publish",
    records.CHUNK: "chunk",
    records.SETTLE: "settle",
    records.REQUEUE: "requeue",
    records.CLEAN_STOP: "clean stop",
    records.PARAMETER: "parameter",
}


class Witness:
    """Which queues damage has touched: positions count up by one, so a jump over a gap tells what was there.

    A jump without a gap is nothing: transient messages take positions and are not in the journal.
    """

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        """Queue id → how people call it."""
        self.last: dict[int, tuple[int, int]] = {}
        """Queue id → (greatest position so far, how many gaps came before it)."""
        self.missing: dict[int, list[tuple[int, int]]] = {}
        """Queue id → (first, last) position that may have stood in a gap."""

    def see(self, record: object, gaps: int) -> None:
        """The next record of the log, and how many gaps there were before it."""
        if isinstance(record, records.QueueDeclare):
            self.names[record.queue_id] = f"queue {record.name!r} of {record.vhost!r}"
        elif isinstance(record, records.Publish):
            for target in record.targets:
                self._publish(target.queue_id, target.position, gaps)

    def _publish(self, queue_id: int, position: int, gaps: int) -> None:
        last, gaps_before = self.last.get(queue_id, (0, 0))
        if position <= last:
            return  # moved to the end of the log by compaction
        if gaps > gaps_before and position > last + 1:
            self.missing.setdefault(queue_id, []).append((last + 1, position - 1))
        self.last[queue_id] = (position, gaps)

    def lines(self, gaps: int) -> Iterator[str]:
        """What may have been lost, by queue; `gaps` is how many there were in all."""
        for queue_id in sorted(self.names.keys() | self.last.keys()):
            name = self.names.get(queue_id, f"the queue with id {queue_id}, whose declaration is damaged")
            for first, last in self.missing.get(queue_id, []):
                yield f"{name}: positions {first} to {last} may have stood in the damage"
            position, gaps_before = self.last.get(queue_id, (0, 0))
            if gaps_before < gaps:
                yield f"{name}: what came after position {position} may have stood in the damage"


class Report:
    """What a check found. `healthy`: everything that was ever safe can still be read."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.store_id = b""
        self.segments = 0
        self.frames = 0
        self.records: Counter[str] = Counter()
        """By name of the type."""
        self.first_lsn = 0
        self.end_lsn = 0
        self.checkpoint_lsn: int | None = None
        self.clean_stop = False
        self.torn: list[Finding] = []
        """At most one: the unfinished end, which the next start cuts."""
        self.damage: list[Finding] = []
        self.witness = Witness()
        self.problems: list[str] = []
        """What would keep a broker from starting, or from knowing all that it knew."""

    @property
    def healthy(self) -> bool:
        return not (self.damage or self.problems)

    def lines(self) -> Iterator[str]:
        """The report for people."""
        yield f"store {self.directory}, id {self.store_id.hex() or 'unknown'}"
        yield f"{self.segments} segments, LSN {self.first_lsn} to {self.end_lsn}, {self.frames} frames"
        if self.checkpoint_lsn is not None:
            yield f"newest checkpoint in the segment at LSN {self.checkpoint_lsn}"
        for name, count in sorted(self.records.items()):
            yield f"{count:>12} {name}"
        yield "stopped in order" if self.clean_stop else "not stopped in order"
        for finding in self.torn:
            yield f"{finding}: never confirmed, the next start cuts it"
        for finding in self.damage:
            yield str(finding)
        if self.damage:
            yield from self.witness.lines(len(self.damage))
            yield "what was acknowledged in the damage may come again"
        yield from self.problems
        yield "healthy" if self.healthy else "NOT HEALTHY"


def check(directory: str, disk: Disk, progress: Callable[[int], None] = lambda octets: None) -> Report:
    """Read all of a store; StoreError when there is none, or when it cannot be read.

    `progress` is told how many octets more have been read.
    """
    try:
        return _Check(directory, disk, progress).run()
    except OSError as failure:
        raise StoreError(f"cannot read the store {directory}: {failure}") from failure


class _Check:
    """One walk over a store."""

    def __init__(self, directory: str, disk: Disk, progress: Callable[[int], None]) -> None:
        self.disk = disk
        self.directory = directory
        self.progress = progress
        self.report = Report(directory)
        self.decoder = BodyDecoder()
        self.prev_crc = UNKNOWN

    def run(self) -> Report:
        report = self.report
        bases = segment_bases(self.disk, self.directory)
        if not bases:
            raise StoreError(f"{self.directory} holds no store")
        report.first_lsn = bases[0]
        self._find_checkpoint(bases)
        for place, base in enumerate(bases):
            try:
                self._segment(base, bases[place + 1] if place + 1 < len(bases) else None)
            except StoreError as problem:
                report.problems.append(str(problem))
                self.prev_crc = UNKNOWN
        report.clean_stop = self.decoder.last_kind == records.CLEAN_STOP
        return report

    def _find_checkpoint(self, bases: list[int]) -> None:
        try:
            checkpoint = find_checkpoint(self.disk, self.directory, bases)
        except StoreError:
            return  # whatever it is, the walk over the segments comes upon it again and reports it
        if checkpoint is not None:
            self.report.checkpoint_lsn = checkpoint.base_lsn
        elif bases[0] > 0:
            self.report.problems.append(
                f"the log begins at LSN {bases[0]} and no checkpoint is left that says what was before"
            )

    def _segment(self, base: int, successor: int | None) -> None:
        report = self.report
        report.segments += 1
        path = f"{self.directory}/{segment_name(base)}"
        file = self.disk.open_to_read(path)
        try:
            end = None if successor is None else successor - base
            prev_crc = 0 if base == 0 else self.prev_crc
            reader = SegmentReader(self.disk, file, base, end=end, prev_crc=prev_crc)
            segment = Segment(base)
            try:
                for frame in reader.frames():
                    gaps = len(report.damage) + len([gap for gap in reader.gaps if not gap.torn])
                    self._frame(frame, segment, path, gaps)
                    self.progress(frame.end - frame.offset)
            finally:
                report.end_lsn = base + reader.end
                self.prev_crc = reader.prev_crc
                for gap in reader.gaps:
                    found = report.torn if gap.torn else report.damage
                    found.append(Finding(path, base, gap))
        finally:
            self.disk.close(file)

    def _frame(self, frame: StoredFrame, segment: Segment, path: str, gaps: int) -> None:
        report = self.report
        report.frames += 1
        if frame.kind == EPOCH:
            self.decoder.last_kind = 0
            self._epoch(frame.body, path)
            return
        if frame.kind == SPACE:
            return
        if not frame.flags & CONTINUED:
            self.decoder.begin_run()
        lsn = segment.base_lsn + frame.offset + HEADER_BYTES
        for record_lsn, _, record in self.decoder.decode(frame.body, lsn, segment):
            report.witness.see(record, gaps)
            if isinstance(record, records.Publish) and record.lost:
                report.problems.append(
                    f"the body of the message at LSN {record_lsn} was damaged before it was moved there"
                )
        if frame.run_kind != CHECKPOINT:
            report.records.update(record_names(frame.body))

    def _epoch(self, body: bytes, path: str) -> None:
        if len(body) != 1 + STORE_ID_BYTES or body[0] != FORMAT_VERSION:
            raise StoreError(f"{path} has a format that this version cannot read")
        if self.report.store_id and self.report.store_id != body[1:]:
            raise StoreError(f"{path} belongs to another store")
        self.report.store_id = body[1:]


def record_names(body: bytes) -> Iterator[str]:
    """The types of the records of a body, by name."""
    at = 0
    while at < len(body):
        yield RECORD_NAMES.get(body[at], f"type {body[at]}")
        at += 4 + int.from_bytes(body[at + 1 : at + 4], "big")
