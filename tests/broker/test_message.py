"""mambaamqp/broker/message.py: octets as their publisher sent them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.broker.message import Message, address_of, names_of
from mambaamqp.wire import fast, properties
from mambaamqp.wire.framing import FRAME_HEADER, body_frames, frame
from tests.broker.conftest import message

NAMES = st.text(max_size=60)


@given(NAMES, NAMES)
def test_an_address_keeps_both_names(exchange: str, key: str) -> None:
    """In any script, empty or not."""
    assert names_of(address_of(exchange, key)) == (exchange, key)


def many_frames(body: bytes, room: int) -> Message:
    """A message whose body came in frames of at most `room` octets, in three reads."""
    header = properties.encode({"delivery_mode": 2, "message_id": "m"}, len(body))
    frames = body_frames(3, body, room + 8)
    made = Message(b"\0\0", frame(FRAME_HEADER, 3, header) + b"".join(frames[:1]), len(body), True)
    made.more = [b"".join(frames[1:4]), b"".join(frames[4:])] if len(frames) > 1 else None
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


@pytest.mark.parametrize("body", [b"", b"body"])
def test_pieces_are_whole_frames(body: bytes) -> None:
    """They go out as they are, but for the channel."""
    made = message(body)
    assert made.pieces() == [made.content]
    assert b"".join(fast.reframe(made.pieces(), 0, 131072)) == made.content
