"""mambaamqp/store/read_back.py: committed records are read again, with few files open."""

import pytest

from mambaamqp.store.log_format import segment_name
from mambaamqp.store.read_back import FILES_MAX, ReadBack
from mambaamqp.store.recovery import segment_bases
from tests.store.conftest import DIRECTORY, Store, fact
from tests.support.disk import MemoryDisk


def test_a_record_is_read_where_it_stands(disk: MemoryDisk) -> None:
    """By its LSN, as soon as it is committed."""
    store = Store(disk)
    store.put(1)
    store.journal.append(fact(2))
    lsn = store.journal.record_lsn
    store.commit()
    segment = store.journal.segment_of(lsn)
    assert segment is store.journal.segment
    store.journal.expect(lsn, 1000)
    assert store.journal.read(segment, lsn, len(fact(2))) == fact(2)


def test_a_segment_that_is_gone_is_nowhere(disk: MemoryDisk) -> None:
    """Before the oldest one there is nothing."""
    store = Store(disk)
    assert store.journal.segment_of(-1) is None


def test_few_files_are_open(disk: MemoryDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was used longest ago is closed for another; one that is forgotten at once."""
    for number in range(FILES_MAX + 3):
        disk.close(disk.create(f"{DIRECTORY}/{segment_name(number)}", 0))
    closed: list[str] = []
    monkeypatch.setattr(disk, "close", lambda file: closed.append(file.path))
    reading = ReadBack(disk, DIRECTORY)
    for base in segment_bases(disk, DIRECTORY):
        reading.read(base, base, 0)
        reading.read(0, 0, 0)
    assert closed == [f"{DIRECTORY}/{segment_name(number)}" for number in (1, 2, 3)]
    reading.forget(0)
    reading.forget(1)
    assert closed[3:] == [f"{DIRECTORY}/{segment_name(0)}"]
    reading.close()
    assert len(closed) == FILES_MAX + 3
