"""mambaamqp/store/scratch.py: octets that are kept as long as somebody needs them, and no longer."""

import errno

import pytest

from mambaamqp.store.recovery import open_store
from mambaamqp.store.scratch import Scratch, remove_leftovers
from tests.store.conftest import DIRECTORY, Store
from tests.support.disk import MemoryDisk


@pytest.fixture
def scratch(disk: MemoryDisk) -> Scratch:
    """With files of ten octets."""
    made = Scratch(disk, DIRECTORY)
    made.file_bytes = 10
    return made


def files(disk: MemoryDisk) -> list[str]:
    return [path.rpartition("/")[2] for path in sorted(disk.files)]


def test_what_is_written_is_read_again(scratch: Scratch, disk: MemoryDisk) -> None:
    """Over several files; without anything being synced, and nothing before it is needed."""
    assert files(disk) == []
    places = [(scratch.write(b"%d" % number * 6), number) for number in range(5)]
    assert files(disk) == ["scratch.1", "scratch.2", "scratch.3"]
    for place, number in places:
        scratch.expect(place, 6)
        assert scratch.read(place, 6) == b"%d" % number * 6
    assert not [name for operation, name in disk.log if operation == "sync"]


def test_a_file_goes_with_its_last_octets(scratch: Scratch, disk: MemoryDisk) -> None:
    """In whatever order they are given up; the one that is written to stays."""
    places = [scratch.write(bytes(6)) for _ in range(5)]
    scratch.release(places[1], 6)
    assert "scratch.1" in files(disk)
    scratch.release(places[0], 6)
    assert files(disk) == ["scratch.2", "scratch.3"]
    scratch.release(places[4], 6)
    assert files(disk) == ["scratch.2", "scratch.3"]
    assert scratch.read(scratch.write(b"again!"), 6) == b"again!"


def test_a_full_file_that_nobody_needs_goes_at_once(scratch: Scratch, disk: MemoryDisk) -> None:
    """The next write begins another."""
    scratch.release(scratch.write(bytes(12)), 12)
    assert files(disk) == []
    assert scratch.read(scratch.write(b"x"), 1) == b"x"
    assert files(disk) == ["scratch.2"]


def test_what_could_not_be_written_was_not_kept(scratch: Scratch, disk: MemoryDisk) -> None:
    """And what comes after it is."""
    scratch.write(b"before")
    disk.fail_at, disk.fail_errno, disk.fail_short = disk.operations + 1, errno.ENOSPC, True
    with pytest.raises(OSError, match="injected"):
        scratch.write(b"lost")
    assert scratch.read(scratch.write(b"after"), 5) == b"after"


def test_a_start_removes_what_a_dead_process_left(scratch: Scratch, disk: MemoryDisk) -> None:
    """And nothing else."""
    store = Store(disk)
    store.put(1)
    before = files(disk)
    scratch.write(b"left")
    assert files(disk) != before
    again = open_store(DIRECTORY, disk)
    assert len(list(again.records())) == 1
    assert files(disk) == before
    remove_leftovers(disk, DIRECTORY)
    assert files(disk) == before
