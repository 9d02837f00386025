"""mambaamqp/broker/message.py: octets as their publisher sent them."""

from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.broker.message import Message, address_of, names_of
from mambaamqp.store.spool import Spool
from mambaamqp.wire import properties
from mambaamqp.wire.framing import FRAME_HEADER, body_frames, frame
from tests.support.disk import MemoryDisk

NAMES = st.text(max_size=60)


@given(NAMES, NAMES)
def test_an_address_keeps_both_names(exchange: str, key: str) -> None:
    """In any script, empty or not."""
    assert names_of(address_of(exchange, key)) == (exchange, key)


def many_frames(body: bytes, room: int) -> Message:
    """A message whose body came in frames of at most `room` octets; with several it is on a disk."""
    header = properties.encode({"delivery_mode": 2, "message_id": "m"}, len(body))
    frames = body_frames(3, body, room + 8)
    made = Message(b"\0\0", frame(FRAME_HEADER, 3, header), len(body), True)
    if len(frames) < 2:
        made.content += b"".join(frames)
        return made
    spool = Spool(MemoryDisk(), "/store")
    spool.chunk_bytes = 50
    arrival = spool.begin()
    for each in frames:
        arrival.add(each)
    made.stored = arrival.finish()
    return made


@given(st.binary(max_size=300), st.integers(1, 100))
def test_the_body_in_one_piece(body: bytes, room: int) -> None:
    """However many frames and pieces it came in."""
    made = many_frames(body, room)
    assert made.body() == body
    assert properties.get(made.header(), "message_id") == "m"


@given(st.binary(max_size=300), st.integers(1, 100))
def test_another_header_with_the_same_body(body: bytes, room: int) -> None:
    """A dead letter's: only the header is new, and all that is known of the message stays."""
    made = many_frames(body, room)
    made.priority, made.expiration_ms, made.published_ms, made.dead_lettered = 5, 6, 7, True
    header = properties.replace(made.header(), {"message_id": None})
    copy = made.with_header(header)
    assert (copy.header(), copy.body(), copy.address) == (header, body, made.address)
    assert (copy.priority, copy.expiration_ms, copy.published_ms, copy.dead_lettered) == (5, 6, 7, True)
    assert (copy.references, copy.segment) == (0, None)
    assert made.header() != header


@given(st.binary(min_size=200, max_size=300))
def test_large_bodies_count_where_they_stand(body: bytes) -> None:
    """In the journal in full, in memory not at all."""
    made = many_frames(body, 100)
    assert made.kept_bytes() == many_frames(b"", 100).kept_bytes() + len(body) + 8 * -(-len(body) // 100)
