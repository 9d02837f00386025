"""mambaamqp/store/read_only.py: recovery over it finds everything and changes nothing."""

import pytest

from mambaamqp.store.read_only import ReadOnlyDisk
from mambaamqp.store.recovery import open_store
from tests.store.conftest import DIRECTORY, Store, numbers_of
from tests.support.disk import MemoryDisk


@pytest.fixture
def store(disk: MemoryDisk) -> Store:
    """Three records, and the last frame is torn."""
    store = Store(disk)
    store.put(1, 2)
    store.put(3)
    return store


def test_recovery_leaves_no_trace(store: Store, disk: MemoryDisk) -> None:
    """A torn tail is found and neither cut nor put aside; no lock is taken."""
    (path,) = disk.files
    disk.files[path].data[store.journal.position - 1] ^= 1
    before, operations = disk.image, disk.operations
    recovered = open_store(DIRECTORY, ReadOnlyDisk(disk))
    assert numbers_of(list(recovered.records())) == [1, 2]
    recovered.close()
    assert [finding.torn for finding in recovered.findings] == [True]
    assert (disk.image, disk.operations) == (before, operations)


def test_what_is_written_goes_nowhere(disk: MemoryDisk) -> None:
    """Whatever call would change the disk."""
    looking = ReadOnlyDisk(disk)
    file = looking.create("/store/x", 10)
    looking.write(file, b"x", 0)
    looking.sync(file)
    looking.truncate(file, 0)
    looking.sync_directory("/store")
    looking.close(file)
    looking.rename("/store/x", "/store/y")
    looking.remove("/store/y")
    assert (disk.operations, looking.list("/store")) == (0, disk.list("/store"))
    assert looking.free_bytes("/store") == disk.free_bytes("/store")
