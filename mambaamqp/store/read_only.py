"""A disk that is looked at and never changed: recovery finds what it would find, and leaves no trace."""

from typing import Final

from mambaamqp.store.disk import Disk, File

NOTHING: Final = -1
"""The descriptor of a file that is not there: what would have been written goes nowhere."""


class ReadOnlyDisk(Disk):
    """Reads come from another disk; whatever would change it is forgotten. No lock is taken."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def make_directory(self, path: str) -> None:
        self.disk.list(path)  # an OSError when it is not there: nothing is made by looking

    def list(self, path: str) -> list[str]:
        return self.disk.list(path)

    def create(self, path: str, size: int) -> File:
        return File(NOTHING, path)

    def open(self, path: str) -> File:
        return self.disk.open_to_read(path)

    def open_to_read(self, path: str) -> File:
        return self.disk.open_to_read(path)

    def close(self, file: File) -> None:
        if file.fd != NOTHING:
            self.disk.close(file)

    def size(self, file: File) -> int:
        return self.disk.size(file)

    def read(self, file: File, size: int, at: int) -> bytes:
        return self.disk.read(file, size, at)

    def expect(self, file: File, size: int, at: int) -> None:
        self.disk.expect(file, size, at)

    def write(self, file: File, data: bytes, at: int) -> None:
        pass

    def sync(self, file: File) -> None:
        pass

    def sync_directory(self, path: str) -> None:
        pass

    def truncate(self, file: File, size: int) -> None:
        pass

    def remove(self, path: str) -> None:
        pass

    def rename(self, old: str, new: str) -> None:
        pass

    def free_bytes(self, path: str) -> int:
        return self.disk.free_bytes(path)

    def lock(self, path: str) -> File:
        return File(NOTHING, path)

    def random_octets(self, size: int) -> bytes:
        return self.disk.random_octets(size)
