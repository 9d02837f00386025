"""What need not outlive the process and does not fit memory: files beside the journal that no start reads.

Octets are appended, read again, and given up; a file goes when all that was written to it has been given up.
Nothing is synced. `remove_leftovers` is what a start does with the files of a process that died.
"""

from typing import Final

from mambaamqp.store.disk import Disk, File

PREFIX: Final = "scratch."
FILE_BYTES: Final = 64 * 1024 * 1024
"""A file that is as large gets a successor."""
SPAN: Final = 1 << 40
"""Addresses of a file; none grows so large."""


class Scratch:
    """Files in a store's directory. An address is number of the file × SPAN + offset."""

    def __init__(self, disk: Disk, directory: str) -> None:
        self.disk = disk
        self.directory = directory
        self.file_bytes = FILE_BYTES
        self._files: dict[int, File] = {}
        self._live: dict[int, int] = {}
        """Octets of each file that have not been given up."""
        self._number = 0
        self._end = 0

    def write(self, octets: bytes) -> int:
        """Keep octets; their address. OSError goes up, and nothing was kept then."""
        if self._number not in self._files or self._end >= self.file_bytes:
            self._begin_file()
        at = self._end
        self.disk.write(self._files[self._number], octets, at)
        self._end += len(octets)
        self._live[self._number] += len(octets)
        return self._number * SPAN + at

    def read(self, address: int, size: int) -> bytes:
        """Octets again; OSError goes up."""
        return self.disk.read(self._files[address // SPAN], size, address % SPAN)

    def expect(self, address: int, size: int) -> None:
        """They will be read soon."""
        self.disk.expect(self._files[address // SPAN], size, address % SPAN)

    def release(self, address: int, size: int) -> None:
        """Nobody needs these any more."""
        number = address // SPAN
        self._live[number] -= size
        if not self._live[number] and (number != self._number or self._end >= self.file_bytes):
            self._remove(number)

    def _begin_file(self) -> None:
        full, self._number = self._number, self._number + 1
        self._files[self._number] = self.disk.create(self._path(self._number), 0)
        self._live[self._number] = self._end = 0
        if not self._live.get(full, 1):
            self._remove(full)

    def _remove(self, number: int) -> None:
        self.disk.close(self._files.pop(number))
        del self._live[number]
        self.disk.remove(self._path(number))

    def _path(self, number: int) -> str:
        return f"{self.directory}/{PREFIX}{number}"


def remove_leftovers(disk: Disk, directory: str) -> None:
    """The scratch of an earlier process."""
    for name in disk.list(directory):
        if name.startswith(PREFIX):
            disk.remove(f"{directory}/{name}")
