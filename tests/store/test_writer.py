"""mambaamqp/store/writer.py: frames become octets that are chained, and stand where they say."""

import pytest

from mambaamqp.errors import StoreError
from mambaamqp.store.log_format import BATCH, FLAGS, HEADER, HEADER_BYTES, SYNCED, is_whole, segment_name
from mambaamqp.store.segment import Segment
from mambaamqp.store.writer import RUN_BYTES_MAX, Frame, LogWriter
from tests.support.disk import MemoryDisk

SEED = 0x5EED


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


@pytest.fixture
def writer(disk: MemoryDisk) -> LogWriter:
    return LogWriter(disk, "store", bytes(16), SEED, 1 << 20)


def frames_of(segment: Segment, *bodies: list[bytes]) -> list[Frame]:
    """Frames that stand behind each other in `segment`, each with its body in pieces."""
    lsn, made = segment.base_lsn, []
    for pieces in bodies:
        size = sum(len(piece) for piece in pieces)
        made.append(Frame(segment, BATCH, lsn, len(pieces), pieces, size))
        lsn += HEADER_BYTES + size
    return made


def unpacked(octets: bytes) -> list[tuple[int, int, int, bytes]]:
    """(crc, LSN, previous crc, body) of each frame, all of them whole."""
    found = []
    while octets:
        header = octets[:HEADER_BYTES]
        crc, size, lsn, _, prev_crc, _, _ = HEADER.unpack(header)
        body = octets[HEADER_BYTES : HEADER_BYTES + size]
        assert is_whole(header, body)
        found.append((crc, lsn, prev_crc, body))
        octets = octets[HEADER_BYTES + size :]
    return found


def test_each_frame_is_chained_to_the_one_before(writer: LogWriter) -> None:
    """The first to the seed, across runs too; small pieces and large ones alike."""
    segment = Segment(1000)
    first = writer.pack(frames_of(segment, [b"a", b"b"], [bytes(5000), bytes(6000)]))
    second = writer.pack(frames_of(segment, [b"c"]))
    (crc_1, lsn_1, prev_1, body_1), (crc_2, lsn_2, prev_2, body_2) = unpacked(first.octets)
    (_, _, prev_3, _) = unpacked(second.octets)[0]

    assert (prev_1, prev_2, prev_3) == (SEED, crc_1, crc_2)
    assert (body_1, body_2) == (b"ab", bytes(11_000))
    assert (lsn_1, lsn_2) == (1000, 1000 + HEADER_BYTES + 2)
    assert (first.offset, second.offset) == (0, 0)


def test_a_run_is_bounded_and_takes_its_frames(writer: LogWriter) -> None:
    """What is left goes with the next one."""
    half = [bytes(RUN_BYTES_MAX // 2)]
    frames = frames_of(Segment(0), half, half, half)
    assert len(unpacked(writer.pack(frames).octets)) == 2
    assert len(frames) == 1


def test_a_run_ends_with_its_segment(writer: LogWriter) -> None:
    """Two files are two writes."""
    frames = frames_of(Segment(0), [b"a"]) + frames_of(Segment(500), [b"b"])
    assert [body for *_, body in unpacked(writer.pack(frames).octets)] == [b"a"]
    assert writer.pack(frames).segment.base_lsn == 500


def flags(octets: bytes) -> list[int]:
    """The flags of each frame of a run."""
    found = []
    for _, _, _, body in unpacked(octets):
        found.append(HEADER.unpack(octets[:HEADER_BYTES])[5] & FLAGS)
        octets = octets[HEADER_BYTES + len(body) :]
    return found


def test_only_what_is_true_is_called_synced(writer: LogWriter, disk: MemoryDisk) -> None:
    """The first frame behind a sync says so, and none behind a write that was not synced yet."""
    segment = Segment(0)
    frames = frames_of(segment, [b"a"], [b"b"], [b"c"], [b"d"])
    run = writer.pack(frames[:2])
    assert flags(run.octets) == [SYNCED, 0]
    writer.write(run)
    assert flags(writer.pack(frames[2:3]).octets) == [0]
    writer.sync()
    assert flags(writer.pack(frames[3:]).octets) == [SYNCED]


def test_nothing_to_sync_is_not_synced(writer: LogWriter, disk: MemoryDisk) -> None:
    """Neither without a file nor twice."""
    writer.sync()
    writer.write(writer.pack(frames_of(Segment(0), [b"a"])))
    writer.sync()
    writer.sync()
    assert [call for call in disk.log if call[0] == "sync"] == [("sync", segment_name(0))]


def test_a_segment_is_synced_before_it_is_left(writer: LogWriter, disk: MemoryDisk) -> None:
    """And cut to what it holds; leaving it for itself is nothing."""
    segment = Segment(0)
    writer.write(writer.pack(frames_of(segment, [b"abc"])))
    writer.leave_segment(segment)
    assert writer.file is not None
    writer.leave_segment(Segment(500))
    assert writer.file is None
    assert [call[0] for call in disk.log[-3:]] == ["write", "sync", "truncate"]
    assert len(disk.files[f"store/{segment_name(0)}"].data) == HEADER_BYTES + 3


def test_a_poisoned_writer_refuses_and_changes_no_size(writer: LogWriter, disk: MemoryDisk) -> None:
    """After a failed sync nobody knows what the file holds."""
    writer.write(writer.pack(frames_of(Segment(0), [b"abc"])))
    writer.poison()
    with pytest.raises(StoreError, match="the journal has failed before"):
        writer.check()
    writer.close()
    assert "truncate" not in [call[0] for call in disk.log]
