"""mambaamqp/store/body.py: octets that are what they were, or are not handed out."""

from zlib import crc32

import pytest

from mambaamqp.store.body import (
    AHEAD_CHUNKS,
    UNREADABLE,
    BodyDamaged,
    Chunk,
    KeptFile,
    MemoryFile,
    StoredBody,
)
from tests.support.disk import Handle, MemoryDisk

PATH = "/store/file"


@pytest.fixture
def disk() -> MemoryDisk:
    """With a file of a thousand octets."""
    disk = MemoryDisk()
    disk.write(disk.create(PATH, 0), bytes(range(250)) * 4, 0)
    return disk


def chunk_of(file: KeptFile, at: int, size: int) -> Chunk:
    return Chunk(file, at, size, crc32(file.read(size, at)))


def test_what_has_not_changed_is_read(disk: MemoryDisk) -> None:
    """Chunk by chunk, from wherever each stands."""
    file = KeptFile(disk, PATH)
    loose = MemoryFile(b"loose")
    body = StoredBody([chunk_of(file, 10, 20), chunk_of(loose, 0, 5), chunk_of(file, 500, 100)])
    assert body.size == 125
    assert [body.read(place) for place in range(3)] == [
        bytes(range(10, 30)),
        b"loose",
        bytes(range(100)),
    ]


@pytest.mark.parametrize("at", [10, 29])
def test_one_octet_is_enough(disk: MemoryDisk, at: int) -> None:
    """File and place are named."""
    chunk = chunk_of(KeptFile(disk, PATH), 10, 20)
    disk.files[PATH].data[at] ^= 1
    with pytest.raises(BodyDamaged, match=f"{PATH}: what stands from offset 10 to 30 has changed"):
        chunk.read()


def test_what_is_cut_off_has_changed(disk: MemoryDisk) -> None:
    """A file that ends too early gives fewer octets, and no error of its own."""
    chunk = chunk_of(KeptFile(disk, PATH), 990, 10)
    del disk.files[PATH].data[999:]
    with pytest.raises(BodyDamaged):
        chunk.read()


def test_it_is_readable_when_it_has_been_removed(disk: MemoryDisk) -> None:
    """By whoever referred to it before, opened or not."""
    file = KeptFile(disk, PATH)
    body = StoredBody([Chunk(file, 0, 3, crc32(bytes(range(3))))])
    file.hold()
    disk.remove(PATH)
    assert body.read(0) == bytes(range(3))


def test_a_file_is_closed_with_the_last_that_needs_it(disk: MemoryDisk) -> None:
    """And not before."""
    closed: list[str] = []
    disk.close = lambda file: closed.append(file.path)  # type: ignore[method-assign]
    body = StoredBody([chunk_of(KeptFile(disk, PATH), 0, 10)])
    last = body.chunks[0]
    del body
    assert closed == []
    del last
    assert closed == [PATH]


def test_two_threads_open_a_file_once(disk: MemoryDisk) -> None:
    """Whoever comes second closes what it has opened."""
    file, closed = KeptFile(disk, PATH), []
    first = Handle(PATH, disk.files[PATH])
    opening = disk.open_to_read

    def open_meanwhile(path: str) -> object:
        file._opened.setdefault(PATH, first)
        return opening(path)

    disk.open_to_read = open_meanwhile  # type: ignore[method-assign, assignment]
    disk.close = closed.append  # type: ignore[method-assign]
    assert file.read(1, 5) == b"\x05"
    assert file._file() is first
    assert len(closed) == 1


def test_a_body_moves(disk: MemoryDisk) -> None:
    """Who is in the middle of it goes on where it stands now."""
    body = StoredBody([chunk_of(MemoryFile(bytes([number])), 0, 1) for number in range(5)])
    assert body.read(0) == b"\0"
    file = KeptFile(disk, PATH)
    body.move([chunk_of(file, number, 1) for number in range(5)])
    disk.files[PATH].data[4] ^= 1
    assert [body.read(place) for place in range(1, 4)] == [b"\1", b"\2", b"\3"]
    with pytest.raises(BodyDamaged):
        body.read(4)


def test_what_is_lost_is_known_before_it_is_read() -> None:
    """No octets fit the checksum that it has."""
    chunk = Chunk(MemoryFile(b"x"), 0, 1, UNREADABLE)
    assert StoredBody([chunk]).damaged
    assert not StoredBody([chunk_of(MemoryFile(b"x"), 0, 1)]).damaged
    with pytest.raises(BodyDamaged):
        chunk.read()


def test_runs_are_bounded() -> None:
    """At least one chunk, and as many as fit."""
    chunks = [chunk_of(MemoryFile(bytes(size)), 0, size) for size in (5, 5, 20, 1)]
    body = StoredBody(chunks)
    assert body.run_from(0, 10) == (chunks[:2], 10)
    assert body.run_from(1, 10) == (chunks[1:2], 5)
    assert body.run_from(2, 10) == (chunks[2:3], 20)
    assert body.run_from(3, 10) == (chunks[3:], 1)


def test_what_comes_next_is_announced(disk: MemoryDisk) -> None:
    """Some chunks ahead, again when these have been read."""
    announced: list[int] = []
    disk.expect = lambda file, size, at: announced.append(at)  # type: ignore[method-assign]
    file = KeptFile(disk, PATH)
    body = StoredBody([chunk_of(file, at, 1) for at in range(20)])
    for place in range(20):
        body.read(place)
    assert announced == list(range(1, 20))
    assert AHEAD_CHUNKS == 8
