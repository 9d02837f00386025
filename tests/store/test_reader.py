"""mambaamqp/store/reader.py: what counts in a segment, whatever has happened to it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.errors import StoreError
from mambaamqp.store import reader as reading
from mambaamqp.store.log_format import HEADER_BYTES, pack_frame, segment_name
from mambaamqp.store.reader import SegmentReader
from tests.store.conftest import DIRECTORY, Store, fact
from tests.support.disk import MemoryDisk, MemoryFile

PATH = f"{DIRECTORY}/{segment_name(0)}"


def written(commits: int = 6) -> tuple[bytes, list[int]]:
    """The octets of a segment of so many commits, and where each of them ends."""
    disk = MemoryDisk()
    store = Store(disk)
    store.commit()
    ends = [store.journal.position]
    for number in range(commits):
        store.journal.append(fact(number, 20 * number))
        store.commit()
        ends.append(store.journal.position)
    return bytes(disk.files[PATH].data[: store.journal.position]), ends


SEGMENT, ENDS = written()


def read(octets: bytes, *, end: int | None = None) -> tuple[list[int], SegmentReader]:
    """Offsets of the frames that count, and the reader."""
    disk = MemoryDisk()
    disk.files[PATH] = MemoryFile(octets)
    reader = SegmentReader(disk, disk.open(PATH), 0, end=end, prev_crc=0)
    return [frame.offset for frame in reader.frames()], reader


STARTS = [0, *ENDS[:-1]]


def test_whole_segments_are_read_whole() -> None:
    """Every frame, no gap, and the end is the end of the data."""
    for padding in (0, 1, 31, 5000):
        offsets, reader = read(SEGMENT + bytes(padding))
        assert (offsets, reader.gaps, reader.end) == (STARTS, [], len(SEGMENT))


@pytest.mark.parametrize("bit", [0, 7])
@pytest.mark.parametrize("end", [None, len(SEGMENT)])
def test_a_flipped_bit_is_found_wherever_it_is(bit: int, end: int | None) -> None:
    """In every field of every header and every octet of every body: that frame is missed, and no other."""
    for at in range(len(SEGMENT)):
        octets = bytearray(SEGMENT)
        octets[at] ^= 1 << bit
        hit = max(start for start in STARTS if start <= at)
        try:
            offsets, reader = read(bytes(octets), end=end)
        except StoreError:
            pytest.fail("a flipped bit is no newer format")
        assert offsets == [start for start in STARTS if start != hit]
        (gap,) = reader.gaps
        assert gap.start == hit
        # Of the last commit nobody can say whether it was ever safe, unless there is a later segment.
        assert gap.torn == (hit == STARTS[-1] and end is None)


def test_a_lost_sector_is_found_wherever_it_is() -> None:
    """Zeros in the middle: everything that they touch is missed, everything else counts."""
    for at in range(0, len(SEGMENT) - 64, 7):
        octets = bytearray(SEGMENT)
        octets[at : at + 64] = bytes(64)
        changed = {i for i in range(len(octets)) if octets[i] != SEGMENT[i]}
        spans = zip(STARTS, ENDS, strict=True)
        whole = [start for start, stop in spans if not changed.intersection(range(start, stop))]
        assert read(bytes(octets), end=len(SEGMENT))[0] == whole


def test_a_segment_cut_anywhere_ends_there() -> None:
    """At every octet: what was written whole counts, the rest is a torn tail."""
    for size in range(len(SEGMENT)):
        offsets, reader = read(SEGMENT[:size] + bytes(40))
        whole = [start for start, stop in zip(STARTS, ENDS, strict=True) if stop <= size]
        # What is missing may have been zeros.
        assert offsets[: len(whole)] == whole
        assert len(offsets) - len(whole) in (0, 1)
        assert all(gap.torn for gap in reader.gaps)


def test_a_segment_shorter_than_its_successor_says_is_damaged() -> None:
    """The missing end was safe before the next segment was begun."""
    _, reader = read(SEGMENT[: ENDS[3]], end=len(SEGMENT))
    (gap,) = reader.gaps
    assert (gap.start, gap.end, gap.torn) == (ENDS[3], len(SEGMENT), False)


@given(st.binary(max_size=300), st.integers(0, len(SEGMENT)))
def test_rubbish_is_never_read(rubbish: bytes, at: int) -> None:
    """Whatever stands there instead: no frame is made up, and reading ends."""
    octets = SEGMENT[:at] + rubbish + SEGMENT[at + len(rubbish) :]
    try:
        offsets, _ = read(octets[: len(SEGMENT)], end=len(SEGMENT))
    except StoreError:
        return
    assert set(offsets) <= set(STARTS)


def test_many_wounds_are_survived() -> None:
    """A disk that is failing: what is read is always what was written there."""
    rng = random.Random(7)
    for _ in range(300):
        octets = bytearray(SEGMENT)
        for _ in range(rng.randint(2, 6)):
            octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
        offsets, reader = read(bytes(octets), end=len(SEGMENT))
        assert set(offsets) <= set(STARTS)
        assert reader.gaps


def test_a_frame_across_windows_of_the_search_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for the next frame reads in slices, and a header may lie on their edge."""
    octets = bytearray(SEGMENT)
    octets[STARTS[2] + 5] ^= 1
    for size in range(HEADER_BYTES + 1, 200, 3):
        monkeypatch.setattr(reading, "READ_BYTES", size)
        monkeypatch.setattr(reading, "ZEROS", bytes(size))
        assert read(bytes(octets), end=len(SEGMENT))[0] == [s for s in STARTS if s != STARTS[2]]


def test_a_kind_that_nobody_knows_is_refused() -> None:
    """The checksum says that it was meant: a newer broker wrote it."""
    header, _ = pack_frame(9, 0, 1, 0, 0, 0, [])
    with pytest.raises(StoreError, match="unknown to this version"):
        read(header)
