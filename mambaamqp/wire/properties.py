"""The content header and its fourteen properties, read from the octets and spliced into them.

A header is kept as its publisher sent it. `summarise` walks it once, strictly, and picks out what a broker
must know; `get` reads one property; `replace` and `with_headers` put a few new octets between the old
ones, so that types and order of everything else survive.
Source: AMQP 0-9-1 section 4.2.6.1.
"""

from typing import Any, Final

from mambaamqp.errors import FrameFault, SyntaxFault
from mambaamqp.wire import table
from mambaamqp.wire.table import Table, Timestamp

FIXED_BYTES: Final = 14
"""class u16, weight u16, body size u64, flags u16."""

CONTENT_TYPE: Final = 1 << 15
CONTENT_ENCODING: Final = 1 << 14
HEADERS: Final = 1 << 13
DELIVERY_MODE: Final = 1 << 12
PRIORITY: Final = 1 << 11
CORRELATION_ID: Final = 1 << 10
REPLY_TO: Final = 1 << 9
EXPIRATION: Final = 1 << 8
MESSAGE_ID: Final = 1 << 7
TIMESTAMP: Final = 1 << 6
MESSAGE_TYPE: Final = 1 << 5
USER_ID: Final = 1 << 4
APP_ID: Final = 1 << 3
CLUSTER_ID: Final = 1 << 2

NAMES: Final = (
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "message_type",
    "user_id",
    "app_id",
    "cluster_id",
)
"""In the order of their flags, highest first; names as pamqp has them."""
FLAGS: Final[dict[str, int]] = {name: 1 << (15 - place) for place, name in enumerate(NAMES)}
UNUSED_FLAGS: Final = 0b11
"""Bit 0 announces another flag word, which basic never needs; bit 1 means nothing."""

PERSISTENT: Final = 2


class Summary:
    """What the broker must know of a header. `needs_attention`: more than delivery mode matters."""

    __slots__ = ("expiration", "headers", "needs_attention", "persistent", "priority", "reply_to", "user_id")

    def __init__(self) -> None:
        self.persistent = False
        self.priority = -1
        self.expiration: bytes | None = None
        self.user_id: bytes | None = None
        self.reply_to: bytes | None = None
        self.headers: bytes | None = None
        """The content of the header table, without its length."""
        self.needs_attention = False


def body_size(header: bytes) -> int:
    """Octets of the body that the header announces."""
    return int.from_bytes(header[4:12], "big")


def summarise(header: bytes) -> Summary:
    """Walk all properties, check them (SyntaxFault, FrameFault), and pick out what matters."""
    summary = Summary()
    spans = split(header)
    for flag, (start, end) in spans.items():
        if flag == DELIVERY_MODE:
            summary.persistent = header[start] == PERSISTENT
        elif flag == PRIORITY:
            summary.priority = header[start]
        elif flag == HEADERS:
            summary.headers = header[start + 4 : end]
            table.validate(header, start + 4, end)
        elif flag == EXPIRATION:
            summary.expiration = header[start + 1 : end]
        elif flag == USER_ID:
            summary.user_id = header[start + 1 : end]
        elif flag == REPLY_TO:
            summary.reply_to = header[start + 1 : end]
    summary.needs_attention = bool(
        summary.headers
        or summary.priority >= 0
        or summary.expiration is not None
        or summary.user_id is not None
    )
    return summary


def split(header: bytes) -> dict[int, tuple[int, int]]:
    """Flag → start and end of the encoded value, for the properties that are there, in order."""
    if len(header) < FIXED_BYTES:
        raise SyntaxFault("content header is too short")
    flags = header[12] << 8 | header[13]
    if flags & UNUSED_FLAGS:
        raise SyntaxFault("content header has property flags that basic does not know")
    spans: dict[int, tuple[int, int]] = {}
    at = FIXED_BYTES
    flag = CONTENT_TYPE
    while flags:
        if flags & flag:
            flags ^= flag
            end = _value_end(header, at, flag)
            spans[flag] = (at, end)
            at = end
        flag >>= 1
    if at != len(header):
        raise SyntaxFault("content header is longer than its properties")
    return spans


def _value_end(header: bytes, at: int, flag: int) -> int:
    left = len(header) - at
    if flag == HEADERS:
        if left < 4:
            raise SyntaxFault("content header ends inside a property")
        size = 4 + int.from_bytes(header[at : at + 4], "big")
    elif flag == TIMESTAMP:
        size = 8
    elif left < 1:
        raise SyntaxFault("content header ends inside a property")
    elif flag in (DELIVERY_MODE, PRIORITY):
        size = 1
    else:
        size = 1 + header[at]
    if size > left:
        raise SyntaxFault("content header ends inside a property")
    if flag & ~(HEADERS | TIMESTAMP | DELIVERY_MODE | PRIORITY):
        _check_text(header[at + 1 : at + size])
    return at + size


def _check_text(octets: bytes) -> None:
    if not octets.isascii():
        try:
            octets.decode()
        except UnicodeDecodeError:
            raise FrameFault("Malformed UTF-8 in shortstr") from None


def get(header: bytes, name: str) -> Any:
    """One property: str, int, Timestamp or Table; None when it is absent."""
    flag = FLAGS[name]
    span = split(header).get(flag)
    if span is None:
        return None
    start, end = span
    if flag == HEADERS:
        return Table(header[start + 4 : end])
    if flag == TIMESTAMP:
        return Timestamp(int.from_bytes(header[start:end], "big"))
    if flag in (DELIVERY_MODE, PRIORITY):
        return header[start]
    return header[start + 1 : end].decode()


def replace(header: bytes, changes: dict[str, bytes | None]) -> bytes:
    """The header with some properties put (already encoded) or, for None, removed."""
    spans = split(header)
    flags = 0
    parts: list[bytes] = []
    for name, flag in FLAGS.items():
        value = changes[name] if name in changes else _octets(header, spans.get(flag))
        if value is not None:
            flags |= flag
            parts.append(value)
    return b"".join((header[:12], flags.to_bytes(2, "big"), *parts))


def _octets(header: bytes, span: tuple[int, int] | None) -> bytes | None:
    return None if span is None else header[span[0] : span[1]]


def with_headers(header: bytes, put: dict[str, bytes], remove: frozenset[str]) -> bytes:
    """The header with some entries of its header table put or removed; the rest stays byte for byte."""
    span = split(header).get(HEADERS)
    old = b"" if span is None else header[span[0] + 4 : span[1]]
    new = table.splice(old, put, remove)
    return replace(header, {"headers": len(new).to_bytes(4, "big") + new})


def encode(properties: dict[str, Any], body_bytes: int) -> bytes:
    """A content header's payload from properties by name (str, int, Timestamp, dict or Table)."""
    header = b"\x00\x3c\x00\x00" + body_bytes.to_bytes(8, "big") + b"\x00\x00"
    changes: dict[str, bytes | None] = {name: _encode(name, value) for name, value in properties.items()}
    return replace(header, changes)


def _encode(name: str, value: Any) -> bytes:
    flag = FLAGS[name]
    if flag == HEADERS:
        content = value.raw if isinstance(value, Table) else table.encode_entries(value)
        return len(content).to_bytes(4, "big") + content
    if flag == TIMESTAMP:
        seconds = value.seconds if isinstance(value, Timestamp) else int(value)
        return int(seconds).to_bytes(8, "big")
    if flag in (DELIVERY_MODE, PRIORITY):
        return int(value).to_bytes(1, "big")
    octets = value.encode() if isinstance(value, str) else bytes(value)
    if len(octets) > 255:
        raise ValueError(f"{name} of {len(octets)} octets: at most 255 fit")
    return bytes((len(octets),)) + octets
