"""mambaamqp/store/decoding.py: every fact comes back as it was, and nothing else is believed."""

import contextlib
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.errors import StoreError
from mambaamqp.store import records
from mambaamqp.store.body import CHUNK_BYTES, UNREADABLE
from mambaamqp.store.decoding import BodyDecoder, decode
from mambaamqp.store.records import Target
from mambaamqp.store.segment import Segment

TEXT = "ü/\0" * 3
U64 = 2**64 - 1
SEGMENT = Segment(0)


def plain(value: Any) -> Any:
    """A record as something that can be compared."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    cls = type(value)
    # What a compiled class has is called by another name.
    names = getattr(cls, "__mypyc_attrs__", None) or getattr(cls, "__slots__", None)
    names = names or getattr(value, "__dict__", None)
    if names is None or isinstance(value, type):
        return value
    return cls.__name__, {name: plain(getattr(value, name)) for name in names if name != "__dict__"}


def read(octets: bytes) -> Any:
    """The only record of a body."""
    ((_, _, record),) = BodyDecoder().decode(octets, 0, SEGMENT)
    return record


FACTS = [
    (records.vhost_declare(TEXT), records.VhostDeclare(TEXT)),
    (records.vhost_delete(TEXT), records.VhostDelete(TEXT)),
    (
        records.exchange_declare(TEXT, "e", "fanout", True, False, b"\x01"),
        records.ExchangeDeclare(TEXT, "e", "fanout", True, False, b"\x01"),
    ),
    (
        records.exchange_declare("", "", "", False, True, b""),
        records.ExchangeDeclare("", "", "", False, True, b""),
    ),
    (records.exchange_delete("v", TEXT), records.ExchangeDelete("v", TEXT)),
    (
        records.queue_declare(2**32 - 1, "v", TEXT, True, b"\xff", U64),
        records.QueueDeclare(2**32 - 1, "v", TEXT, True, b"\xff", U64),
    ),
    (records.queue_delete(3), records.QueueDelete(3)),
    (
        records.bind("v", "e", True, "q", b"\xff", b"\x01"),
        records.Bind("v", "e", True, "q", b"\xff", b"\x01"),
    ),
    (records.unbind("v", "e", False, "f", b"", b""), records.Unbind("v", "e", False, "f", b"", b"")),
    (records.parameter("policy", "v", TEXT, b"{}"), records.Parameter("policy", "v", TEXT, b"{}")),
    (records.settle(1, [(1, U64)]), records.Settle(1, [(1, U64)])),
    (records.settle(1, [(1, 2), (4, 4)]), records.Settle(1, [(1, 2), (4, 4)])),
    (records.settle(1, []), records.Settle(1, [])),
    (records.requeue(1, [(1, 2), (U64, 2**32 - 1)]), records.Requeue(1, [(1, 2), (U64, 2**32 - 1)])),
    (
        records.publish_one(True, U64, 1, U64, 3, True, b"\x01e\x02kk", b"content"),
        records.Publish(True, U64, [Target(1, U64, 3, True)], b"\x01e\x02kk", [b"content"], False),
    ),
]


@pytest.mark.parametrize(("octets", "fact"), FACTS, ids=lambda value: type(value).__name__)
def test_every_fact_comes_back(octets: bytes, fact: Any) -> None:
    """Out of a body and out of a payload alone."""
    assert plain(read(octets)) == plain(fact)
    assert plain(decode(octets[0], octets[4:])) == plain(fact)


@pytest.mark.parametrize(("octets", "fact"), FACTS, ids=lambda value: type(value).__name__)
def test_every_other_version_is_refused(octets: bytes, fact: Any) -> None:
    """Only a newer broker writes one, and it means something else."""
    with pytest.raises(StoreError, match="version"):
        read(octets[:4] + b"\x02" + octets[5:])


@given(
    st.lists(
        st.builds(
            Target,
            st.integers(0, 2**32 - 1),
            st.integers(0, U64),
            st.integers(0, 2**32 - 1),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.binary(max_size=40), max_size=4),
    st.binary(max_size=255),
)
def test_a_message_for_many_queues_comes_back(
    targets: list[Target], content: list[bytes], key: bytes
) -> None:
    """Any targets, any pieces."""
    address = b"\0" + bytes((len(key),)) + key
    (pieces,) = records.publish_many(False, 1, targets, address, content)
    record = read(b"".join(pieces))
    assert plain(record.targets) == plain(targets)
    assert (record.address, record.content) == (address, [b"".join(content)])


def chunked(content: list[bytes]) -> list[bytes]:
    """The records of a message that is too large for one."""
    return [b"".join(r) for r in records.publish_many(False, 1, [Target(1, 1, 0, False)], b"\0\0", content)]


def frame_of(kind: int, payload: bytes) -> bytes:
    """A frame of a content."""
    return bytes((kind, 0, 1)) + len(payload).to_bytes(4, "big") + payload + b"\xce"


HEADER = frame_of(2, b"the header")


def decoded(content: list[bytes], *, whole_bytes_max: int = 1 << 30) -> tuple[int, Any, bytes]:
    """LSN, record, and the log that it stands in, from position 5 on."""
    decoder = BodyDecoder()
    decoder.whole_bytes_max = whole_bytes_max
    log, found = bytes(5), []
    for octets in chunked(content):
        found += decoder.decode(octets, len(log), SEGMENT)
        log += octets
    ((lsn, _, record),) = found
    return lsn, record, log


def test_chunks_come_back_as_one_message() -> None:
    """In one piece, over as many bodies as there are, where the first chunk stands."""
    content = [HEADER, *[frame_of(3, bytes([n]) * (records.CHUNK_BYTES // 2)) for n in range(5)]]
    lsn, record, _ = decoded(content)
    assert (lsn, record.content, record.spans) == (5, [b"".join(content)], None)


def test_of_a_large_message_its_places_come_back() -> None:
    """Whole frames each, with their checksums; nothing of the body stays in memory."""
    frames = [frame_of(3, bytes([n]) * 10_000 * n) for n in range(1, 25)]
    lsn, record, log = decoded([HEADER, *frames], whole_bytes_max=900)
    assert (lsn, record.content) == (5, [HEADER])
    parts = [log[span.lsn : span.lsn + span.size] for span in record.spans]
    assert b"".join(parts) == b"".join(frames)
    assert [crc32(part) for part in parts] == [span.crc for span in record.spans]
    assert all(
        part[:1] == b"\x03" and part[-1:] == b"\xce" and len(part) < CHUNK_BYTES + 250_000 for part in parts
    )
    assert len(parts) > 10
    assert not any(span.octets for span in record.spans)


def test_a_frame_that_was_cut_is_whole_again() -> None:
    """It has no place of its own, so it stays in memory; its neighbours do not."""
    large = 2 * records.PIECE_BYTES_MAX + records.CHUNK_BYTES
    frames = [frame_of(3, b"a" * 300), frame_of(3, b"b" * large), frame_of(3, b"c" * 390)]
    _, record, log = decoded([HEADER, *frames], whole_bytes_max=100)
    parts = [span.octets or log[span.lsn : span.lsn + span.size] for span in record.spans]
    assert parts == frames
    assert [bool(span.octets) for span in record.spans] == [False, True, False]
    _, record, _ = decoded([HEADER, *frames])
    assert record.content == [b"".join([HEADER, *frames])]


def test_what_is_no_frame_has_been_lost() -> None:
    """It was written again as zeros when it could not be read; the rest is where it is."""
    frames = [frame_of(3, b"a" * (1 << 20)), bytes((1 << 20) + 8), frame_of(3, b"c" * (1 << 20))]
    _, record, _ = decoded([HEADER, *frames], whole_bytes_max=100)
    assert [span.size for span in record.spans] == [(1 << 20) + 8] * 3
    assert [span.crc == UNREADABLE for span in record.spans] == [False, True, False]


def test_a_large_content_without_header_is_refused() -> None:
    """No broker has ever written one."""
    with pytest.raises(StoreError, match="header"):
        decoded([bytes(records.CHUNK_BYTES + 1)], whole_bytes_max=100)


def test_chunks_of_another_run_are_not_mixed_in() -> None:
    """What came before a new run has been dropped, chunks and all."""
    decoder = BodyDecoder()
    frame = frame_of(3, bytes(records.CHUNK_BYTES))
    pieces = chunked([HEADER, frame, frame])
    decoder.decode(pieces[0], 0, SEGMENT)
    decoder.begin_run()
    ((_, _, record),) = decoder.decode(b"".join(pieces), 0, SEGMENT)
    assert sum(span.size for span in record.spans) == 2 * len(frame)


def test_a_message_without_its_chunks_is_refused() -> None:
    """There is no such thing in a log whose runs are whole."""
    with pytest.raises(StoreError, match="chunks"):
        read(chunked([bytes(records.CHUNK_BYTES), b"\x01"])[-1])


def test_topology_can_be_left_out() -> None:
    """Before a checkpoint only messages count."""
    decoder = BodyDecoder()
    decoder.messages_only = True
    body = b"".join(octets for octets, _ in FACTS)
    names = {type(record).__name__ for _, _, record in decoder.decode(body, 0, SEGMENT)}
    assert names == {"Publish", "Settle", "Requeue"}


@pytest.mark.parametrize(("octets", "fact"), FACTS, ids=lambda value: type(value).__name__)
def test_a_record_cut_short_is_refused(octets: bytes, fact: Any) -> None:
    """At every octet, as an error of the store; a frame that ends inside a record was never written."""
    for size in range(1, len(octets)):
        with pytest.raises(StoreError):
            BodyDecoder().decode(octets[:size], 0, SEGMENT)


@given(st.sampled_from([octets[0] for octets, _ in FACTS]), st.binary(max_size=60))
def test_any_payload_is_a_fact_or_a_store_error(kind: int, payload: bytes) -> None:
    """Nothing else comes out of here, whatever goes in."""
    octets = bytes((kind,)) + (len(payload) + 1).to_bytes(3, "big") + b"\x01" + payload
    with contextlib.suppress(StoreError):
        BodyDecoder().decode(octets, 0, SEGMENT)
    with contextlib.suppress(StoreError):
        decode(kind, octets[4:])
