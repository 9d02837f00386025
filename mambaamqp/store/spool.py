"""Large bodies while they come in, and as long as nothing else holds them: files of scratch.

Theory of operation. A body is written chunk by chunk as its frames arrive (`Arrival`), into a file that no
other body is written to meanwhile, so that bodies which come side by side do not keep each other's files. A
file that is not full goes on to the next body. Nobody counts what lives in a file: it goes when nobody refers
to it any more (`body.KeptFile`), which a publisher that dies in the middle brings about as well as the last
acknowledgement does. To remove a large file takes a while, so that `sweep` does it one by one. No start reads
any of them (`scratch.remove_leftovers`).
"""

import logging
from typing import Final
from weakref import ref
from zlib import crc32

from mambaamqp.store.body import CHUNK_BYTES, Chunk, KeptFile, StoredBody
from mambaamqp.store.disk import Disk, File
from mambaamqp.store.scratch import PREFIX

WHOLE_BYTES_MAX: Final = 1024 * 1024
"""A body up to this size is kept in memory, in one piece."""
FILE_BYTES: Final = 16 * 1024 * 1024
"""A file that is as large gets a successor."""
FILES_APART: Final = 64
"""So many bodies that come at the same time have files of their own; more of them share one."""

log = logging.getLogger("mambaamqp.store")


class SpoolFile(KeptFile):
    """A file of scratch. `end` is where the next chunk goes."""

    durable = False

    def __init__(self, spool: "Spool", file: File) -> None:
        super().__init__(spool.disk, file.path)
        self._opened[file.path] = file
        self._given_up = spool.given_up
        self.end = 0

    def append(self, octets: bytes) -> Chunk:
        """Keep whole frames. OSError goes up, and nothing was kept then."""
        at = self.end
        self.disk.write(self._file(), octets, at)
        self.end = at + len(octets)
        return Chunk(self, at, len(octets), crc32(octets))

    def __del__(self) -> None:
        # Whoever lets go of it last may be in any thread, and in the middle of anything.
        self._given_up.extend(self._opened.values())


class Spool:
    """The large bodies of one store that are not in its journal."""

    def __init__(self, disk: Disk, directory: str) -> None:
        self.disk = disk
        self.directory = directory
        self.whole_bytes_max = WHOLE_BYTES_MAX
        self.chunk_bytes = CHUNK_BYTES
        self.file_bytes = FILE_BYTES
        self.files_apart = FILES_APART
        self.given_up: list[File] = []
        """Nobody refers to them any more."""
        self._number = 0
        self._apart = 0
        """Files that are being written to by one body alone."""
        self._spare: ref[SpoolFile] | None = None
        """Has room for another body, if it is still there."""
        self._shared: ref[SpoolFile] | None = None

    def begin(self) -> "Arrival":
        """A body is about to come."""
        return Arrival(self)

    def sweep(self) -> None:
        """Remove a file that nobody needs, if there is one."""
        if self.given_up:
            file = self.given_up.pop()
            try:
                self.disk.close(file)
                self.disk.remove(file.path)
            except OSError as failure:
                log.warning("cannot remove %s: %s", file.path, failure)

    def take_file(self) -> tuple[SpoolFile, bool]:
        """A file to write to, and whether nobody else does meanwhile: that is to be given back."""
        if self._apart >= self.files_apart:
            return self._take_shared(), False
        spare = self._spare() if self._spare is not None else None
        self._spare = None
        found = self._create() if spare is None else spare
        self._apart += 1
        return found, True

    def give_back(self, file: SpoolFile, complete: bool) -> None:
        """Its body is complete, or will never be, or the file is full."""
        self._apart -= 1
        if complete and file.end < self.file_bytes:
            self._spare = ref(file)

    def _take_shared(self) -> SpoolFile:
        shared = self._shared() if self._shared is not None else None
        if shared is None or shared.end >= self.file_bytes:
            shared = self._create()
            self._shared = ref(shared)
        return shared

    def _create(self) -> SpoolFile:
        self._number += 1
        return SpoolFile(self, self.disk.create(f"{self.directory}/{PREFIX}body.{self._number}", 0))


class Arrival:
    """One body on its way in."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._chunks: list[Chunk] = []
        self._frames: list[bytes] = []
        self._size = 0
        """Of the frames that are not written yet."""
        self._file: SpoolFile | None = None
        self._apart = False

    def add(self, frame: bytes) -> None:
        """The next whole frame; OSError goes up, and the body is worth nothing then."""
        self._frames.append(frame)
        self._size += len(frame)
        if self._size >= self._spool.chunk_bytes:
            self._write()

    def finish(self) -> StoredBody:
        """All of it has come; OSError as for `add`."""
        if self._frames:
            self._write()
        self._let_go(complete=True)
        return StoredBody(self._chunks)

    def __del__(self) -> None:
        self._let_go(complete=False)

    def _write(self) -> None:
        octets = self._frames[0] if len(self._frames) == 1 else b"".join(self._frames)
        self._frames, self._size = [], 0
        if self._file is not None and self._file.end >= self._spool.file_bytes:
            self._let_go(complete=True)
        if self._file is None:
            self._file, self._apart = self._spool.take_file()
        self._chunks.append(self._file.append(octets))

    def _let_go(self, *, complete: bool) -> None:
        file, self._file = self._file, None
        if file is not None and self._apart:
            self._spool.give_back(file, complete)
