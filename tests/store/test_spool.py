"""mambaamqp/store/spool.py: large bodies on their way in, and what is left of them when nobody needs them."""

import errno
import logging

import pytest

from mambaamqp.store.body import StoredBody
from mambaamqp.store.scratch import remove_leftovers
from mambaamqp.store.spool import Arrival, Spool
from tests.support.disk import MemoryDisk

DIRECTORY = "/store"


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


@pytest.fixture
def spool(disk: MemoryDisk) -> Spool:
    """Chunks of ten octets, files of forty."""
    spool = Spool(disk, DIRECTORY)
    spool.chunk_bytes, spool.file_bytes = 10, 40
    return spool


def fill(spool: Spool, count: int, frame: bytes = b"frame") -> Arrival:
    arrival = spool.begin()
    for _ in range(count):
        arrival.add(frame)
    return arrival


def read(body: StoredBody) -> bytes:
    return b"".join([body.read(place) for place in range(len(body.chunks))])


def files(spool: Spool) -> list[str]:
    """What there is when all that nobody needs has been removed."""
    for _ in range(100):
        spool.sweep()
    return [path.rpartition("/")[2] for path in sorted(spool.disk.files)]  # type: ignore[attr-defined]


def test_a_body_is_read_as_it_came(spool: Spool) -> None:
    """In chunks of whole frames, over several files."""
    body = fill(spool, 21).finish()
    assert [chunk.size for chunk in body.chunks] == [10] * 10 + [5]
    assert read(body) == b"frame" * 21
    assert len({chunk.file for chunk in body.chunks}) == 3


def test_a_body_leaves_nothing(spool: Spool) -> None:
    """When nobody refers to it any more; what somebody does is not touched."""
    body = fill(spool, 21).finish()
    chunk = body.chunks[0]
    assert len(files(spool)) == 3
    del body
    assert files(spool) == ["scratch.body.1"]
    assert chunk.read() == b"frame" * 2
    del chunk
    assert files(spool) == []


def test_a_body_that_is_not_completed_leaves_nothing(spool: Spool) -> None:
    """Its publisher has died in the middle."""
    arrival = fill(spool, 21)
    assert len(files(spool)) == 3
    del arrival
    assert files(spool) == []


def test_files_go_one_by_one(spool: Spool, disk: MemoryDisk) -> None:
    """To remove one may take a while."""
    fill(spool, 30).finish()
    assert len(spool.given_up) == 4
    for left in (3, 2, 1, 0, 0):
        spool.sweep()
        assert len(disk.files) == left


def test_small_ones_share_a_file(spool: Spool) -> None:
    """One after the other; not side by side, where the one would keep the file of the other."""
    first, second = fill(spool, 2).finish(), fill(spool, 2).finish()
    assert first.chunks[0].file is second.chunks[0].file
    third, fourth = fill(spool, 2), fill(spool, 2)
    assert third._file is first.chunks[0].file
    assert fourth._file is not third._file
    del first, second
    assert read(third.finish()) == b"frame" * 2


def test_who_does_not_complete_shares_no_more(spool: Spool) -> None:
    """The file goes with what is complete in it."""
    complete = fill(spool, 2).finish()
    fill(spool, 2)
    other = fill(spool, 2).finish()
    assert other.chunks[0].file is not complete.chunks[0].file


def test_very_many_share(spool: Spool, disk: MemoryDisk) -> None:
    """A peer that begins any number of bodies does not open any number of files."""
    spool.files_apart = 2
    spool.file_bytes = 1000
    arrivals = [fill(spool, 2, b"%05d" % number) for number in range(50)]
    assert len(disk.files) == 3
    bodies = [arrival.finish() for arrival in arrivals]
    assert [read(body) for body in bodies] == [b"%05d" % number * 2 for number in range(50)]
    del arrivals, bodies
    assert files(spool) == []
    assert spool._apart == 0


def test_without_room_nothing_is_kept(spool: Spool, disk: MemoryDisk) -> None:
    """The error goes up; what is complete is not touched, and what comes after it is kept."""
    before = fill(spool, 5).finish()
    arrival = fill(spool, 3)
    disk.fail_at, disk.fail_errno, disk.fail_short = disk.operations + 1, errno.ENOSPC, True
    with pytest.raises(OSError, match="injected"):
        arrival.add(b"frame")
    del arrival
    after = fill(spool, 5).finish()
    assert (read(before), read(after)) == (b"frame" * 5, b"frame" * 5)


def test_a_file_that_cannot_be_removed_is_named(
    spool: Spool, disk: MemoryDisk, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no reason for anything else."""
    fill(spool, 2).finish()
    disk.fail_at = disk.operations + 1
    with caplog.at_level(logging.WARNING):
        spool.sweep()
    assert "cannot remove /store/scratch.body.1" in caplog.text


def test_a_start_removes_what_a_dead_process_left(spool: Spool, disk: MemoryDisk) -> None:
    """As any scratch."""
    body = fill(spool, 21).finish()
    remove_leftovers(disk, DIRECTORY)
    assert not disk.files
    assert read(body) == b"frame" * 21
