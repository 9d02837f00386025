"""The dozen calls that the store makes of the operating system: the port that tests put a fake behind.

Nothing else in the store touches a file. Linux is the reference; where a platform lacks a call (fdatasync,
syncing a directory, preallocation) the nearest one stands in, or none, and `docs/store-format.md` says so.
Any OSError goes up to whoever called.
"""

import os
import shutil
import sys
from typing import Final

from mambaamqp.errors import StoreInUse

try:
    import fcntl
except ImportError:  # not POSIX: the lock is the file's exclusive handle alone
    fcntl = None  # type: ignore[assignment]

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600


class File:
    """An open file: what `Disk` calls take. `fd` means something to the disk that opened it only."""

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self.path = path


class Disk:
    """The port. `create` and `write` need not be durable before `sync`, names not before `sync_directory`."""

    def make_directory(self, path: str) -> None:
        """Have a directory that only its owner may enter."""
        raise NotImplementedError

    def list(self, path: str) -> list[str]:
        """Names in a directory, sorted."""
        raise NotImplementedError

    def create(self, path: str, size: int) -> File:
        """A new file for reading and writing, `size` octets reserved where the platform can."""
        raise NotImplementedError

    def open(self, path: str) -> File:
        """An existing file for reading and writing."""
        raise NotImplementedError

    def open_to_read(self, path: str) -> File:
        """An existing file that is not to be changed."""
        raise NotImplementedError

    def close(self, file: File) -> None:
        raise NotImplementedError

    def size(self, file: File) -> int:
        raise NotImplementedError

    def read(self, file: File, size: int, at: int) -> bytes:
        """At most `size` octets from offset `at`; fewer only at the end of the file."""
        raise NotImplementedError

    def expect(self, file: File, size: int, at: int) -> None:
        """These octets will be read soon; nothing where the platform does not listen."""
        raise NotImplementedError

    def write(self, file: File, data: bytes, at: int) -> None:
        """All of `data` to offset `at`."""
        raise NotImplementedError

    def sync(self, file: File) -> None:
        """Return when what was written is on stable storage."""
        raise NotImplementedError

    def sync_directory(self, path: str) -> None:
        """Return when the names in a directory are on stable storage."""
        raise NotImplementedError

    def truncate(self, file: File, size: int) -> None:
        raise NotImplementedError

    def remove(self, path: str) -> None:
        raise NotImplementedError

    def rename(self, old: str, new: str) -> None:
        """Give a file or directory another name, which nothing has."""
        raise NotImplementedError

    def free_bytes(self, path: str) -> int:
        """What an ordinary user can still write to the file system of `path`."""
        raise NotImplementedError

    def lock(self, path: str) -> File:
        """Take the lock file or raise StoreError naming who holds it."""
        raise NotImplementedError

    def random_octets(self, size: int) -> bytes:
        """Octets that no other store has, for its identity."""
        raise NotImplementedError


class OsDisk(Disk):
    """The operating system."""

    def make_directory(self, path: str) -> None:
        os.makedirs(path, mode=DIRECTORY_MODE, exist_ok=True)

    def list(self, path: str) -> list[str]:
        return sorted(os.listdir(path))

    def create(self, path: str, size: int) -> File:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, FILE_MODE)
        if size and hasattr(os, "posix_fallocate"):
            _reserve(fd, size)
        return File(fd, path)

    def open(self, path: str) -> File:
        return File(os.open(path, os.O_RDWR | _BINARY), path)

    def open_to_read(self, path: str) -> File:
        return File(os.open(path, os.O_RDONLY | _BINARY), path)

    def close(self, file: File) -> None:
        os.close(file.fd)

    def size(self, file: File) -> int:
        return os.fstat(file.fd).st_size

    def read(self, file: File, size: int, at: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            part = _pread(file.fd, size, at)
            if not part:
                break
            parts.append(part)
            size -= len(part)
            at += len(part)
        return b"".join(parts)

    def expect(self, file: File, size: int, at: int) -> None:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fd, at, size, os.POSIX_FADV_WILLNEED)

    def write(self, file: File, data: bytes, at: int) -> None:
        view = memoryview(data)
        while view:
            written = _pwrite(file.fd, view, at)
            view = view[written:]
            at += written

    def sync(self, file: File) -> None:
        _datasync(file.fd)

    def sync_directory(self, path: str) -> None:
        if sys.platform == "win32":
            return
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def truncate(self, file: File, size: int) -> None:
        os.ftruncate(file.fd, size)

    def remove(self, path: str) -> None:
        os.unlink(path)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new)

    def free_bytes(self, path: str) -> int:
        return shutil.disk_usage(path).free

    def random_octets(self, size: int) -> bytes:
        return os.urandom(size)

    def lock(self, path: str) -> File:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, FILE_MODE)
        file = File(fd, path)
        if fcntl is not None:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(fd, 32).decode(errors="replace").strip()
                os.close(fd)
                directory = os.path.dirname(path)
                raise StoreInUse(
                    f"the directory {directory} is in use by another broker (pid {holder or 'unknown'})"
                ) from None
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        return file


_BINARY: Final = getattr(os, "O_BINARY", 0)
_datasync: Final = getattr(os, "fdatasync", os.fsync)


def _reserve(fd: int, size: int) -> None:
    """Room for what will be written, so that a sync need not record where it went.

    Only a reservation: a file system that cannot make it grows the file as it is written. One that ran out of
    room half-way gives back what it took, since acknowledgements must still fit when publishers are blocked.
    """
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError:
        os.ftruncate(fd, 0)


def _pread(fd: int, size: int, at: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, size, at)
    # Windows: one thread at a time uses a file, so seek and read is as good.
    os.lseek(fd, at, os.SEEK_SET)
    return os.read(fd, size)


def _pwrite(fd: int, data: memoryview, at: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(fd, data, at)
    os.lseek(fd, at, os.SEEK_SET)
    return os.write(fd, data)
