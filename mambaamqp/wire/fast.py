"""The hot frames, packed by hand: publish is read, deliver, get-ok, return, ack and nack are written.

pamqp would decode and rebuild names that only pass through (and refuses some that are legal), at twenty
times the price. Here `address` is the pair of short strings `exchange, routing key` exactly as it stood in
the publisher's basic.publish: the same octets go into deliver, get-ok and return.
`tests/wire/test_fast.py` pins every frame byte for byte to pamqp.
"""

from struct import Struct
from typing import Final

from mambaamqp.wire.framing import (
    ENVELOPE_BYTES,
    FRAME_BODY,
    FRAME_END_BYTE,
    FRAME_HEADER,
    FRAME_METHOD,
    PREFIX,
    PREFIX_BYTES,
)

BASIC: Final = 60
PUBLISH: Final = 40
RETURN: Final = 50
DELIVER: Final = 60
GET_OK: Final = 71
ACK: Final = 80
REJECT: Final = 90
NACK: Final = 120

PUBLISH_INDEX: Final = BASIC << 16 | PUBLISH
ACK_INDEX: Final = BASIC << 16 | ACK
REJECT_INDEX: Final = BASIC << 16 | REJECT
NACK_INDEX: Final = BASIC << 16 | NACK

MANDATORY: Final = 1
IMMEDIATE: Final = 2

_METHOD: Final = Struct(">BHIHH")
_CONFIRM: Final = Struct(">BHIHHQBB")
_TAG: Final = Struct(">QB")
_COUNT: Final = Struct(">I")


def deliver_head(channel: int, consumer_tag: bytes, address_size: int) -> bytes:
    """A basic.deliver frame up to the delivery tag; the same for all addresses of that size."""
    size = 4 + 1 + len(consumer_tag) + 9 + address_size
    head = _METHOD.pack(FRAME_METHOD, channel, size, BASIC, DELIVER)
    return b"".join((head, bytes((len(consumer_tag),)), consumer_tag))


def tag_octets(tag: int, redelivered: bool) -> bytes:
    """Delivery tag u64 and the redelivered bit, as deliver and get-ok carry them."""
    return _TAG.pack(tag, redelivered)


def get_ok(channel: int, tag: int, redelivered: bool, address: bytes, message_count: int) -> bytes:
    """A whole basic.get-ok method frame."""
    size = 4 + 9 + len(address) + 4
    head = _METHOD.pack(FRAME_METHOD, channel, size, BASIC, GET_OK)
    return b"".join((head, _TAG.pack(tag, redelivered), address, _COUNT.pack(message_count), FRAME_END_BYTE))


def basic_return(channel: int, code: int, text: bytes, address: bytes) -> bytes:
    """A whole basic.return method frame; `text` has at most 255 octets."""
    size = 4 + 2 + 1 + len(text) + len(address)
    head = _METHOD.pack(FRAME_METHOD, channel, size, BASIC, RETURN)
    return b"".join((head, code.to_bytes(2, "big"), bytes((len(text),)), text, address, FRAME_END_BYTE))


def ack(channel: int, tag: int, multiple: bool) -> bytes:
    """A whole basic.ack frame, as a publisher confirm."""
    return _CONFIRM.pack(FRAME_METHOD, channel, 13, BASIC, ACK, tag, multiple, 0xCE)


def nack(channel: int, tag: int, multiple: bool) -> bytes:
    """A whole basic.nack frame, as a negative publisher confirm."""
    return _CONFIRM.pack(FRAME_METHOD, channel, 13, BASIC, NACK, tag, multiple, 0xCE)


def content_frames(header: bytes, body: bytes) -> bytes:
    """Header and (unless empty) one body frame on channel 0: content as `broker.message` keeps it."""
    parts = [PREFIX.pack(FRAME_HEADER, 0, len(header)), header, FRAME_END_BYTE]
    if body:
        parts += [PREFIX.pack(FRAME_BODY, 0, len(body)), body, FRAME_END_BYTE]
    return b"".join(parts)


def reframe(frames: bytes, channel: int, frame_bytes_max: int) -> list[bytes | memoryview]:
    """Content frames again, for another channel number or a smaller frame_max.

    `frames` are whole frames (a header frame, then body frames, or some of these). Payloads are not copied
    but referred to, so that a message costs its memory once however many consumers take it.
    """
    out: list[bytes | memoryview] = []
    room = frame_bytes_max - ENVELOPE_BYTES
    view = memoryview(frames)
    at = 0
    while at < len(frames):
        kind, _, size = PREFIX.unpack_from(frames, at)
        start = at + PREFIX_BYTES
        # Only bodies may be cut: a header is one frame by definition.
        step = room if kind == FRAME_BODY else size
        for cut in range(start, start + size, step):
            part = view[cut : min(cut + step, start + size)]
            out.append(PREFIX.pack(kind, channel, len(part)))
            out.append(part)
            out.append(FRAME_END_BYTE)
        at = start + size + 1
    return out
