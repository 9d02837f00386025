"""One group commit: what the committer's thread does with what the journal has laid out.

Creates new segments, writes the frames, syncs each touched file once, and only then removes the segments
that are needed no more. Any failure is final: the writer is poisoned and never tries again, since after a
failed sync nobody knows what is on the disk.
"""

from mambaamqp.errors import StoreError
from mambaamqp.store.disk import Disk
from mambaamqp.store.segment import Segment
from mambaamqp.store.writer import Frame, LogWriter


class Commit:
    """A sealed part of the journal. `position` is durable once `execute` has returned."""

    def __init__(
        self,
        writer: LogWriter,
        created: list[Segment],
        frames: list[Frame],
        doomed: list[Segment],
        position: int,
        sync: bool,
    ) -> None:
        self.writer = writer
        self.created = created
        self.frames = frames
        self.doomed = doomed
        self.position = position
        self.sync = sync

    def execute(self, disk: Disk) -> None:
        """Write and sync; StoreError when the store can promise nothing any more."""
        writer = self.writer
        writer.check()
        try:
            writer.write(self.created, self.frames, self.sync)
            writer.remove(self.doomed)
        except OSError as failure:
            writer.poison()
            raise StoreError(f"cannot write the journal: {failure}") from failure
