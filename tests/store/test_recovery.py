"""mambaamqp/store/recovery.py: what a start finds after a stop, a crash, and damage."""

import errno
import random
from zlib import crc32

import pytest

from mambaamqp.errors import StoreError
from mambaamqp.store import records
from mambaamqp.store.log_format import EPOCH_BYTES, HEADER_BYTES, segment_name
from tests.store.conftest import DIRECTORY, SEGMENT_BYTES, Store, fact
from tests.support.disk import MemoryDisk, MemoryFile

FIRST = f"{DIRECTORY}/{segment_name(0)}"


def segments(disk: MemoryDisk) -> list[str]:
    """Names of the segment files, oldest first."""
    return [name for name in disk.list(DIRECTORY) if name.endswith(".journal")]


def aside(disk: MemoryDisk) -> list[str]:
    """Names of what was put aside."""
    return [name for name in disk.list(DIRECTORY) if name.endswith((".torn", ".damaged"))]


def flip(disk: MemoryDisk, path: str, at: int, bit: int = 0) -> None:
    """One bit of stable storage turns over."""
    disk.files[path].data[at] ^= 1 << bit
    disk.files[path].sync()


def test_an_empty_directory_is_an_empty_store(disk: MemoryDisk) -> None:
    """The first start finds nothing, warns of nothing, and begins at position 0."""
    store = Store(disk)
    assert (store.found, store.recovered.warnings, store.recovered.clean_stop) == ([], [], False)
    assert store.journal.segments[0].base_lsn == 0


def test_what_was_committed_is_found(disk: MemoryDisk) -> None:
    """Records come back in order, with the positions and segments that the journal gave them."""
    store = Store(disk)
    places = []
    for number in range(3):
        store.journal.append(fact(number))
        places.append((store.journal.record_lsn, store.journal.segment.base_lsn))
    store.commit()
    again = Store(disk.copy())
    assert again.numbers == [0, 1, 2]
    assert [(lsn, segment.base_lsn) for lsn, segment, _ in again.found] == places


def test_a_clean_stop_is_told(disk: MemoryDisk) -> None:
    """CLEAN_STOP as the last record; anything behind it takes the word back."""
    store = Store(disk)
    store.put(1)
    store.close()
    again = Store(disk.copy())
    assert again.recovered.clean_stop
    assert isinstance(again.found[-1][2], records.CleanStop)
    again.put(2)
    third = Store(again.disk.copy())
    assert (third.recovered.clean_stop, third.numbers) == (False, [1, 2])


def test_every_start_begins_a_segment(disk: MemoryDisk) -> None:
    """Nothing is appended to a file that an earlier process wrote."""
    store = Store(disk)
    store.put(1)
    again = Store(disk.copy())
    again.put(2)
    assert segments(again.disk) == [segment_name(0), segment_name(store.journal.position)]
    assert Store(again.disk.copy()).numbers == [1, 2]


def test_a_reservation_is_not_damage(disk: MemoryDisk) -> None:
    """Zeros behind the data are cut off without a word."""
    store = Store(disk)
    store.put(1)
    assert len(disk.files[FIRST].data) == SEGMENT_BYTES
    again = Store(disk.copy())
    assert again.recovered.warnings == []
    assert len(again.disk.files[FIRST].data) == store.journal.position


@pytest.mark.parametrize("size", [0, 1, SEGMENT_BYTES])
def test_a_segment_that_was_only_created_is_begun_again(disk: MemoryDisk, size: int) -> None:
    """A crash between creating a segment and writing to it is not an obstacle."""
    store = Store(disk)
    store.put(1)
    after = disk.copy()
    name = f"{DIRECTORY}/{segment_name(store.journal.position)}"
    after.files[name] = MemoryFile(bytes(size))
    again = Store(after)
    assert (again.numbers, again.recovered.warnings) == ([1], [])
    again.put(2)
    assert Store(after.copy()).numbers == [1, 2]


def test_what_was_read_is_synced_before_the_journal_goes_on(disk: MemoryDisk) -> None:
    """What a killed process wrote may stand in memory only; the next process builds on it."""
    store = Store(disk, sync=False)
    store.put(1)
    assert disk.files[FIRST].pending
    again = Store(disk)
    assert again.numbers == [1]
    assert (disk.files[FIRST].pending, disk.pending_names) == ([], [])


# Torn tails


def torn_disk(disk: MemoryDisk) -> int:
    """A disk whose last commit arrived in part; the offset at which it begins."""
    store = Store(disk)
    store.put(1)
    start = store.journal.position
    store.put(2)
    flip(disk, FIRST, store.journal.position - 1)
    return start


def test_a_torn_tail_is_cut_after_a_copy_is_put_aside(disk: MemoryDisk) -> None:
    """The copy is synced before the cut, and the cut before the journal goes on."""
    start = torn_disk(disk)
    disk.log.clear()
    torn = bytes(disk.files[FIRST].data[start:]).rstrip(b"\0")
    again = Store(disk)
    assert again.numbers == [1]
    assert len(disk.files[FIRST].data) == start
    (name,) = aside(disk)
    assert bytes(disk.files[f"{DIRECTORY}/{name}"].data) == torn
    assert disk.log == [
        ("create", name),
        ("write", name),
        ("sync", name),
        ("sync_directory", "store"),
        ("truncate", segment_name(0)),
        ("sync", segment_name(0)),
        ("sync_directory", "store"),
    ]


def test_a_torn_tail_is_reported(disk: MemoryDisk) -> None:
    """File, offset and positions, in words and as a finding."""
    start = torn_disk(disk)
    again = Store(disk)
    (finding,) = again.recovered.findings
    assert (finding.file, finding.start, finding.lsn, finding.torn) == (FIRST, start, start, True)
    assert f"torn tail from offset {start}" in again.recovered.warnings[0]


def test_a_torn_tail_is_no_damage(disk: MemoryDisk) -> None:
    """It is what a power cut leaves: on_corruption = "refuse" starts all the same."""
    torn_disk(disk)
    assert Store(disk, on_corruption="refuse").numbers == [1]


def test_a_whole_frame_behind_a_torn_one_of_the_same_commit_does_not_count(disk: MemoryDisk) -> None:
    """Disks write sectors in any order: what was never synced must not leave a hole in the log."""
    store = Store(disk)
    store.journal.frame_bytes_target = 1
    store.put(1)
    start = store.journal.position
    store.put(2, 3, 4)
    flip(disk, FIRST, start + 5)
    assert Store(disk).numbers == [1]


def test_the_same_hole_in_front_of_a_later_commit_is_damage(disk: MemoryDisk) -> None:
    """The later commit says that everything before it was safe, so somebody was told so."""
    store = Store(disk)
    store.journal.frame_bytes_target = 1
    store.put(1)
    start = store.journal.position
    store.put(2, 3, 4)
    store.put(5)
    flip(disk, FIRST, start + 5)
    again = Store(disk)
    assert again.numbers == [1, 3, 4, 5]
    assert not again.recovered.findings[0].torn


def test_without_syncs_a_hole_is_a_torn_tail(disk: MemoryDisk) -> None:
    """sync = "never": nothing says that it was safe, so the log ends where it cannot be read."""
    store = Store(disk, sync=False)
    for number in range(1, 5):
        store.put(number)
    flip(disk, FIRST, EPOCH_BYTES + HEADER_BYTES + 5)
    assert Store(disk).numbers == []


def test_an_unfinished_run_is_cut_whole(disk: MemoryDisk) -> None:
    """A transaction of many frames without its last one leaves nothing, now or after the next start."""
    store = Store(disk)
    store.journal.frame_bytes_target = 100
    store.put(1)
    start = store.journal.position
    store.journal.begin_atom()
    for number in range(2, 8):
        store.journal.append(fact(number))
    store.journal.end_atom()
    store.commit()
    end = store.journal.position
    disk.files[FIRST].data[end - 80 :] = bytes(80)
    again = Store(disk)
    assert again.numbers == [1]
    assert len(disk.files[FIRST].data) == start
    again.put(8)
    assert Store(disk.copy()).numbers == [1, 8]


# Damage


def damaged_disk(disk: MemoryDisk) -> int:
    """A disk with a flipped bit in the body of the second of four commits; where that commit begins."""
    store = Store(disk)
    store.put(1)
    start = store.journal.position
    for number in (2, 3, 4):
        store.put(number)
    flip(disk, FIRST, start + HEADER_BYTES + 20)
    return start


def test_damage_is_quarantined_and_the_rest_served(disk: MemoryDisk) -> None:
    """One bad octet takes its frame and nothing else; a copy is kept and the segment left as it is."""
    start = damaged_disk(disk)
    again = Store(disk)
    assert again.numbers == [1, 3, 4]
    (finding,) = again.recovered.findings
    assert (finding.start, finding.torn) == (start, False)
    (name,) = aside(disk)
    copied = bytes(disk.files[f"{DIRECTORY}/{name}"].data)
    assert copied == bytes(disk.files[FIRST].data[finding.start : finding.end])


def test_damage_can_be_refused(disk: MemoryDisk) -> None:
    """on_corruption = "refuse": no start, and the text says where."""
    start = damaged_disk(disk)
    with pytest.raises(StoreError, match=f"damage from offset {start}"):
        Store(disk, on_corruption="refuse")
    assert aside(disk) == []


def test_damage_is_found_again_at_every_start(disk: MemoryDisk) -> None:
    """It is reported as long as it is there, and put aside once."""
    damaged_disk(disk)
    Store(disk).put(5)
    again = Store(disk)
    assert again.numbers == [1, 3, 4, 5]
    assert len(again.recovered.findings) == 1
    assert len(aside(disk)) == 1


def test_a_clean_stop_behind_damage_does_not_count(disk: MemoryDisk) -> None:
    """What is lost may have been settlements: what they settled may have been delivered before."""
    store = Store(disk)
    store.put(1)
    store.put(2)
    store.close()
    flip(disk, FIRST, EPOCH_BYTES + 40)
    again = Store(disk)
    assert (again.numbers, again.recovered.clean_stop) == ([2], False)
    assert not any(isinstance(record, records.CleanStop) for _, _, record in again.found)


def test_a_missing_segment_is_damage(disk: MemoryDisk) -> None:
    """A file that is gone is reported with the positions that are gone with it."""
    for number in (1, 2, 3):
        Store(disk).put(number)
    names = segments(disk)
    del disk.files[f"{DIRECTORY}/{names[1]}"]
    again = Store(disk)
    assert again.numbers == [1, 3]
    assert len(again.recovered.findings) == 1
    with pytest.raises(StoreError):
        Store(disk, on_corruption="refuse")


def test_a_missing_beginning_is_damage(disk: MemoryDisk) -> None:
    """A log that begins behind 0 needs a checkpoint that says what was before."""
    for number in (1, 2, 3):
        Store(disk).put(number)
    del disk.files[FIRST]
    again = Store(disk)
    assert again.numbers == [2, 3]
    assert "no checkpoint" in again.recovered.warnings[0]


def test_a_copied_old_segment_is_not_read(disk: MemoryDisk) -> None:
    """A segment under another's name stands where it does not say it stands."""
    store = Store(disk)
    store.put(1)
    copied = MemoryFile(bytes(disk.files[FIRST].data))
    disk.files[f"{DIRECTORY}/{segment_name(store.journal.position)}"] = copied
    assert Store(disk).numbers == [1]


def test_a_segment_of_another_store_is_refused(disk: MemoryDisk) -> None:
    """Files that were mixed up are the operator's to sort out, and are left as they are."""
    store = Store(disk)
    store.put(1)
    other = MemoryDisk()
    other.random_octets = lambda size: b"j" * size  # type: ignore[method-assign]
    Store(other).put(1)
    Store(other).put(2)
    name = segment_name(store.journal.position)
    disk.files[f"{DIRECTORY}/{name}"] = other.files[f"{DIRECTORY}/{name}"]
    with pytest.raises(StoreError, match="mixed"):
        Store(disk)


def test_a_message_that_looks_like_the_journal_is_not_believed(disk: MemoryDisk) -> None:
    """Frames inside of a message are its publisher's invention, however well they are made."""
    ghost = Store(MemoryDisk())
    ghost.put(66)
    frames = bytes(ghost.disk.files[FIRST].data[EPOCH_BYTES : ghost.journal.position])
    store = Store(disk)
    store.put(1)
    start = store.journal.position
    body_at = start + HEADER_BYTES
    record = records.publish_one(False, 0, 1, 2, 0, False, b"\0\1q", b"")
    at = body_at + len(record)
    forged = bytearray(frames)
    forged[8:16] = at.to_bytes(8, "big")
    forged[:4] = crc32(forged[4:]).to_bytes(4, "big")
    store.journal.append(records.publish_one(False, 0, 1, 2, 0, False, b"\0\1q", bytes(forged) + b"\xce" * 9))
    store.commit()
    store.put(3)
    flip(disk, FIRST, start + 2)
    assert Store(disk.copy()).numbers == [1, 3]
    flip(disk, FIRST, start + 6)
    assert Store(disk.copy()).numbers == [1, 3]


# Refusals


def test_a_newer_format_is_refused(disk: MemoryDisk) -> None:
    """A record type that nobody knows here is no damage: the checksum says that it was meant."""
    store = Store(disk)
    store.journal.append(bytes((99, 0, 0, 1, 1)))
    store.commit()
    with pytest.raises(StoreError, match="99"):
        Store(disk)


def test_a_disk_that_cannot_be_read_is_a_store_error(disk: MemoryDisk) -> None:
    """An OSError says what failed, and for which store."""
    torn_disk(disk)
    disk.fail_at = disk.operations + 1
    with pytest.raises(StoreError, match=f"{DIRECTORY}.*injected"):
        Store(disk)


# Checkpoints


def topology(queue_id: int) -> bytes:
    return records.queue_declare(queue_id, "/", f"q{queue_id}", False, b"", 1)


def checkpointed(disk: MemoryDisk) -> Store:
    """Queue 1 was declared in a segment that is gone; its message 7 stands before the checkpoint."""
    store = Store(disk)
    store.journal.append(topology(1))
    store.commit()
    store = Store(disk)
    store.journal.append(topology(2))
    store.journal.append(records.queue_delete(2))
    store.put(7)
    store.journal.segment.live = 1
    assert store.journal.wants_checkpoint()
    store.journal.begin_checkpoint()
    store.journal.append(topology(1))
    store.journal.end_checkpoint()
    store.commit()
    assert store.journal.drop_dead_segments() == 1
    store.commit()
    return store


def test_a_checkpoint_comes_before_what_it_explains(disk: MemoryDisk) -> None:
    """The queue first, then its older message; what older segments say of topology is not said again."""
    checkpointed(disk)
    again = Store(disk.copy())
    assert [type(record).__name__ for _, _, record in again.found] == ["QueueDeclare", "Publish"]
    assert again.found[0][2].name == "q1"
    assert (again.numbers, again.recovered.warnings) == ([7], [])


def test_topology_after_a_checkpoint_counts(disk: MemoryDisk) -> None:
    """What is declared or deleted later is replayed as always."""
    store = checkpointed(disk)
    store.journal.append(topology(3))
    store.journal.append(records.queue_delete(1))
    store.put(8)
    names = [type(record).__name__ for _, _, record in Store(disk.copy()).found]
    assert names == ["QueueDeclare", "Publish", "QueueDeclare", "QueueDelete", "Publish"]


def test_a_checkpoint_survives_damage_to_one_copy(disk: MemoryDisk) -> None:
    """It stands there twice, since all older messages depend on it."""
    store = checkpointed(disk)
    path = f"{DIRECTORY}/{segment_name(store.journal.checkpoint_lsn)}"
    for at in range(EPOCH_BYTES, EPOCH_BYTES + HEADER_BYTES + 20):
        damaged = disk.copy()
        flip(damaged, path, at)
        again = Store(damaged)
        assert [type(record).__name__ for _, _, record in again.found] == ["QueueDeclare", "Publish"]
        assert len(again.recovered.findings) == 1


def test_a_restart_knows_the_checkpoint(disk: MemoryDisk) -> None:
    """Segments that precede it may go when their last message does, without another checkpoint."""
    checkpointed(disk)
    again = Store(disk)
    assert (again.journal.wants_checkpoint(), again.journal.drop_dead_segments()) == (False, 1)
    again.commit()
    assert [type(record).__name__ for _, _, record in Store(disk).found] == ["QueueDeclare"]


def test_an_unfinished_checkpoint_does_not_count(disk: MemoryDisk) -> None:
    """The one before it is still there, since nothing is removed before the sync."""
    store = checkpointed(disk)
    store.put(8)
    before = disk.copy()
    store.journal.begin_checkpoint()
    for queue_id in (1, 9):
        store.journal.append(topology(queue_id))
    store.journal.end_checkpoint()
    commit = store.journal.seal()
    assert commit is not None
    disk.fail_at = disk.operations + 3
    disk.fail_errno = errno.EIO
    with pytest.raises(StoreError):
        commit.execute(disk)
    for state in disk.crash_states(random.Random(1)):
        assert Store(state).numbers == [7, 8]
    assert Store(before).numbers == [7, 8]


# Runs


def run_disk(disk: MemoryDisk) -> tuple[list[int], int]:
    """A durable transaction of numbers 2 to 5 in four frames between 1 and 6; where its frames begin."""
    store = Store(disk)
    store.journal.frame_bytes_target = 1
    store.put(1)
    starts = []
    store.journal.begin_atom()
    for number in range(2, 6):
        store.journal.append(fact(number))
        starts.append(store.journal.record_lsn - HEADER_BYTES)
    store.journal.end_atom()
    store.commit()
    store.put(6)
    return starts, store.journal.position


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("at", [2, HEADER_BYTES + 8])
def test_damage_to_a_run_takes_all_of_it(disk: MemoryDisk, place: int, at: int) -> None:
    """A transaction is there whole or not at all, also when the damage came later."""
    starts, _ = run_disk(disk)
    assert Store(disk.copy()).numbers == [1, 2, 3, 4, 5, 6]
    flip(disk, FIRST, starts[place] + at)
    again = Store(disk)
    assert again.numbers == [1, 6]
    (finding,) = again.recovered.findings
    assert (finding.start, finding.torn) == (starts[0], False)
