"""mambaamqp/wire/fast.py: frames packed by hand, octet by octet those of pamqp."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, commands, frame, header

from mambaamqp.wire import fast, properties
from mambaamqp.wire.framing import FRAME_BODY, FRAME_HEADER, PREFIX

CHANNELS = st.integers(0, 65535)
TAGS = st.integers(0, (1 << 63) - 1)
NAMES = st.text(max_size=60)
LEGAL = st.from_regex(r"[a-zA-Z0-9\-_.:@#,/ +]{0,100}", fullmatch=True)
"""What pamqp lets pass in the names of exchanges."""


def short(text: str) -> bytes:
    octets = text.encode()
    return bytes((len(octets),)) + octets


def packed(method: Any, channel: int) -> bytes:
    return bytes(frame.marshal(method, channel))


def filled(cls: Any, **fields: Any) -> Any:
    """A method whose names need not be those that pamqp likes."""
    method = cls.__new__(cls)
    for name, value in fields.items():
        setattr(method, name, value)
    return method


@given(CHANNELS, NAMES, TAGS, st.booleans(), LEGAL, NAMES)
def test_deliver(channel: int, consumer: str, tag: int, redelivered: bool, exchange: str, key: str) -> None:
    """Head, tag and address, put together as an outbox does."""
    address = short(exchange) + short(key)
    ours = fast.deliver_head(channel, consumer.encode(), len(address)) + fast.tag_octets(tag, redelivered)
    theirs = filled(
        commands.Basic.Deliver,
        consumer_tag=consumer,
        delivery_tag=tag,
        redelivered=redelivered,
        exchange=exchange,
        routing_key=key,
    )
    assert ours + address + b"\xce" == packed(theirs, channel)


@given(CHANNELS, TAGS, st.booleans(), LEGAL, NAMES, st.integers(0, (1 << 32) - 1))
def test_get_ok(channel: int, tag: int, redelivered: bool, exchange: str, key: str, count: int) -> None:
    """A whole frame."""
    theirs = filled(
        commands.Basic.GetOk,
        delivery_tag=tag,
        redelivered=redelivered,
        exchange=exchange,
        routing_key=key,
        message_count=count,
    )
    assert fast.get_ok(channel, tag, redelivered, short(exchange) + short(key), count) == packed(
        theirs, channel
    )


@given(CHANNELS, st.integers(0, 65535), NAMES, LEGAL, NAMES)
def test_return(channel: int, code: int, text: str, exchange: str, key: str) -> None:
    """A whole frame."""
    theirs = filled(
        commands.Basic.Return, reply_code=code, reply_text=text, exchange=exchange, routing_key=key
    )
    address = short(exchange) + short(key)
    assert fast.basic_return(channel, code, text.encode(), address) == packed(theirs, channel)


@given(CHANNELS, TAGS, st.booleans())
def test_confirms(channel: int, tag: int, multiple: bool) -> None:
    """ack and nack; a confirm never asks for a requeue."""
    assert fast.ack(channel, tag, multiple) == packed(commands.Basic.Ack(tag, multiple), channel)
    assert fast.nack(channel, tag, multiple) == packed(commands.Basic.Nack(tag, multiple, False), channel)


def test_method_numbers_are_those_of_pamqp() -> None:
    """What the frame loop compares."""
    assert commands.Basic.Publish.index == fast.PUBLISH_INDEX
    assert commands.Basic.Ack.index == fast.ACK_INDEX
    assert commands.Basic.Reject.index == fast.REJECT_INDEX
    assert commands.Basic.Nack.index == fast.NACK_INDEX
    assert commands.Basic.Deliver.index & 0xFFFF == fast.DELIVER
    assert commands.Basic.GetOk.index & 0xFFFF == fast.GET_OK
    assert commands.Basic.Return.index & 0xFFFF == fast.RETURN


def test_publish_flags_are_those_of_pamqp() -> None:
    """The last octet of a basic.publish."""
    for mandatory, immediate in ((False, False), (True, False), (False, True), (True, True)):
        flags = packed(commands.Basic.Publish(mandatory=mandatory, immediate=immediate), 1)[-2]
        assert flags == fast.MANDATORY * mandatory | fast.IMMEDIATE * immediate


# Content


def frames_of(octets: bytes) -> list[tuple[int, int, bytes]]:
    """(type, channel, payload) of frames that stand behind each other."""
    found = []
    while octets:
        kind, channel, size = PREFIX.unpack_from(octets)
        assert octets[7 + size] == 0xCE
        found.append((kind, channel, octets[7 : 7 + size]))
        octets = octets[8 + size :]
    return found


@given(st.binary(max_size=200))
def test_content_as_it_is_kept(octets: bytes) -> None:
    """A header frame and a body frame, as pamqp has them; no frame for an empty body."""
    head = properties.encode({"delivery_mode": 2}, len(octets))
    theirs = packed(header.ContentHeader(0, len(octets), commands.Basic.Properties(delivery_mode=2)), 0)
    if octets:
        theirs += packed(body.ContentBody(octets), 0)
    assert fast.content_frames(head, octets) == theirs


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), CHANNELS, st.integers(9, 200))
def test_content_framed_anew(bodies: list[bytes], channel: int, frame_bytes_max: int) -> None:
    """Another channel and smaller frames: the header whole, the body the same, no body frame too large."""
    total = b"".join(bodies)
    head = properties.encode({"message_id": "m" * 100}, len(total))
    frames = fast.content_frames(head, b"")
    for octets in bodies:
        frames += PREFIX.pack(FRAME_BODY, 9, len(octets)) + octets + b"\xce"
    (kind, number, payload), *rest = frames_of(b"".join(fast.reframe(frames, channel, frame_bytes_max)))
    assert (kind, number, payload) == (FRAME_HEADER, channel, head)
    assert b"".join(part for _, _, part in rest) == total
    assert all((kind, number) == (FRAME_BODY, channel) for kind, number, _ in rest)
    assert all(0 < len(part) <= frame_bytes_max - 8 for _, _, part in rest)


def test_large_bodies_are_referred_to() -> None:
    """However many consumers take a message, it costs its memory once."""
    content = fast.content_frames(properties.encode({}, 1 << 20), bytes(1 << 20))
    parts = fast.reframe(content, 1, 131072)
    assert sum(len(part) for part in parts if not isinstance(part, memoryview)) < 200
    assert all(part.obj is content for part in parts if isinstance(part, memoryview))
