"""The frame envelope of AMQP 0-9-1: type octet, channel u16, size u32, payload, frame end 0xCE.

Knows where a frame starts and ends and what is wrong with one that does not; refuses to know what a
payload means. The loop that splits a read into frames stands in `session.connection`, where it can act
on whole publishes at once; the numbers, the refusals and the packing stand here.
Source: AMQP 0-9-1 section 2.3.5; texts of the refusals as RabbitMQ sends them.
"""

from struct import Struct
from typing import Final

from mypy_extensions import i64

from mambaamqp.errors import FrameFault

FRAME_METHOD: Final = 1
FRAME_HEADER: Final = 2
FRAME_BODY: Final = 3
FRAME_HEARTBEAT: Final = 8
FRAME_END: Final = 0xCE
FRAME_END_BYTE: Final = b"\xce"

ENVELOPE_BYTES: Final = 8
"""Octets that a frame adds to its payload: seven in front, one behind."""
PREFIX_BYTES: Final = 7
FRAME_BYTES_MIN: Final = 8192
"""frame_max before tune-ok (RabbitMQ 4.1; the standard says 4096). What may be negotiated is configured."""

HEARTBEAT_FRAME: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"
PREFIX: Final = Struct(">BHI")


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """One whole frame."""
    return b"".join((PREFIX.pack(kind, channel, len(payload)), payload, FRAME_END_BYTE))


def body_frames(channel: int, body: bytes, frame_bytes_max: int) -> list[bytes]:
    """The body frames for `body`, each of at most `frame_bytes_max` octets in all; none for an empty body."""
    step = frame_bytes_max - ENVELOPE_BYTES
    return [frame(FRAME_BODY, channel, body[at : at + step]) for at in range(0, len(body), step)]


def octets(data: bytes) -> str:
    """Octets as RabbitMQ (Erlang) prints a binary: <<1,2,3>>."""
    return "<<" + ",".join(str(octet) for octet in data) + ">>"


def too_large(kind: int, size: int, frame_bytes_max: int) -> FrameFault:
    """The refusal of a frame whose announced payload does not fit the negotiated frame_max."""
    allowed = frame_bytes_max - ENVELOPE_BYTES
    return FrameFault(f"type {kind}, all octets = <<>>: {{frame_too_large,{size},{allowed}}}")


def bad_end(kind: int, payload: bytes, end: int) -> FrameFault:
    """The refusal of a frame that does not end with 0xCE; shows at most 16 octets of it."""
    shown = (
        f"first 16 octets = {octets(payload[:16])}"
        if len(payload) > 16
        else f"all octets = {octets(payload)}"
    )
    return FrameFault(f"type {kind}, {shown}: {{invalid_frame_end_marker,{end}}}")


def unknown_type(kind: int, payload: bytes) -> FrameFault:
    """The refusal of a frame type that AMQP 0-9-1 does not have."""
    shown = (
        f"first 16 octets = {octets(payload[:16])}"
        if len(payload) > 16
        else f"all octets = {octets(payload)}"
    )
    return FrameFault(f"type {kind}, {shown}: unknown_frame_type")


def u32(data: bytes, at: i64) -> i64:
    """Unsigned 32-bit big-endian number at `at`. By hand: compiled, this is four loads and no object."""
    first: i64 = data[at]
    second: i64 = data[at + 1]
    third: i64 = data[at + 2]
    fourth: i64 = data[at + 3]
    return first << 24 | second << 16 | third << 8 | fourth


def u16(data: bytes, at: i64) -> i64:
    """Unsigned 16-bit big-endian number at `at`."""
    high: i64 = data[at]
    low: i64 = data[at + 1]
    return high << 8 | low
