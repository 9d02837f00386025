"""mambaamqp/store/disk.py: the operating system, asked for real in a temporary directory."""

import errno
import os
import stat
from pathlib import Path

import pytest

from mambaamqp.errors import StoreError
from mambaamqp.store import disk as module
from mambaamqp.store.disk import OsDisk
from mambaamqp.store.recovery import open_store
from tests.store.conftest import fact, numbers_of


@pytest.fixture
def disk() -> OsDisk:
    return OsDisk()


def test_a_store_on_a_real_disk(disk: OsDisk, tmp_path: Path) -> None:
    """Everything together: written, read again, in files that only their owner may read."""
    directory = tmp_path / "a" / "data"
    store = open_store(str(directory), disk)
    assert list(store.records()) == []
    journal = store.journal(segment_bytes=1 << 20)
    journal.append(fact(1, 100))
    commit = journal.seal()
    assert commit is not None
    commit.execute(disk)
    (segment,) = directory.glob("*.journal")
    assert segment.stat().st_size == 1 << 20
    store.close()
    again = open_store(str(directory), disk)
    assert numbers_of(list(again.records())) == [1]
    assert segment.stat().st_size == commit.position
    again.close()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_a_second_broker_is_refused_with_the_pid_of_the_first(disk: OsDisk, tmp_path: Path) -> None:
    """And may start when the first one is gone."""
    first = open_store(str(tmp_path), disk)
    with pytest.raises(StoreError, match=rf"in use by another broker \(pid {os.getpid()}\)"):
        open_store(str(tmp_path), disk)
    first.close()
    open_store(str(tmp_path), disk).close()


def test_a_directory_that_cannot_be_made_is_a_store_error(disk: OsDisk, tmp_path: Path) -> None:
    """With a clear word, and the path."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"cannot open the store .*file"):
        open_store(str(tmp_path / "file" / "data"), disk)


def test_reads_and_writes_are_complete(disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take or give less than asked for, and is asked again."""
    pread, pwrite = module._pread, module._pwrite
    monkeypatch.setattr(module, "_pread", lambda fd, size, at: pread(fd, min(size, 3), at))
    monkeypatch.setattr(module, "_pwrite", lambda fd, data, at: pwrite(fd, data[:3], at))
    file = disk.create(str(tmp_path / "f"), 0)
    disk.write(file, b"0123456789", 5)
    assert (disk.read(file, 10, 5), disk.read(file, 100, 12), disk.size(file)) == (
        b"0123456789",
        b"789",
        15,
    )
    disk.close(file)


def test_what_is_created_must_be_new(disk: OsDisk, tmp_path: Path) -> None:
    """Nothing is ever written over."""
    disk.close(disk.create(str(tmp_path / "f"), 0))
    with pytest.raises(FileExistsError):
        disk.create(str(tmp_path / "f"), 0)


def test_a_reservation_that_fails_leaves_nothing(
    disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a reservation would take the last room from acknowledgements."""

    def refuse(fd: int, at: int, size: int) -> None:
        os.ftruncate(fd, size // 2)
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    file = disk.create(str(tmp_path / "f"), 1 << 20)
    assert disk.size(file) == 0
    disk.close(file)


def test_names_and_sizes(disk: OsDisk, tmp_path: Path) -> None:
    """list, truncate, remove, and opening to read only."""
    for name in ("b", "a"):
        file = disk.create(str(tmp_path / name), 0)
        disk.write(file, b"12345", 0)
        disk.truncate(file, 2)
        disk.sync(file)
        disk.close(file)
    disk.sync_directory(str(tmp_path))
    assert disk.list(str(tmp_path)) == ["a", "b"]
    disk.remove(str(tmp_path / "b"))
    assert disk.list(str(tmp_path)) == ["a"]
    file = disk.open_to_read(str(tmp_path / "a"))
    assert disk.read(file, 10, 0) == b"12"
    with pytest.raises(OSError, match="Bad file descriptor"):
        disk.write(file, b"x", 0)
    disk.close(file)


def test_free_bytes_and_identity(disk: OsDisk, tmp_path: Path) -> None:
    """What alarms and new stores ask for."""
    assert disk.free_bytes(str(tmp_path)) > 0
    assert len(disk.random_octets(16)) == 16
    assert disk.random_octets(16) != disk.random_octets(16)
