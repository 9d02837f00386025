"""mambaamqp/store/records.py: what each fact looks like in the journal."""

import pytest

from mambaamqp.errors import StoreError
from mambaamqp.store import records
from mambaamqp.store.records import CHUNK, CHUNK_BYTES, PIECE_BYTES_MAX, PUBLISH, RECORD_BYTES_MAX, Target


def heads(pieces: list[list[bytes]]) -> list[tuple[int, int]]:
    """(type, length) of records given as pieces; the length must be true."""
    found = []
    for record in pieces:
        octets = b"".join(record)
        length = int.from_bytes(octets[1:4], "big")
        assert length == len(octets) - 4
        found.append((octets[0], length))
    return found


def test_one_target_is_written_the_same_either_way() -> None:
    """The hot record is a short cut, not another format."""
    hot = records.publish_one(True, 5, 1, 2, 3, True, b"\x01e\x01k", b"content")
    (slow,) = records.publish_many(True, 5, [Target(1, 2, 3, True)], b"\x01e\x01k", [b"content"])
    assert hot == b"".join(slow)


def test_content_is_referred_to_and_not_copied() -> None:
    """A large message is not doubled in memory on its way to the disk."""
    content = [bytes(CHUNK_BYTES - 1), bytes(10)]
    (chunk, rest, publish) = records.publish_many(False, 0, [Target(1, 1, 0, False)], b"\0\0", content)
    assert (chunk[-1] is content[0], rest[-1] is content[1]) == (True, True)
    assert len(b"".join(publish)) < 100


def test_large_content_stands_in_chunks() -> None:
    """Of whole pieces, about CHUNK_BYTES each, before the record that they belong to."""
    content = [bytes(CHUNK_BYTES // 2)] * 5
    pieces = records.publish_many(False, 0, [Target(1, 1, 0, False)], b"\0\0", content)
    size = CHUNK_BYTES + 2
    assert heads(pieces)[:3] == [(CHUNK, size), (CHUNK, size), (CHUNK, CHUNK_BYTES // 2 + 2)]
    assert heads(pieces)[3][0] == PUBLISH


def test_a_piece_that_no_record_could_hold_is_cut() -> None:
    """A frame may be larger than 16 MiB if the configuration says so."""
    piece = bytes(2 * PIECE_BYTES_MAX + 1)
    pieces = records.publish_many(False, 0, [Target(1, 1, 0, False)], b"\0\0", [piece])
    assert [length for _, length in heads(pieces)[:3]] == [PIECE_BYTES_MAX + 2, PIECE_BYTES_MAX + 2, 3]


def test_more_queues_than_a_record_counts() -> None:
    """The message is written again for the rest."""
    targets = [Target(queue, 1, 0, False) for queue in range(65_536)]
    pieces = records.publish_many(False, 0, targets, b"\0\0", [b"content"])
    assert [kind for kind, _ in heads(pieces)] == [PUBLISH, PUBLISH]


def test_what_does_not_fit_is_refused_and_not_cut() -> None:
    """A length of 24 bits must never wrap into another type."""
    with pytest.raises(StoreError, match="does not fit"):
        records.publish_one(False, 0, 1, 1, 0, False, b"\0\0", bytes(RECORD_BYTES_MAX))
    with pytest.raises(StoreError, match="does not fit"):
        records.queue_declare(1, "/", "q", False, bytes(RECORD_BYTES_MAX), 1)
