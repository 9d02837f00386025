"""One group commit: what the committer's thread does with what the journal has laid out.

Creates new segments, writes the frames, syncs each touched file once, and only then removes the segments
that are needed no more. A failure is final: the writer is poisoned and never tries again, since after a
failed sync nobody knows what is on the disk. The one exception is a full disk that shows before the sync:
nothing is lost then, and the same commit may be executed again.
"""

import errno
from typing import Final

from mambaamqp.errors import StoreError
from mambaamqp.store.body import StoredBody
from mambaamqp.store.disk import Disk
from mambaamqp.store.segment import Segment
from mambaamqp.store.writer import Frame, LogWriter, Run

Move = tuple[StoredBody, Segment, list[int]]
"""A body, and where its chunks stand in the log: (body, segment, LSN of each)."""

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskFull(StoreError):
    """There was no room for a commit. `execute` may be called again; until it succeeds nothing is durable."""


class Commit:
    """A sealed part of the journal. `position` is durable once `execute` has returned."""

    def __init__(
        self, writer: LogWriter, frames: list[Frame], doomed: list[Segment], position: int, sync: bool
    ) -> None:
        self.writer = writer
        self.frames = frames
        self.doomed = doomed
        self.position = position
        self.sync = sync
        self.moves: list[Move] = []
        """What is read from the log once this is durable."""
        self._run: Run | None = None
        """Packed, and not written yet: a full disk is tried again with the same octets."""

    def execute(self, disk: Disk) -> None:
        """Write and sync. StoreError: the store can promise nothing any more; DiskFull: it may later."""
        writer = self.writer
        writer.check()
        try:
            self._write()
            self._remove()
        except DiskFull:
            raise
        except BaseException as failure:
            writer.poison()
            if isinstance(failure, OSError):
                raise StoreError(f"cannot write the journal: {failure}") from failure
            raise

    def _write(self) -> None:
        writer = self.writer
        if self.doomed:
            writer.sync()
        while self._run is not None or self.frames:
            if self._run is None:
                self._run = writer.pack(self.frames)
            self._write_run(self._run)
            self._run = None
        if self.sync or self.doomed:
            writer.sync()

    def _write_run(self, run: Run) -> None:
        writer = self.writer
        writer.leave_segment(run.segment)
        try:
            writer.write(run)
        except OSError as failure:
            if failure.errno in NO_ROOM:
                raise DiskFull(f"no room for the journal: {failure}") from failure
            raise
        if run.offset == 0:
            if self.sync:
                writer.sync()
            writer.sync_name(run)

    def _remove(self) -> None:
        """What made the doomed segments needless is safe now: this commit or an earlier one."""
        if self.doomed:
            self.writer.sync()
        while self.doomed:
            self.writer.remove(self.doomed[0])
            del self.doomed[0]
