"""A disk in memory: fast, deterministic, able to fail, and able to lose what was not synced.

`MemoryDisk.crash_states` is what a power cut may leave, after the model that SQLite, LevelDB and TigerBeetle
test with: of the changes to a file since its last sync any prefix survives, or all but one, or only the
last; the last write may be torn at a sector; sectors of it may be missing. Several files lose what they lose
independently. Of the changes to names since the last sync of the directory any may survive.

A failing call fails as an operating system does: a write may have brought some octets first, and after a
failed sync the changes are neither on the disk nor tried again, though reading still shows them.
"""

import errno
import random
from collections.abc import Callable, Iterator
from itertools import islice, pairwise, product

from mambaamqp.store.disk import Disk, File

SECTOR_BYTES = 512
SCRATCH = "/scratch."
COMBINATIONS = 12
"""So many ways in which several files lose something together are tried."""
NAMES_PENDING_MAX = 6

Image = dict[str, bytes]
"""Path → octets: all that there is on a disk."""

Change = tuple[int, bytes | None]
"""(offset, octets) of a write, or (size, None) of a truncation."""


class Handle(File):
    """An open file: what it reads and writes stays, whatever becomes of the name."""

    def __init__(self, path: str, found: "MemoryFile") -> None:
        super().__init__(0, path)
        self.found = found


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
        self.synced = applied(self.synced, self.pending)
        self.pending = []

    def lose(self) -> None:
        """A sync has failed: the changes count as written and never will be."""
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
        self.fail_short = False
        """A write that fails has brought half of its octets first."""
        self.fail_reads = False
        """Reading is an operation too, as far as failures count."""
        self.failed: list[str] = []
        """What has failed so far."""
        self.free = 1 << 40

    def _operation(self, what: str, path: str) -> None:
        self.operations += 1
        self.log.append((what, path.rpartition("/")[2]))
        if self.operations == self.fail_at or (self.fail_for_ever and 0 <= self.fail_at < self.operations):
            self.failed.append(what)
            raise OSError(self.fail_errno, "injected")

    def _reading(self, what: str, path: str) -> None:
        if self.fail_reads:
            self._operation(what, path)

    def _show(self, what: str) -> None:
        if self.before is not None:
            self.before(what)

    def _file(self, file: File) -> MemoryFile:
        assert isinstance(file, Handle)
        return file.found

    def make_directory(self, path: str) -> None:
        pass

    def list(self, path: str) -> list[str]:
        self._reading("list", path)
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
        return Handle(path, found)

    def open(self, path: str) -> File:
        self._reading("open", path)
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, "missing", path)
        return Handle(path, self.files[path])

    def open_to_read(self, path: str) -> File:
        return self.open(path)

    def close(self, file: File) -> None:
        pass

    def size(self, file: File) -> int:
        self._reading("size", file.path)
        return len(self._file(file).data)

    def read(self, file: File, size: int, at: int) -> bytes:
        self._reading("read", file.path)
        return bytes(self._file(file).data[at : at + size])

    def expect(self, file: File, size: int, at: int) -> None:
        assert 0 <= at <= at + size <= self.size(file), "what is to be read is not there"

    def write(self, file: File, data: bytes, at: int) -> None:
        try:
            self._operation("write", file.path)
        except OSError:
            if self.fail_short:
                self._file(file).change((at, bytes(data[: len(data) // 2])))
            raise
        self._file(file).change((at, bytes(data)))
        if SCRATCH in file.path:
            # No start reads it: what a power cut leaves of it makes no other state.
            self._file(file).lose()
        else:
            self._show("write")

    def sync(self, file: File) -> None:
        self._show("sync")
        try:
            self._operation("sync", file.path)
        except OSError:
            self._file(file).lose()
            raise
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

    @classmethod
    def of(cls, image: Image) -> "MemoryDisk":
        """A disk that holds an image, all of it safe."""
        disk = cls()
        disk.files = {path: MemoryFile(data) for path, data in image.items()}
        disk.durable_names = dict(disk.files)
        return disk

    @property
    def image(self) -> Image:
        """What a process finds when the one before was killed."""
        return {path: bytes(found.data) for path, found in self.files.items()}

    def copy(self) -> "MemoryDisk":
        """The same octets, all of them safe."""
        return MemoryDisk.of(self.image)

    def crash_states(self, rng: random.Random) -> "Iterator[MemoryDisk]":
        """Every disk that a power cut at this moment may leave."""
        return map(MemoryDisk.of, self.crash_images(rng))

    def crash_images(self, rng: random.Random) -> Iterator[Image]:
        """As images: all that one file can lose alone, and a choice of what several lose together."""
        for names in self._possible_names():
            safe = {path: found.synced for path, found in names.items()}
            yield safe
            busy = [path for path, found in names.items() if found.pending]
            left = {path: list(names[path].survivors(rng)) for path in busy}
            for path in busy:
                yield from (safe | {path: data} for data in left[path])
            for _ in range(COMBINATIONS if len(busy) > 1 else 0):
                yield safe | {path: rng.choice(left[path]) for path in busy}

    def _possible_names(self) -> Iterator[dict[str, MemoryFile]]:
        """The directory with any of its pending changes, all of them and none of them first."""
        changes = self.pending_names[-NAMES_PENDING_MAX:]
        for chosen in sorted(product((True, False), repeat=len(changes)), key=lambda kept: len(set(kept))):
            names = dict(self.durable_names)
            for (path, found), kept in zip(changes, chosen, strict=True):
                if kept and found is None:
                    names.pop(path, None)
                elif kept and found is not None:
                    names[path] = found
            yield names

    def crash(self, rng: random.Random) -> "MemoryDisk":
        """One of the disks that a power cut at this moment may leave."""
        return MemoryDisk.of(rng.choice(list(islice(self.crash_images(rng), 200))))
