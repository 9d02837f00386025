"""mambaamqp/store/commit.py: the order of calls, and what each failure means."""

import errno

import pytest

from mambaamqp.errors import StoreError
from mambaamqp.store.commit import Commit, DiskFull
from mambaamqp.store.log_format import segment_name
from tests.store.conftest import SEGMENT_BYTES, Store, fact
from tests.support.disk import MemoryDisk

FIRST = segment_name(0)


def sealed(store: Store) -> Commit:
    commit = store.journal.seal()
    assert commit is not None
    return commit


def test_a_commit_is_one_write_and_one_sync(disk: MemoryDisk) -> None:
    """However many frames and records."""
    store = Store(disk)
    store.commit()
    disk.log.clear()
    store.journal.frame_bytes_target = 100
    store.put(*range(10))
    assert disk.log == [("write", FIRST), ("sync", FIRST)]


def test_a_new_segment_is_synced_before_its_name(disk: MemoryDisk) -> None:
    """Create, write, sync, sync the directory."""
    Store(disk).commit()
    assert disk.log == [("create", FIRST), ("write", FIRST), ("sync", FIRST), ("sync_directory", "store")]


def test_without_syncs_only_the_last_segment_is_unsafe(disk: MemoryDisk) -> None:
    """sync = "interval" and "never": no sync for a commit, but one before the next segment is created."""
    store = Store(disk, sync=False)
    store.put(1)
    store.journal.append(fact(2, SEGMENT_BYTES))
    store.commit()
    disk.log.clear()
    store.put(3)
    second = segment_name(store.journal.segment.base_lsn)
    assert disk.log == [
        ("sync", FIRST),
        ("truncate", FIRST),
        ("create", second),
        ("write", second),
        ("sync_directory", "store"),
    ]


@pytest.mark.parametrize("sync", [True, False])
def test_segments_are_removed_last_one_by_one(disk: MemoryDisk, sync: bool) -> None:
    """Oldest first, each gone for good before the next, and all of it after a sync."""
    store = Store(disk, sync=sync)
    store.journal.append(fact(1, SEGMENT_BYTES))
    store.commit()
    store.journal.append(fact(2, SEGMENT_BYTES))
    store.commit()
    second = segment_name(store.journal.segment.base_lsn)
    store.journal.begin_checkpoint()
    store.journal.end_checkpoint()
    store.commit()
    third = segment_name(store.journal.segment.base_lsn)
    store.journal.drop_dead_segments()
    disk.log.clear()
    store.commit()
    assert [entry for entry in disk.log if entry[0] != "sync"] == [
        ("write", third),
        ("remove", FIRST),
        ("sync_directory", "store"),
        ("remove", second),
        ("sync_directory", "store"),
    ]
    assert disk.log.index(("sync", third)) < disk.log.index(("remove", FIRST))
    assert disk.log[disk.log.index(("write", third)) + 1] == ("sync", third)


@pytest.mark.parametrize("what", ["write", "sync"])
@pytest.mark.parametrize("for_ever", [True, False])
def test_a_failure_is_final(disk: MemoryDisk, what: str, for_ever: bool) -> None:
    """After EIO nothing is written any more, even if the disk were well again: the pages may be gone."""
    store = Store(disk)
    store.put(1)
    store.journal.append(fact(2))
    commit = sealed(store)
    disk.fail_at = disk.operations + (1 if what == "write" else 2)
    disk.fail_for_ever = for_ever
    with pytest.raises(StoreError, match="injected"):
        commit.execute(disk)
    disk.fail_at = -1
    operations = disk.operations
    with pytest.raises(StoreError, match="has failed before"):
        commit.execute(disk)
    store.journal.append(fact(3))
    with pytest.raises(StoreError, match="has failed before"):
        sealed(store).execute(disk)
    assert disk.operations == operations
    store.journal.writer.close()
    assert Store(disk.copy()).numbers in ([1], [1, 2])


def test_a_bug_is_final_too(disk: MemoryDisk) -> None:
    """Whatever goes wrong inside, the writer is not to be trusted with more."""
    store = Store(disk)
    commit = sealed(store)
    disk.write = None  # type: ignore[assignment, method-assign]
    with pytest.raises(TypeError):
        commit.execute(disk)
    assert store.journal.writer.poisoned


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_can_be_waited_for(disk: MemoryDisk, number: int) -> None:
    """Nothing was synced and nothing is lost: the same commit is executed again when there is room."""
    store = Store(disk)
    store.put(1)
    store.journal.append(fact(2))
    commit = sealed(store)
    disk.fail_at, disk.fail_errno = disk.operations + 1, number
    with pytest.raises(DiskFull):
        commit.execute(disk)
    commit.execute(disk)
    store.journal.committed(commit)
    store.put(3)
    assert Store(disk.copy()).numbers == [1, 2, 3]


def test_a_segment_that_finds_no_room_can_be_waited_for(disk: MemoryDisk) -> None:
    """Neither the segment before nor what was packed is touched twice."""
    store = Store(disk)
    store.journal.append(fact(1, SEGMENT_BYTES))
    store.commit()
    store.journal.append(fact(2))
    commit = sealed(store)
    disk.fail_errno = errno.ENOSPC
    for after in (2, 1, 2):  # the truncation of the full segment goes before; then create, then write
        disk.fail_at = disk.operations + after
        with pytest.raises(DiskFull):
            commit.execute(disk)
    commit.execute(disk)
    assert Store(disk.copy()).numbers == [1, 2]


def test_no_room_at_a_sync_is_final(disk: MemoryDisk) -> None:
    """ENOSPC from fdatasync is a write that was lost behind our back."""
    store = Store(disk)
    commit = sealed(store)
    disk.fail_at, disk.fail_errno = disk.operations + 3, errno.ENOSPC
    with pytest.raises(StoreError) as caught:
        commit.execute(disk)
    assert not isinstance(caught.value, DiskFull)
    assert store.journal.writer.poisoned


def test_every_single_fault(disk: MemoryDisk) -> None:
    """Each operation of a small life fails once in each way: what was reported durable is always there."""
    for number in (errno.EIO, errno.ENOSPC, errno.EROFS):
        for fail_at in range(1, 40):
            faulty = MemoryDisk()
            faulty.fail_at, faulty.fail_errno = fail_at, number
            durable = live_until_it_fails(faulty)
            faulty.fail_at = -1
            found = Store(faulty.copy()).numbers
            assert found[: len(durable)] == durable
            assert found == list(range(len(found)))


def live_until_it_fails(disk: MemoryDisk) -> list[int]:
    """Eight commits over three segments; the numbers that were reported durable."""
    durable: list[int] = []
    try:
        store = Store(disk)
        for number in range(8):
            store.journal.append(fact(number, SEGMENT_BYTES // 3))
            store.commit()
            durable.append(number)
        store.journal.writer.close()
    except (StoreError, OSError):
        pass
    return durable
