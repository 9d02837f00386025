"""A disk in memory: fast, deterministic, able to fail, and able to lose what was not synced.

`MemoryDisk.crash_states` is what a power cut may leave, after the model that SQLite, LevelDB and TigerBeetle
test with: of the changes to a file since its last sync any prefix survives, or all but one, or only the
last; the last write may be torn at a sector; sectors of it may be missing. Of the changes to names since the
last sync of the directory any prefix survives.
"""

import errno
import random
from collections.abc import Callable, Iterator
from itertools import islice, pairwise

from mambaamqp.store.disk import Disk, File

SECTOR_BYTES = 512

Change = tuple[int, bytes | None]
"""(offset, octets) of a write, or (size, None) of a truncation."""


class MemoryFile:
    """Octets as written, as they were at the last sync, and the changes since."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.synced = bytes(data)
        self.pending: list[Change] = []

    def change(self, change: Change) -> None:
        apply(self.data, change)
        self.pending.append(change)

    def sync(self) -> None:
        self.synced = bytes(self.data)
        self.pending = []

    def survivors(self, rng: random.Random) -> Iterator[bytes]:
        """Everything that may be on the disk after a crash, the likely and the awkward first."""
        changes = self.pending
        for kept in range(len(changes) + 1):
            yield applied(self.synced, changes[:kept])
        if changes:
            yield applied(self.synced, changes[-1:])
        for lost in range(len(changes) - 1):
            yield applied(self.synced, [*changes[:lost], *changes[lost + 1 :]])
        for place, (at, octets) in enumerate(changes):
            if octets is not None:
                before = applied(self.synced, changes[:place])
                yield from torn(before, at, octets, rng)


def torn(before: bytes, at: int, octets: bytes, rng: random.Random) -> Iterator[bytes]:
    """A write of which some sectors arrived: the first ones, all but one, or any."""
    cuts = list(range(SECTOR_BYTES - at % SECTOR_BYTES, len(octets), SECTOR_BYTES))
    for cut in [*cuts, len(octets) // 2]:
        yield applied(before, [(at, octets[:cut])])
    edges = [0, *cuts, len(octets)]
    sectors = [(at + start, octets[start:end]) for start, end in pairwise(edges)]
    # The size may have grown although the octets did not arrive.
    grown: Change = (at, bytes(len(octets)))
    for lost in range(len(sectors)):
        yield applied(before, [grown, *sectors[:lost], *sectors[lost + 1 :]])
    for _ in range(min(8, len(sectors))):
        yield applied(before, [grown, *[sector for sector in sectors if rng.random() < 0.5]])


def apply(data: bytearray, change: Change) -> None:
    at, octets = change
    if octets is None:
        del data[at:]
        data.extend(bytes(at - len(data)))
        return
    data.extend(bytes(max(0, at + len(octets) - len(data))))
    data[at : at + len(octets)] = octets


def applied(data: bytes, changes: "list[Change]") -> bytes:
    result = bytearray(data)
    for change in changes:
        apply(result, change)
    return bytes(result)


class MemoryDisk(Disk):
    """Files by path. Every change is an operation: counted, shown to `before`, and number `fail_at` fails."""

    def __init__(self) -> None:
        self.files: dict[str, MemoryFile] = {}
        self.durable_names: dict[str, MemoryFile] = {}
        self.pending_names: list[tuple[str, MemoryFile | None]] = []
        self.operations = 0
        self.log: list[tuple[str, str]] = []
        """(operation, name of the file) in order."""
        self.before: Callable[[str], None] | None = None
        """Called before each operation takes effect on stable storage."""
        self.fail_at = -1
        self.fail_errno = errno.EIO
        self.fail_for_ever = False
        self.free = 1 << 40

    def _operation(self, what: str, path: str) -> None:
        self.operations += 1
        self.log.append((what, path.rpartition("/")[2]))
        if self.operations == self.fail_at or (self.fail_for_ever and 0 <= self.fail_at < self.operations):
            raise OSError(self.fail_errno, "injected")

    def _show(self, what: str) -> None:
        if self.before is not None:
            self.before(what)

    def _file(self, file: File) -> MemoryFile:
        return self.files[file.path]

    def make_directory(self, path: str) -> None:
        pass

    def list(self, path: str) -> list[str]:
        return sorted(name.removeprefix(path + "/") for name in self.files if name.startswith(path + "/"))

    def create(self, path: str, size: int) -> File:
        self._operation("create", path)
        if path in self.files:
            raise FileExistsError(errno.EEXIST, "exists", path)
        found = self.files[path] = MemoryFile()
        self.pending_names.append((path, found))
        if size:
            found.change((size, None))
        self._show("create")
        return File(0, path)

    def open(self, path: str) -> File:
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, "missing", path)
        return File(0, path)

    def open_to_read(self, path: str) -> File:
        return self.open(path)

    def close(self, file: File) -> None:
        pass

    def size(self, file: File) -> int:
        return len(self._file(file).data)

    def read(self, file: File, size: int, at: int) -> bytes:
        return bytes(self._file(file).data[at : at + size])

    def write(self, file: File, data: bytes, at: int) -> None:
        self._operation("write", file.path)
        self._file(file).change((at, bytes(data)))
        self._show("write")

    def sync(self, file: File) -> None:
        self._show("sync")
        self._operation("sync", file.path)
        self._file(file).sync()

    def sync_directory(self, path: str) -> None:
        self._show("sync_directory")
        self._operation("sync_directory", path)
        self.durable_names = dict(self.files)
        self.pending_names = []

    def truncate(self, file: File, size: int) -> None:
        self._operation("truncate", file.path)
        self._file(file).change((size, None))
        self._show("truncate")

    def remove(self, path: str) -> None:
        self._operation("remove", path)
        del self.files[path]
        self.pending_names.append((path, None))
        self._show("remove")

    def free_bytes(self, path: str) -> int:
        return self.free

    def random_octets(self, size: int) -> bytes:
        return b"i" * size

    def lock(self, path: str) -> File:
        # A process that died holds no lock, and nobody else is in here.
        return File(0, path)

    # Crashes

    def copy(self) -> "MemoryDisk":
        """The same octets, all of them safe: what a process finds when the one before was killed."""
        after = MemoryDisk()
        for path, found in self.files.items():
            after.files[path] = MemoryFile(bytes(found.data))
        after.durable_names = dict(after.files)
        return after

    def crash_states(self, rng: random.Random) -> "Iterator[MemoryDisk]":
        """Every disk that a power cut at this moment may leave."""
        for kept in range(len(self.pending_names), -1, -1):
            names = dict(self.durable_names)
            for path, found in self.pending_names[:kept]:
                if found is None:
                    names.pop(path, None)
                else:
                    names[path] = found
            busy = [path for path, found in names.items() if found.pending]
            yield self._after(names, {})
            for path in busy:
                for data in names[path].survivors(rng):
                    yield self._after(names, {path: data})

    def _after(self, names: dict[str, MemoryFile], chosen: dict[str, bytes]) -> "MemoryDisk":
        after = MemoryDisk()
        for path, found in names.items():
            after.files[path] = MemoryFile(chosen.get(path, found.synced))
        after.durable_names = dict(after.files)
        return after

    def crash(self, rng: random.Random) -> "MemoryDisk":
        """One of the disks that a power cut at this moment may leave."""
        return rng.choice(list(islice(self.crash_states(rng), 200)))
