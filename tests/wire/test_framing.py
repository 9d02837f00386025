"""mambaamqp/wire/framing.py: the envelope, and what is said of a bad one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, frame, heartbeat

from mambaamqp.wire import framing


@given(st.integers(0, 65535), st.binary(max_size=3000), st.integers(9, 500))
def test_body_frames_carry_the_body(channel: int, octets: bytes, frame_bytes_max: int) -> None:
    """Every frame fits, pamqp reads each, and together they are the body."""
    frames = framing.body_frames(channel, octets, frame_bytes_max)
    assert all(len(made) <= frame_bytes_max for made in frames)
    read = [frame.unmarshal(made) for made in frames]
    assert all(
        (size, number) == (len(made), channel) for (size, number, _), made in zip(read, frames, strict=True)
    )
    assert b"".join(value.value for _, _, value in read) == octets
    assert frames or not octets


def test_frames_are_those_of_pamqp() -> None:
    """Octet by octet."""
    assert framing.frame(framing.FRAME_BODY, 7, b"abc") == frame.marshal(body.ContentBody(b"abc"), 7)
    assert frame.marshal(heartbeat.Heartbeat(), 0) == framing.HEARTBEAT_FRAME


@given(st.binary(min_size=4, max_size=20), st.data())
def test_numbers_are_big_endian_and_unsigned(octets: bytes, data: st.DataObject) -> None:
    """At any offset, up to the largest."""
    at = data.draw(st.integers(0, len(octets) - 4))
    assert framing.u32(octets, at) == int.from_bytes(octets[at : at + 4], "big")
    assert framing.u16(octets, at) == int.from_bytes(octets[at : at + 2], "big")


@pytest.mark.parametrize("octets", [b"\xff\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\0"])
def test_the_largest_numbers_do_not_turn_negative(octets: bytes) -> None:
    """A length of 4 GiB is large, not -1."""
    assert framing.u32(octets, 0) == int.from_bytes(octets, "big")


SIXTEEN = "<<0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15>>"


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (framing.too_large(3, 200000, 131072), "type 3, all octets = <<>>: {frame_too_large,200000,131064}"),
        (framing.bad_end(1, b"\1\2", 0), "type 1, all octets = <<1,2>>: {invalid_frame_end_marker,0}"),
        (
            framing.bad_end(1, bytes(range(17)), 255),
            f"type 1, first 16 octets = {SIXTEEN}: {{invalid_frame_end_marker,255}}",
        ),
        (
            framing.bad_end(1, bytes(range(16)), 65),
            f"type 1, all octets = {SIXTEEN}: {{invalid_frame_end_marker,65}}",
        ),
        (framing.unknown_type(4, b""), "type 4, all octets = <<>>: unknown_frame_type"),
        (
            framing.unknown_type(4, bytes(range(99))),
            f"type 4, first 16 octets = {SIXTEEN}: unknown_frame_type",
        ),
    ],
)
def test_refusals_in_the_words_of_rabbitmq(fault: Exception, text: str) -> None:
    """At most 16 octets of a stranger's payload are shown."""
    assert str(fault) == text
    assert (fault.code, fault.name) == (501, "FRAME_ERROR")  # type: ignore[attr-defined]
