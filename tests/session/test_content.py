"""mambaamqp/session/content.py: a content that arrives in pieces, and the lies that it may tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.errors import FrameFault, UnexpectedFrame
from mambaamqp.session.content import Assembly
from mambaamqp.store.spool import Spool
from mambaamqp.wire import properties
from mambaamqp.wire.framing import FRAME_BODY, FRAME_HEADER, FRAME_METHOD, frame
from tests.support.disk import MemoryDisk


def begun(body_bytes: int) -> Assembly:
    """An assembly on channel 7 whose header has come."""
    assembly = Assembly(7, b"\x00\x01q\x00")
    assembly.take_header(FRAME_HEADER, properties.encode({}, body_bytes))
    return assembly


def test_an_empty_body_is_complete_with_its_header() -> None:
    """Nothing is missing, and nothing more is taken."""
    assembly = begun(0)
    assert (assembly.missing, assembly.body_bytes) == (0, 0)
    with pytest.raises(FrameFault, match="exceeds remaining content size"):
        assembly.take_body(FRAME_BODY, b"x")


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_a_body_may_be_cut_anywhere(parts: list[bytes]) -> None:
    """What is kept is the frames as they came; empty ones are dropped."""
    assembly = begun(sum(len(part) for part in parts))
    for part in parts:
        assembly.take_body(FRAME_BODY, part)
    assert assembly.missing == 0
    assert assembly.frames[1:] == [frame(FRAME_BODY, 7, part) for part in parts if part]


def test_empty_frames_cost_nothing() -> None:
    """A peer may send them for ever."""
    assembly = begun(1)
    for _ in range(1000):
        assembly.take_body(FRAME_BODY, b"")
    assert len(assembly.frames) == 1
    assert assembly.missing == 1


def test_one_octet_too_many_is_501() -> None:
    """However the body was announced; nothing of it is kept."""
    assembly = begun(10)
    assembly.take_body(FRAME_BODY, bytes(9))
    with pytest.raises(FrameFault, match="content body frame exceeds remaining content size"):
        assembly.take_body(FRAME_BODY, bytes(2))
    assert assembly.missing == 1


@pytest.mark.parametrize("kind", [FRAME_METHOD, FRAME_BODY])
def test_the_header_must_come_first(kind: int) -> None:
    """A method or a body in its place is 505."""
    with pytest.raises(UnexpectedFrame, match="expected content header for class 60, got non content header"):
        Assembly(1, b"").take_header(kind, properties.encode({}, 0))


@pytest.mark.parametrize("kind", [FRAME_METHOD, FRAME_HEADER])
def test_only_bodies_may_follow(kind: int) -> None:
    """Until all of it is there: 505."""
    with pytest.raises(UnexpectedFrame, match="expected content body, got non content body frame"):
        begun(1).take_body(kind, b"x")


def test_a_header_of_another_class_is_505() -> None:
    """Named by its number."""
    header = (90).to_bytes(2, "big") + properties.encode({}, 0)[2:]
    with pytest.raises(UnexpectedFrame, match="got one for class 90 instead"):
        Assembly(1, b"").take_header(FRAME_HEADER, header)


@pytest.mark.parametrize("size", range(14))
def test_a_header_that_is_cut_short_is_501(size: int) -> None:
    """Class, weight, size and flags are the least."""
    with pytest.raises(FrameFault, match="content header is too short"):
        Assembly(1, b"").take_header(FRAME_HEADER, properties.encode({}, 0)[:size])


@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(1, 50))
def test_a_large_body_is_framed_anew(parts: list[bytes], room: int) -> None:
    """It comes in frames of any size, and is stored in full ones: short ones would cost too much."""
    body = b"".join(parts)
    assembly = begun(len(body))
    spool = Spool(MemoryDisk(), "/store")
    spool.chunk_bytes = 1
    assembly.spool(spool.begin(), room + 8)
    for part in parts:
        assembly.take_body(FRAME_BODY, part)
    assert assembly.missing == 0
    assert assembly.arrival is not None
    stored = assembly.arrival.finish()
    frames = [stored.read(place) for place in range(len(stored.chunks))]
    assert frames == [frame(FRAME_BODY, 7, body[at : at + room]) for at in range(0, len(body), room)]
    assert len(assembly.frames) == 1
