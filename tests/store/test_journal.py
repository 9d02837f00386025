"""mambaamqp/store/journal.py: positions, frames, atoms, segments, and what may be let go."""

import pytest

from mambaamqp.store.log_format import (
    BATCH,
    CHECKPOINT,
    CONTINUED,
    EPOCH,
    EPOCH_BYTES,
    HEADER_BYTES,
    PART,
    SPACE,
)
from mambaamqp.store.writer import Frame
from tests.store.conftest import SEGMENT_BYTES, Store
from tests.support.disk import MemoryDisk

RECORD = b"\x0d\0\0\1\1"


def frames(store: Store) -> list[Frame]:
    """What the next commit writes, without committing it."""
    commit = store.journal.seal()
    assert commit is not None
    store.journal.committed(commit)
    return commit.frames


def kinds(store: Store) -> list[int]:
    return [frame.kind for frame in frames(store)]


@pytest.fixture
def store(disk: MemoryDisk) -> Store:
    """An empty store, its first segment begun."""
    store = Store(disk)
    store.commit()
    return store


def test_a_position_is_behind_its_record(store: Store) -> None:
    """And `record_lsn` before it; the first record of a frame stands behind a header."""
    journal = store.journal
    start = journal.position
    assert journal.append(RECORD) == start + HEADER_BYTES + len(RECORD)
    assert journal.record_lsn == start + HEADER_BYTES
    assert journal.append_pieces([RECORD, b"", RECORD]) == start + HEADER_BYTES + 3 * len(RECORD)
    assert journal.record_lsn == start + HEADER_BYTES + len(RECORD)


def test_a_commit_is_a_frame(store: Store) -> None:
    """Everything appended since the last seal, in one frame."""
    store.journal.append(RECORD)
    store.journal.append(RECORD)
    (frame,) = frames(store)
    assert (frame.kind, frame.record_count, b"".join(frame.pieces)) == (BATCH, 2, RECORD * 2)


def test_nothing_appended_is_nothing_to_commit(store: Store) -> None:
    """seal() says None, and nothing is pending."""
    assert (store.journal.seal(), store.journal.pending_bytes) == (None, 0)


def test_pending_bytes_are_what_is_not_sealed(store: Store) -> None:
    """Headers included."""
    store.journal.append(RECORD)
    assert store.journal.pending_bytes == HEADER_BYTES + len(RECORD)
    store.journal.seal()
    assert store.journal.pending_bytes == 0


def test_durable_follows_the_commit(store: Store) -> None:
    """A position is durable when the commit that holds it has been executed, and not before."""
    position = store.journal.append(RECORD)
    commit = store.journal.seal()
    assert commit is not None
    assert store.journal.durable < position
    store.journal.committed(commit)
    assert store.journal.durable == position


def test_a_full_frame_is_closed(store: Store) -> None:
    """By octets, unless the record alone is larger."""
    store.journal.frame_bytes_target = 3 * len(RECORD)
    for _ in range(4):
        store.journal.append(RECORD)
    store.journal.append(bytes(100))
    store.journal.append(RECORD)
    assert [frame.record_count for frame in frames(store)] == [3, 1, 1, 1]


def test_a_frame_counts_its_records_in_16_bits(store: Store) -> None:
    """65,535 is the most."""
    for _ in range(65_536):
        store.journal.append(b"")
    assert [frame.record_count for frame in frames(store)] == [65_535, 1]


def test_an_atom_larger_than_a_frame_is_a_run(store: Store) -> None:
    """Part frames, then a batch frame; each but the first says that it goes on with the one before."""
    store.journal.frame_bytes_target = len(RECORD)
    store.journal.append(RECORD)
    store.journal.begin_atom()
    for _ in range(3):
        store.journal.append(RECORD)
    store.journal.end_atom()
    store.journal.append(RECORD)
    # The atom's first record finds the frame of another record full, and that is still the atom's affair.
    assert kinds(store) == [PART, PART | CONTINUED, PART | CONTINUED, BATCH | CONTINUED, BATCH]


def test_atoms_nest(store: Store) -> None:
    """The outermost one counts: a dead letter within a transaction is part of the transaction."""
    store.journal.frame_bytes_target = len(RECORD)
    store.journal.begin_atom()
    store.journal.begin_atom()
    store.journal.append(RECORD)
    store.journal.end_atom()
    store.journal.append(RECORD)
    store.journal.end_atom()
    assert kinds(store) == [PART, BATCH | CONTINUED]


def test_an_atom_is_not_sealed_half(store: Store) -> None:
    """That would be our bug."""
    store.journal.begin_atom()
    with pytest.raises(AssertionError):
        store.journal.seal()


def test_a_full_segment_is_followed_by_the_next(store: Store) -> None:
    """Begun by the first record after a seal, with an epoch frame; where a record stands is known at once."""
    journal = store.journal
    first = journal.segment
    journal.append(bytes(SEGMENT_BYTES))
    assert journal.segment is first
    frames(store)
    foreseen = journal.next_segment()
    journal.append(RECORD)
    assert journal.segment is foreseen is not first
    assert foreseen.base_lsn == first.end_lsn
    assert journal.record_lsn == foreseen.base_lsn + EPOCH_BYTES + HEADER_BYTES
    assert [(frame.kind, frame.segment) for frame in frames(store)] == [(EPOCH, foreseen), (BATCH, foreseen)]


def test_a_commit_stands_in_one_segment(store: Store) -> None:
    """However large it grows, so that `next_segment` keeps its word and a commit is one write."""
    journal = store.journal
    journal.frame_bytes_target = 1
    foreseen = journal.next_segment()
    for _ in range(5):
        journal.append(bytes(SEGMENT_BYTES))
        assert journal.segment is foreseen
    assert {frame.segment for frame in frames(store)} == {foreseen}


# Space


def checkpoint(store: Store) -> None:
    store.journal.begin_checkpoint()
    store.journal.append(RECORD)
    store.journal.end_checkpoint()


def full(store: Store, live: int = 0) -> None:
    """A segment is full of `live` messages."""
    store.journal.append(bytes(SEGMENT_BYTES))
    store.journal.segment.live += live
    store.commit()
    store.journal.append(RECORD)
    store.commit()


def test_a_dead_segment_wants_a_checkpoint_and_then_goes(store: Store) -> None:
    """The checkpoint must be durable first."""
    journal = store.journal
    assert not journal.wants_checkpoint()
    full(store)
    assert (journal.wants_checkpoint(), journal.drop_dead_segments()) == (True, 0)
    checkpoint(store)
    assert (journal.wants_checkpoint(), journal.drop_dead_segments()) == (False, 0)
    store.commit()
    assert journal.drop_dead_segments() == 2
    assert list(journal.segments) == [journal.segment]


def test_segments_go_from_the_oldest_end_only(store: Store) -> None:
    """A live message keeps everything that came later: its settlement may stand there."""
    journal = store.journal
    full(store, live=1)
    oldest = journal.segments[0]
    full(store)
    assert not journal.wants_checkpoint()
    checkpoint(store)
    store.commit()
    assert journal.drop_dead_segments() == 0
    oldest.live = 0
    assert journal.drop_dead_segments() == 3


def test_a_checkpoint_stands_twice_at_the_start_of_a_segment(store: Store) -> None:
    """In as many frames as it takes, each copy a run of its own; what is appended later comes behind it."""
    journal = store.journal
    journal.frame_bytes_target = len(RECORD)
    journal.append(RECORD)
    journal.begin_checkpoint()
    journal.append(RECORD)
    journal.append(RECORD)
    journal.end_checkpoint()
    journal.append(RECORD)
    found = frames(store)
    once = [PART, CHECKPOINT | CONTINUED]
    assert [frame.kind for frame in found] == [BATCH, EPOCH, *once, SPACE, *once, BATCH]
    assert found[1].lsn == journal.segment.base_lsn
    assert [a.lsn + HEADER_BYTES + a.body_bytes for a in found[:-1]] == [b.lsn for b in found[1:]]


def test_a_checkpoint_of_nothing_is_one(store: Store) -> None:
    """Without durable topology the old segments must go all the same."""
    store.journal.append(RECORD)
    store.journal.begin_checkpoint()
    store.journal.end_checkpoint()
    assert kinds(store) == [BATCH, EPOCH, CHECKPOINT, SPACE, CHECKPOINT]


def test_a_fresh_segment_takes_the_checkpoint(store: Store) -> None:
    """None is begun for it where nothing stands yet."""
    store.journal.begin_checkpoint()
    store.journal.end_checkpoint()
    assert len(store.journal.segments) == 1


def test_letting_go_writes_a_frame(store: Store) -> None:
    """Before a file is removed it must be on record that the checkpoint is safe."""
    full(store)
    checkpoint(store)
    store.commit()
    store.journal.drop_dead_segments()
    commit = store.journal.seal()
    assert commit is not None
    assert [(frame.kind, frame.body_bytes) for frame in commit.frames] == [(BATCH, 0)]
    assert len(commit.doomed) == 2


def test_a_checkpoint_is_durable_with_its_own_commit(store: Store) -> None:
    """Not with one that was under way when it was written."""
    journal = store.journal
    full(store)
    journal.append(RECORD)
    commit = journal.seal()
    assert commit is not None
    checkpoint(store)
    journal.committed(commit)
    assert journal.drop_dead_segments() == 0
    store.commit()
    assert journal.drop_dead_segments() > 0
