"""Records that were committed, read again from their segments.

Blocking, and in the caller's thread: what is read back was written not long ago, or has been announced with
`expect`, so that it comes out of the memory of the operating system.
"""

from collections import OrderedDict
from typing import Final
from weakref import WeakValueDictionary

from mambaamqp.store.body import KeptFile
from mambaamqp.store.disk import Disk, File
from mambaamqp.store.log_format import segment_name

FILES_MAX: Final = 16
"""Segments that are open for reading at a time."""


class ReadBack:
    """The segments of one directory, opened when they are needed."""

    def __init__(self, disk: Disk, directory: str) -> None:
        self.disk = disk
        self.directory = directory
        self._files: OrderedDict[int, File] = OrderedDict()
        self._kept: WeakValueDictionary[int, KeptFile] = WeakValueDictionary()
        """Segments that large bodies are read from, open as long as these need them."""

    def read(self, base_lsn: int, lsn: int, size: int) -> bytes:
        """`size` octets of the log from `lsn`, in the segment that begins at `base_lsn`; OSError goes up."""
        return self.disk.read(self._file(base_lsn), size, lsn - base_lsn)

    def expect(self, base_lsn: int, lsn: int, size: int) -> None:
        """These will be read soon."""
        self.disk.expect(self._file(base_lsn), size, lsn - base_lsn)

    def keep(self, base_lsn: int) -> KeptFile:
        """The segment that begins there, for bodies that stand in it: readable even when it has gone."""
        kept = self._kept.get(base_lsn)
        if kept is None:
            kept = KeptFile(self.disk, f"{self.directory}/{segment_name(base_lsn)}")
            self._kept[base_lsn] = kept
        return kept

    def forget(self, base_lsn: int) -> None:
        """The segment goes: an open file would keep its room, which bodies that are still needed may do."""
        kept = self._kept.pop(base_lsn, None)
        if kept is not None:
            kept.hold()
        file = self._files.pop(base_lsn, None)
        if file is not None:
            self.disk.close(file)

    def close(self) -> None:
        """Nothing will be read any more."""
        while self._files:
            self.disk.close(self._files.popitem()[1])

    def _file(self, base_lsn: int) -> File:
        file = self._files.get(base_lsn)
        if file is not None:
            self._files.move_to_end(base_lsn)
            return file
        while len(self._files) >= FILES_MAX:
            self.disk.close(self._files.popitem(last=False)[1])
        file = self._files[base_lsn] = self.disk.open_to_read(f"{self.directory}/{segment_name(base_lsn)}")
        return file
