"""Method payloads ⇄ pamqp's command objects: the one place that imports pamqp.

pamqp knows the shape of every method (fields, types, ids); we walk the fields ourselves. Its own decoder
recurses without a limit and tells an incomplete payload from a broken one by nothing; its own encoder
refuses names that are legal. Here every length is checked before it is believed, trailing octets are
refused, and names pass in both directions as they are. Tables become `wire.table.Table`.
Source: AMQP 0-9-1 section 4.2; ids as in RabbitMQ (exchange.unbind-ok is 51).
"""

import re
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
Tx: Final = commands.Tx

Method = Any
"""A pamqp command object, or one of the three classes below: fields as attributes, `index`, `name`."""

SHORTSTR_BYTES_MAX: Final = 255

_U32: Final = Struct(">I")
_INDEX: Final = Struct(">HH")

BINARY_FIELDS: Final = frozenset({"response", "challenge", "new_secret"})
"""Long strings that are octets (credentials); the others are text where they are UTF-8."""


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

    def __init__(
        self,
        realm: str = "/data",
        exclusive: bool = False,
        passive: bool = True,
        active: bool = True,
        write: bool = True,
        read: bool = True,
    ) -> None:
        self.realm = realm
        self.exclusive = exclusive
        self.passive = passive
        self.active = active
        self.write = write
        self.read = read


class AccessRequestOk:
    """access.request-ok 30/11."""

    __slots__: ClassVar[list[str]] = ["ticket"]
    index: ClassVar[int] = 30 << 16 | 11
    name: ClassVar[str] = "Access.RequestOk"
    _ticket: ClassVar[str] = "short"

    def __init__(self, ticket: int = 1) -> None:
        self.ticket = ticket


class QueueDeclareOk:
    """queue.declare-ok 50/11. pamqp's own refuses to be built with names that are legal, such as `café`."""

    __slots__: ClassVar[list[str]] = [  # noqa: RUF023  in the order of the wire
        "queue",
        "message_count",
        "consumer_count",
    ]
    index: ClassVar[int] = 50 << 16 | 11
    name: ClassVar[str] = "Queue.DeclareOk"
    _queue: ClassVar[str] = "shortstr"
    _message_count: ClassVar[str] = "long"
    _consumer_count: ClassVar[str] = "long"

    def __init__(self, queue: str = "", message_count: int = 0, consumer_count: int = 0) -> None:
        self.queue = queue
        self.message_count = message_count
        self.consumer_count = consumer_count


class Queue:
    """The methods of class 50: pamqp's, but for the one that the broker sends with a client's name in it."""

    Declare: ClassVar[Any] = commands.Queue.Declare
    DeclareOk: ClassVar[Any] = QueueDeclareOk
    Bind: ClassVar[Any] = commands.Queue.Bind
    BindOk: ClassVar[Any] = commands.Queue.BindOk
    Purge: ClassVar[Any] = commands.Queue.Purge
    PurgeOk: ClassVar[Any] = commands.Queue.PurgeOk
    Delete: ClassVar[Any] = commands.Queue.Delete
    DeleteOk: ClassVar[Any] = commands.Queue.DeleteOk
    Unbind: ClassVar[Any] = commands.Queue.Unbind
    UnbindOk: ClassVar[Any] = commands.Queue.UnbindOk


def _fields(cls: Any) -> list[tuple[str, str]]:
    """Field names and AMQP types of a method, in order."""
    return [(field, getattr(cls, "_" + field)) for field in cls.__slots__]


CLASSES: Final[dict[int, Any]] = {
    **commands.INDEX_MAPPING,
    AccessRequest.index: AccessRequest,
    AccessRequestOk.index: AccessRequestOk,
    QueueDeclareOk.index: QueueDeclareOk,
}
FIELDS: Final[dict[int, list[tuple[str, str]]]] = {index: _fields(cls) for index, cls in CLASSES.items()}
NAMES: Final[dict[int, str]] = {
    index: re.sub("(?<=[a-z])(?=[A-Z])", "_", cls.name).lower() for index, cls in CLASSES.items()
}
"""Index → RabbitMQ's name, e.g. basic.ack, queue.declare_ok."""

SIZES: Final = {"octet": 1, "short": 2, "long": 4, "longlong": 8, "timestamp": 8}
"""Octets of the numbers; all are unsigned."""


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
    # Built past __init__ and then filled, so that none of pamqp's rules and warnings for names ever runs.
    method = cls.__new__(cls)
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
    try:
        return octets.decode(), start + size
    except UnicodeDecodeError:
        return octets, start + size


def encode(method: Method) -> bytes:
    """The payload of a method frame: ids, then fields. ValueError for a value that does not fit."""
    index = method.index
    parts: list[bytes] = [_INDEX.pack(index >> 16, index & 0xFFFF)]
    octet = 0
    bit = 0
    for field, kind in FIELDS[index]:
        value = getattr(method, field)
        if kind == "bit":
            # No method has more than eight bits in a row.
            octet |= bool(value) << bit
            bit += 1
            continue
        if bit:
            parts.append(bytes((octet,)))
            octet = bit = 0
        parts.append(_write(value, kind))
    if bit:
        parts.append(bytes((octet,)))
    return b"".join(parts)


def _write(value: Any, kind: str) -> bytes:
    if kind == "shortstr":
        return _write_shortstr(value)
    if kind == "longstr":
        octets = value.encode() if isinstance(value, str) else bytes(value)
        return _U32.pack(len(octets)) + octets
    if kind == "table":
        return _write_table(value)
    number = int(value)
    if not 0 <= number < 1 << 8 * SIZES[kind]:
        raise ValueError(f"{number} does not fit {SIZES[kind]} octets")
    return number.to_bytes(SIZES[kind], "big")


def _write_shortstr(value: Any) -> bytes:
    octets = value.encode() if isinstance(value, str) else bytes(value)
    if len(octets) > SHORTSTR_BYTES_MAX:
        raise ValueError(f"short string of {len(octets)} octets: at most {SHORTSTR_BYTES_MAX} fit")
    return bytes((len(octets),)) + octets


def _write_table(value: Any) -> bytes:
    if isinstance(value, Table):
        return _U32.pack(len(value.raw)) + value.raw
    return table.encode(value or {})
