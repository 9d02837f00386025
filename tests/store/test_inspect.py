"""mambaamqp/store/inspect.py: a look at a store that leaves no trace."""

import pytest

from mambaamqp.errors import StoreError
from mambaamqp.store import records
from mambaamqp.store.inspect import RECORD_NAMES, check
from mambaamqp.store.log_format import EPOCH_BYTES, HEADER_BYTES, segment_name
from tests.store.conftest import DIRECTORY, Store, fact
from tests.support.disk import MemoryDisk

FIRST = f"{DIRECTORY}/{segment_name(0)}"


@pytest.fixture
def store(disk: MemoryDisk) -> Store:
    """Two commits, and a queue."""
    store = Store(disk)
    store.journal.append(records.queue_declare(1, "/", "q", False, b"", 1))
    store.put(1, 2)
    store.put(3)
    return store


def test_a_healthy_store(store: Store, disk: MemoryDisk) -> None:
    """What stands in it, counted; nothing is written, created or locked."""
    operations = disk.operations
    report = check(DIRECTORY, disk)
    assert report.healthy
    assert report.records == {"queue declare": 1, "publish": 3}
    assert (report.segments, report.frames, report.end_lsn) == (1, 3, store.journal.position)
    assert not report.clean_stop
    assert list(report.lines())[-1] == "healthy"
    assert (disk.operations, list(disk.files)) == (operations, [FIRST])


def test_a_clean_stop_is_told(store: Store, disk: MemoryDisk) -> None:
    """As the next start will see it."""
    store.close()
    report = check(DIRECTORY, disk)
    assert report.clean_stop
    assert "stopped in order" in list(report.lines())


def test_a_torn_tail_is_healthy(store: Store, disk: MemoryDisk) -> None:
    """It was never confirmed; the next start cuts it, and this does not."""
    disk.files[FIRST].data[store.journal.position - 1] ^= 1
    before = bytes(disk.files[FIRST].data)
    report = check(DIRECTORY, disk)
    assert (report.healthy, len(report.torn), report.damage) == (True, 1, [])
    assert any("torn tail" in line for line in report.lines())
    assert bytes(disk.files[FIRST].data) == before


def test_damage_is_not_healthy(store: Store, disk: MemoryDisk) -> None:
    """File, offset and positions are named."""
    disk.files[FIRST].data[EPOCH_BYTES + HEADER_BYTES] ^= 1
    report = check(DIRECTORY, disk)
    (finding,) = report.damage
    assert (finding.file, finding.start, report.healthy) == (FIRST, EPOCH_BYTES, False)
    assert list(report.lines())[-1] == "NOT HEALTHY"


def test_a_missing_beginning_is_not_healthy(store: Store, disk: MemoryDisk) -> None:
    """Without a checkpoint nobody knows what was declared there."""
    Store(disk).put(4)
    del disk.files[FIRST]
    report = check(DIRECTORY, disk)
    assert not report.healthy
    assert "no checkpoint" in report.problems[0]


def test_a_checkpoint_is_named(store: Store, disk: MemoryDisk) -> None:
    """And its records are not counted: they say again what has been said."""
    store.journal.begin_checkpoint()
    store.journal.append(records.queue_declare(1, "/", "q", False, b"", 4))
    store.journal.end_checkpoint()
    store.commit()
    report = check(DIRECTORY, disk)
    assert report.checkpoint_lsn == store.journal.segment.base_lsn
    assert report.records["queue declare"] == 1
    assert any("checkpoint" in line for line in report.lines())


def test_what_keeps_a_broker_from_starting_is_a_problem(store: Store, disk: MemoryDisk) -> None:
    """A record of a newer version is reported, and the other segments are read all the same."""
    store.journal.append(bytes((99, 0, 0, 1, 1)))
    store.commit()
    data = disk.files[FIRST].data
    del data[store.journal.position :]
    report = check(DIRECTORY, disk)
    assert not report.healthy
    assert "99" in report.problems[0]


def test_no_store_is_an_error(disk: MemoryDisk) -> None:
    """An empty directory is more likely a wrong path."""
    with pytest.raises(StoreError, match="no store"):
        check(DIRECTORY, disk)


def test_every_type_of_record_has_a_name() -> None:
    """A new record is a new row."""
    types = {
        value
        for name, value in vars(records).items()
        if name.isupper() and isinstance(value, int) and 1 <= value <= 13
    }
    assert types <= set(RECORD_NAMES)


def test_a_lost_body_is_told(store: Store, disk: MemoryDisk) -> None:
    """It was damaged when it was moved, which nothing in the log around it shows."""
    header = b"\x02\0\1\0\0\0\x01h\xce"
    for pieces in records.publish_many(
        False, 0, [records.Target(1, 9, 0, False)], b"\0\0", [header, bytes(2 << 20)]
    ):
        store.journal.append_pieces(pieces)
    store.commit()
    (problem,) = check(DIRECTORY, disk).problems
    assert "the body of the message at LSN" in problem


def test_chunks_are_counted(store: Store, disk: MemoryDisk) -> None:
    """Large messages too."""
    header = b"\x02\0\1\0\0\0\x01h\xce"
    content = [header + bytes(records.CHUNK_BYTES - len(header)), bytes(records.CHUNK_BYTES)]
    for pieces in records.publish_many(False, 0, [records.Target(1, 9, 0, False)], b"\0\0", content):
        store.journal.append_pieces(pieces)
    store.journal.append(fact(10))
    store.commit()
    assert check(DIRECTORY, disk).records["chunk"] == 2
