"""Method payloads ⇄ pamqp's command objects: the one place that imports pamqp.

pamqp knows the shape of every method (fields, types, ids); we walk the fields ourselves. Its own decoder
recurses without a limit and tells an incomplete payload from a broken one by nothing; its own encoder
refuses names that are legal. Here every length is checked before it is believed, trailing octets are
refused, and names pass in both directions as they are. Tables become `wire.table.Table`.
Source: AMQP 0-9-1 section 4.2; ids as in RabbitMQ (exchange.unbind-ok is 51).
"""

from struct import Struct
from typing import Any, ClassVar, Final

from pamqp import commands

from mambaamqp.errors import CommandInvalid, FrameFault, SyntaxFault
from mambaamqp.wire import table
from mambaamqp.wire.table import Table

Basic: Final = commands.Basic
Channel: Final = commands.Channel
Confirm: Final = commands.Confirm
Connection: Final = commands.Connection
Exchange: Final = commands.Exchange
Queue: Final = commands.Queue
Tx: Final = commands.Tx

Method = Any
"""A pamqp command object, or one of the two classes below: fields as attributes, `index`, `name`."""

SHORTSTR_BYTES_MAX: Final = 255

_U16: Final = Struct(">H")
_U32: Final = Struct(">I")
_U64: Final = Struct(">Q")
_INDEX: Final = Struct(">HH")

BINARY_FIELDS: Final = frozenset({"response", "challenge"})
"""Long strings that are octets (SASL); the others are text."""


class AccessRequest:
    """access.request 30/10: gone from AMQP 0-9-1, still sent by old clients."""

    __slots__: ClassVar[list[str]] = [  # noqa: RUF023  in the order of the wire
        "realm",
        "exclusive",
        "passive",
        "active",
        "write",
        "read",
    ]
    index: ClassVar[int] = 30 << 16 | 10
    name: ClassVar[str] = "Access.Request"
    _realm: ClassVar[str] = "shortstr"
    _exclusive: ClassVar[str] = "bit"
    _passive: ClassVar[str] = "bit"
    _active: ClassVar[str] = "bit"
    _write: ClassVar[str] = "bit"
    _read: ClassVar[str] = "bit"

    realm: str
    exclusive: bool
    passive: bool
    active: bool
    write: bool
    read: bool


class AccessRequestOk:
    """access.request-ok 30/11."""

    __slots__: ClassVar[list[str]] = ["ticket"]
    index: ClassVar[int] = 30 << 16 | 11
    name: ClassVar[str] = "Access.RequestOk"
    _ticket: ClassVar[str] = "short"

    def __init__(self, ticket: int = 1) -> None:
        self.ticket = ticket


def _fields(cls: Any) -> list[tuple[str, str]]:
    """Field names and AMQP types of a method, in order."""
    return [(field, getattr(cls, "_" + field)) for field in cls.__slots__]


CLASSES: Final[dict[int, Any]] = {
    **commands.INDEX_MAPPING,
    AccessRequest.index: AccessRequest,
    AccessRequestOk.index: AccessRequestOk,
}
FIELDS: Final[dict[int, list[tuple[str, str]]]] = {index: _fields(cls) for index, cls in CLASSES.items()}
KNOWN_CLASSES: Final = frozenset(index >> 16 for index in CLASSES)


def decode(payload: bytes) -> Method:
    """The method of a method frame's payload.

    Raises CommandInvalid (503) for ids that AMQP 0-9-1 does not have, SyntaxFault (502) for fields that are
    cut short or followed by more, FrameFault (501) for a short string that is not UTF-8.
    """
    if len(payload) < 4:
        raise SyntaxFault("method frame is too short")
    index = int.from_bytes(payload[:4], "big")
    fields = FIELDS.get(index)
    if fields is None:
        raise CommandInvalid(f"unknown method {index >> 16}.{index & 0xFFFF}")
    cls = CLASSES[index]
    # Built without arguments and then filled, so that pamqp's own rules for names never run.
    method = cls()
    at = _read_fields(method, fields, payload)
    if at != len(payload):
        raise SyntaxFault(f"{len(payload) - at} octets too many in {cls.name}")
    return method


def _read_fields(method: Method, fields: list[tuple[str, str]], payload: bytes) -> int:
    at = 4
    bit = 8
    for field, kind in fields:
        if kind == "bit":
            if bit == 8:
                _need(payload, at, 1)
                bit = 0
                at += 1
            setattr(method, field, bool(payload[at - 1] >> bit & 1))
            bit += 1
            continue
        bit = 8
        value, at = _read(payload, at, field, kind)
        setattr(method, field, value)
    return at


def _read(payload: bytes, at: int, field: str, kind: str) -> tuple[Any, int]:
    if kind == "shortstr":
        return _read_shortstr(payload, at)
    if kind == "table":
        return table.decode(payload, at)
    if kind == "longstr":
        return _read_longstr(payload, at, field)
    size = SIZES[kind]
    _need(payload, at, size)
    return int.from_bytes(payload[at : at + size], "big"), at + size


SIZES: Final = {"octet": 1, "short": 2, "long": 4, "longlong": 8, "timestamp": 8}


def _need(payload: bytes, at: int, size: int) -> None:
    if len(payload) - at < size:
        raise SyntaxFault("method frame ends inside a field")


def _read_shortstr(payload: bytes, at: int) -> tuple[str, int]:
    _need(payload, at, 1)
    start = at + 1
    end = start + payload[at]
    _need(payload, at, 1 + payload[at])
    try:
        return payload[start:end].decode(), end
    except UnicodeDecodeError:
        raise FrameFault("Malformed UTF-8 in shortstr") from None


def _read_longstr(payload: bytes, at: int, field: str) -> tuple[Any, int]:
    _need(payload, at, 4)
    start = at + 4
    size = int.from_bytes(payload[at:start], "big")
    _need(payload, start, size)
    octets = payload[start : start + size]
    if field in BINARY_FIELDS:
        return octets, start + size
    return octets.decode(errors="replace"), start + size


def encode(method: Method) -> bytes:
    """The payload of a method frame: ids, then fields. ValueError for a value that does not fit."""
    index = method.index
    parts: list[bytes] = [_INDEX.pack(index >> 16, index & 0xFFFF)]
    bits = -1
    bit = 0
    for field, kind in FIELDS[index]:
        value = getattr(method, field)
        if kind == "bit":
            if bits < 0 or bit == 8:
                if bit == 8:
                    parts.append(bytes((bits,)))
                bits = 0
                bit = 0
            bits |= bool(value) << bit
            bit += 1
            continue
        if bits >= 0:
            parts.append(bytes((bits,)))
            bits = -1
            bit = 0
        parts.append(_write(value, kind))
    if bits >= 0:
        parts.append(bytes((bits,)))
    return b"".join(parts)


def _write(value: Any, kind: str) -> bytes:
    if kind == "shortstr":
        return _write_shortstr(value)
    if kind == "longstr":
        octets = value.encode() if isinstance(value, str) else bytes(value)
        return _U32.pack(len(octets)) + octets
    if kind == "table":
        return _write_table(value)
    return int(value).to_bytes(SIZES[kind], "big")


def _write_shortstr(value: Any) -> bytes:
    octets = value.encode() if isinstance(value, str) else bytes(value)
    if len(octets) > SHORTSTR_BYTES_MAX:
        raise ValueError(f"short string of {len(octets)} octets: at most {SHORTSTR_BYTES_MAX} fit")
    return bytes((len(octets),)) + octets


def _write_table(value: Any) -> bytes:
    if isinstance(value, Table):
        return _U32.pack(len(value.raw)) + value.raw
    return table.encode(value or {})
