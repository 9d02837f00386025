"""mambaamqp/store/log_format.py: the envelope, and docs/store-format.md, whose example is real."""

import re
from pathlib import Path
from zlib import crc32

import pytest

from mambaamqp.store import records
from mambaamqp.store.log_format import (
    BATCH,
    EPOCH,
    EPOCH_BYTES,
    HEADER,
    HEADER_BYTES,
    base_of,
    epoch_body,
    is_whole,
    pack_frame,
    segment_name,
)
from tests.store.conftest import DIRECTORY, Store
from tests.support.disk import MemoryDisk, MemoryFile

PAGE = (Path(__file__).parents[2] / "docs" / "store-format.md").read_text(encoding="utf-8")
CONTENT = (
    b"\x02\0\x01\0\0\0\x0f\0\x3c\0\0\0\0\0\0\0\0\0\x02\x10\0\x02\xce",
    b"\x03\0\x01\0\0\0\x02hi\xce",
)


def example() -> bytes:
    """The octets of the worked example."""
    lines = re.findall(r"^[0-9a-f]{8}  ((?:[0-9a-f]{2} ?)+)$", PAGE, re.MULTILINE)
    return bytes.fromhex(" ".join(lines))


def test_the_worked_example_is_what_is_written(disk: MemoryDisk) -> None:
    """The page shows the octets of a real store."""
    disk.random_octets = lambda size: bytes(range(0xA0, 0xA0 + size))  # type: ignore[method-assign]
    store = Store(disk)
    journal = store.journal
    journal.append(records.queue_declare(7, "/", "orders", False, b"", 1))
    content = b"".join(CONTENT)
    journal.append(records.publish_one(False, 1_767_225_600_000, 7, 1, 0, False, b"\0\x06orders", content))
    store.commit()
    journal.append(records.settle(7, [(1, 1)]))
    store.commit()
    (file,) = disk.files.values()
    assert bytes(file.data[: journal.position]) == example()


def test_the_worked_example_is_what_is_read(disk: MemoryDisk) -> None:
    """And a broker that finds these octets reads what the page says."""
    disk.files[f"{DIRECTORY}/{segment_name(0)}"] = MemoryFile(example())
    store = Store(disk)
    assert store.recovered.warnings == []
    declared, published, settled = (record for _, _, record in store.found)
    assert (declared.queue_id, declared.vhost, declared.name, declared.next_position) == (7, "/", "orders", 1)
    assert (published.address, b"".join(published.content)) == (b"\0\x06orders", b"".join(CONTENT))
    assert (settled.queue_id, settled.ranges) == (7, [(1, 1)])


@pytest.mark.parametrize("row", re.findall(r"^\| `([0-9a-f]{2})` \| (.*?) \|", PAGE, re.MULTILINE))
def test_the_table_names_octets_where_they_stand(row: tuple[str, str]) -> None:
    """Each row of the example's table begins with the octets at its offset."""
    at = int(row[0], 16)
    for octets in re.findall(r"`([^`]*)`", row[1]):
        first, _, last = octets.partition(" … ")
        start = example().find(bytes.fromhex(first), at)
        assert start == at, row
        at += len(bytes.fromhex(first))
        if last:
            at = example().index(bytes.fromhex(last), at) + len(bytes.fromhex(last))
            while octets.startswith("00 …") and example()[at - 1 : at + 1] == b"\0\0":
                at += 1


def test_a_header_is_32_octets() -> None:
    """And an epoch frame 49: both are on disks and stay so."""
    assert (HEADER.size, EPOCH_BYTES) == (HEADER_BYTES, 49) == (32, 49)


def test_the_checksum_covers_everything_else() -> None:
    """zlib's CRC-32 over the header behind the checksum and the body, whatever pieces it comes in."""
    header, crc = pack_frame(BATCH, 49, 1, 7, 2, 4, [b"ab", b"cd"])
    assert crc == crc32(header[4:] + b"abcd") == int.from_bytes(header[:4], "big")
    assert is_whole(header, b"abcd")
    for at in range(HEADER_BYTES + 4):
        damaged = bytearray(header + b"abcd")
        damaged[at] ^= 1
        assert not is_whole(bytes(damaged[:HEADER_BYTES]), bytes(damaged[HEADER_BYTES:]))


def test_an_epoch_frame_names_version_and_store() -> None:
    """One octet and sixteen."""
    assert (epoch_body(bytes(16))[:1], len(epoch_body(bytes(16))), EPOCH) == (b"\x01", 17, 2)


@pytest.mark.parametrize("base", [0, 1, 10**12, 2**63])
def test_names_of_segments_sort_as_positions_do(base: int) -> None:
    """Twenty digits hold every position."""
    assert base_of(segment_name(base)) == base
    assert segment_name(base) < segment_name(base + 1)


@pytest.mark.parametrize(
    "name",
    [
        "lock",
        "1.journal",
        "00000000000000000000.journal.7.torn",
        "x" * 20 + ".journal",
        "٣" * 20 + ".journal",
    ],
)
def test_other_files_are_no_segments(name: str) -> None:
    """What was put aside, and what somebody left there, is never read."""
    assert base_of(name) is None
