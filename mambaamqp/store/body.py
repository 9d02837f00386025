"""A body that is too large for memory: the frames of its content in chunks on disk, each with its checksum.

A stored body does not say where it stands for good. It begins in the scratch (`spool`), where it is written
as it comes; once the journal has it for sure, it is read from there, and the scratch is given up. Whoever
refers to a body, or to one of its chunks, can read it: files are held by references, not by counts that
somebody would have to keep, and one that has been removed from its directory is readable until the last of
them goes.

Reading is blocking and goes chunk by chunk, so that nobody ever holds more than one in memory. What is read
is compared with the checksum that was taken when it came in; what has changed is never handed out.
"""

from typing import Final, NamedTuple
from zlib import crc32

from mambaamqp.errors import StoreError
from mambaamqp.store.disk import Disk, File

CHUNK_BYTES: Final = 128 * 1024
"""A chunk is complete with so many octets. It holds whole frames, so it may be larger by one."""
AHEAD_CHUNKS: Final = 8
"""So many are announced to the operating system before they are needed."""
UNREADABLE: Final = -1
"""Instead of a checksum: it is known already that these octets are not what they were."""


class BodyDamaged(StoreError):
    """Octets of a body are not what they were; the text names file and offset."""


class KeptFile:
    """A file that stays readable as long as somebody refers to this object.

    Opened when it is first read, or when it is about to be removed. Two threads may read it: the main one,
    which delivers, and the committer's.
    """

    durable = True
    """What stands here has been safe once: if it has changed, that is the disk's doing, and nobody waits for
    a confirm of it."""

    def __init__(self, disk: Disk, path: str) -> None:
        self.disk = disk
        self.path = path
        self._opened: dict[str, File] = {}

    def read(self, size: int, at: int) -> bytes:
        """Octets; OSError goes up."""
        return self.disk.read(self._file(), size, at)

    def expect(self, size: int, at: int) -> None:
        """They will be read soon."""
        self.disk.expect(self._file(), size, at)

    def hold(self) -> None:
        """Its name is about to go."""
        self._file()

    def _file(self) -> File:
        file = self._opened.get(self.path)
        if file is None:
            opened = self.disk.open_to_read(self.path)
            file = self._opened.setdefault(self.path, opened)
            if file is not opened:
                self.disk.close(opened)  # the other thread was first
        return file

    def __del__(self) -> None:
        for file in self._opened.values():
            self.disk.close(file)


class MemoryFile(KeptFile):
    """Octets that have no place of their own in any file."""

    def __init__(self, octets: bytes) -> None:
        super().__init__(Disk(), "memory")
        self.octets = octets

    def read(self, size: int, at: int) -> bytes:
        return self.octets[at : at + size]

    def expect(self, size: int, at: int) -> None:
        pass


class Chunk(NamedTuple):
    """`size` octets, which are whole frames, at offset `at` of a file."""

    file: KeptFile
    at: int
    size: int
    crc: int

    def read(self) -> bytes:
        """What was written; BodyDamaged if it is not that any more, OSError if it cannot be read."""
        octets = self.file.read(self.size, self.at)
        if len(octets) != self.size or crc32(octets) != self.crc:
            raise BodyDamaged(
                f"{self.file.path}: what stands from offset {self.at} to {self.at + self.size} has changed"
            )
        return octets


class StoredBody:
    """The body frames of one content, shared by all messages that have this body."""

    def __init__(self, chunks: list[Chunk]) -> None:
        self.chunks = chunks
        self.size = sum([chunk.size for chunk in chunks])
        """Octets of all its frames."""
        self.damaged = any(chunk.crc == UNREADABLE for chunk in chunks)
        """It has been found that it is not whole any more: it must not be delivered."""

    def run_from(self, place: int, size_max: int) -> tuple[list[Chunk], int]:
        """Chunks from a place on, of about so many octets together, at least one; and their size."""
        chunks = self.chunks
        end, size = place + 1, chunks[place].size
        while end < len(chunks) and size + chunks[end].size <= size_max:
            size += chunks[end].size
            end += 1
        return chunks[place:end], size

    def read(self, place: int) -> bytes:
        """The frames of the chunk at a place; BodyDamaged, or OSError."""
        chunks = self.chunks
        if place % AHEAD_CHUNKS == 0:
            self._expect(place)
        return chunks[place].read()

    def _expect(self, place: int) -> None:
        """Announce the chunks behind the one that is read now, as far as they stand close together."""
        for chunk in self.chunks[place + 1 : place + 1 + AHEAD_CHUNKS]:
            chunk.file.expect(chunk.size, chunk.at)

    def move(self, chunks: list[Chunk]) -> None:
        """It stands elsewhere too, cut in the same way: read it there from now on."""
        self.chunks = chunks
