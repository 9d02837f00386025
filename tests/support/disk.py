"""A disk in memory: fast, deterministic, and able to fail or to lose what was not synced."""

import errno
import random

from mambaamqp.store.disk import Disk, File


class MemoryFile:
    """Octets as written, and as they were at the last sync."""

    def __init__(self, size: int = 0) -> None:
        self.data = bytearray(size)
        self.synced = bytes(size)
        self.pending: list[tuple[int, bytes]] = []


class MemoryDisk(Disk):
    """Files by path. `operations` counts every change; number `fail_at` fails."""

    def __init__(self) -> None:
        self.files: dict[str, MemoryFile] = {}
        self.durable_names: dict[str, MemoryFile] = {}
        self.locked: set[str] = set()
        self.operations = 0
        self.fail_at = -1
        self.fail_errno = errno.EIO
        self.fail_for_ever = False

    def _count(self) -> None:
        self.operations += 1
        if self.operations == self.fail_at or (self.fail_for_ever and 0 <= self.fail_at < self.operations):
            raise OSError(self.fail_errno, "injected")

    def _file(self, file: File) -> MemoryFile:
        return self.files[file.path]

    def make_directory(self, path: str) -> None:
        pass

    def list(self, path: str) -> list[str]:
        return sorted(name.removeprefix(path + "/") for name in self.files if name.startswith(path + "/"))

    def create(self, path: str, size: int) -> File:
        self._count()
        if path in self.files:
            raise FileExistsError(path)
        self.files[path] = MemoryFile(size)
        return File(0, path)

    def open(self, path: str) -> File:
        if path not in self.files:
            raise FileNotFoundError(path)
        return File(0, path)

    def open_to_read(self, path: str) -> File:
        return self.open(path)

    def close(self, file: File) -> None:
        self.locked.discard(file.path)

    def size(self, file: File) -> int:
        return len(self._file(file).data)

    def read(self, file: File, size: int, at: int) -> bytes:
        return bytes(self._file(file).data[at : at + size])

    def write(self, file: File, data: bytes, at: int) -> None:
        self._count()
        found = self._file(file)
        if len(found.data) < at + len(data):
            found.data.extend(bytes(at + len(data) - len(found.data)))
        found.data[at : at + len(data)] = data
        found.pending.append((at, bytes(data)))

    def sync(self, file: File) -> None:
        self._count()
        found = self._file(file)
        found.synced = bytes(found.data)
        found.pending.clear()

    def sync_directory(self, path: str) -> None:
        self._count()
        self.durable_names = dict(self.files)

    def truncate(self, file: File, size: int) -> None:
        self._count()
        found = self._file(file)
        del found.data[size:]

    def remove(self, path: str) -> None:
        self._count()
        del self.files[path]

    def free_bytes(self, path: str) -> int:
        return 1 << 40

    def random_octets(self, size: int) -> bytes:
        return b"i" * size

    def lock(self, path: str) -> File:
        self.locked.add(path)
        return File(0, path)

    def crash(self, rng: random.Random) -> "MemoryDisk":
        """The disk after a power cut: synced octets, and of the rest whatever the dice leave.

        Of the writes since a file's last sync a random prefix survives, the last of them torn at a multiple
        of 512 octets; sometimes one in the middle is lost. Names count as of the last directory sync.
        """
        after = MemoryDisk()
        for path, found in self.durable_names.items():
            left = MemoryFile()
            data = bytearray(found.synced)
            kept = found.pending[: rng.randint(0, len(found.pending))]
            if len(kept) > 1 and rng.random() < 0.2:
                del kept[rng.randrange(len(kept) - 1)]
            for place, (at, octets) in enumerate(kept):
                if place == len(kept) - 1 and rng.random() < 0.5:
                    octets = octets[: rng.randint(0, len(octets) // 512) * 512]
                if len(data) < at + len(octets):
                    data.extend(bytes(at + len(octets) - len(data)))
                data[at : at + len(octets)] = octets
            left.data = data
            left.synced = bytes(data)
            after.files[path] = left
        after.durable_names = dict(after.files)
        return after
