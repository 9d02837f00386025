"""The content header and its fourteen properties, read from the octets and spliced into them.

A header is kept as its publisher sent it. `summarise` walks it once, strictly, and picks out what a broker
must know; `get` reads one property; `replace` and `with_headers` put a few new octets between the old
ones, so that types and order of everything else survive. Whatever is malformed is refused with a
SyntaxFault, a short string that is not UTF-8 with a FrameFault. Refuses to know the body and the broker.
Source: AMQP 0-9-1 section 4.2.6.1.
"""

from typing import Any, Final

from mypy_extensions import i64

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
AFTER_DELIVERY_MODE: Final = DELIVERY_MODE - 1
NOT_TEXT: Final = HEADERS | DELIVERY_MODE | PRIORITY | TIMESTAMP

PERSISTENT: Final = 2
DIRECT_REPLY_TO: Final = b"amq.rabbitmq.reply-to"
"""The reply_to that the broker replaces with an address of its own."""


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
    """Walk all properties, check them (SyntaxFault, FrameFault), and pick out what matters.

    Once per published message with a new header, hence one straight line of tests in the order of the
    flags, no loop and no dictionary, and an end after the delivery mode, where most headers have theirs.
    """
    size: i64 = len(header)
    if size < 14:
        raise _too_short()
    flags: i64 = header[12] << 8 | header[13]
    at: i64 = 14
    summary = Summary()
    if flags & CONTENT_TYPE:
        at = _text_end(header, at, size)
    if flags & CONTENT_ENCODING:
        at = _text_end(header, at, size)
    if flags & HEADERS:
        start: i64 = at + 4
        at = _table_end(header, at, size)
        table.validate(header, start, at)
        summary.headers = header[start:at]
    if flags & DELIVERY_MODE:
        if at >= size:
            raise _cut_short()
        summary.persistent = header[at] == PERSISTENT
        at += 1
    if flags & AFTER_DELIVERY_MODE:
        at = _summarise_rest(header, flags, at, size, summary)
    if at != size:
        raise _too_long()
    if summary.headers:
        summary.needs_attention = True
    return summary


def _summarise_rest(header: bytes, flags: i64, at: i64, size: i64, summary: Summary) -> i64:
    """The properties after the delivery mode; returns the offset behind the last one."""
    if flags & UNUSED_FLAGS:
        raise _unknown_flags()
    start: i64 = at
    attention = flags & (PRIORITY | EXPIRATION | USER_ID) != 0
    if flags & PRIORITY:
        if at >= size:
            raise _cut_short()
        summary.priority = header[at]
        at += 1
    if flags & CORRELATION_ID:
        at = _text_end(header, at, size)
    if flags & REPLY_TO:
        start = at + 1
        at = _text_end(header, at, size)
        summary.reply_to = header[start:at]
        attention = attention or summary.reply_to == DIRECT_REPLY_TO
    if flags & EXPIRATION:
        start = at + 1
        at = _text_end(header, at, size)
        summary.expiration = header[start:at]
    if flags & MESSAGE_ID:
        at = _text_end(header, at, size)
    if flags & TIMESTAMP:
        at += 8
        if at > size:
            raise _cut_short()
    if flags & MESSAGE_TYPE:
        at = _text_end(header, at, size)
    if flags & USER_ID:
        start = at + 1
        at = _text_end(header, at, size)
        summary.user_id = header[start:at]
    if flags & APP_ID:
        at = _text_end(header, at, size)
    if flags & CLUSTER_ID:
        at = _text_end(header, at, size)
    summary.needs_attention = attention
    return at


def _text_end(header: bytes, at: i64, size: i64) -> i64:
    """The offset behind a short string at `at`, which must be UTF-8."""
    if at >= size:
        raise _cut_short()
    start: i64 = at + 1
    length: i64 = header[at]
    end: i64 = start + length
    if end > size:
        raise _cut_short()
    text = header[start:end]
    if not text.isascii():
        _check_text(text)
    return end


def _table_end(header: bytes, at: i64, size: i64) -> i64:
    """The offset behind the header table at `at`; its content is not looked at."""
    start: i64 = at + 4
    if start > size:
        raise _cut_short()
    length: i64 = int.from_bytes(header[at:start], "big")
    if start + length > size:
        raise _cut_short()
    return start + length


def _check_text(octets: bytes) -> None:
    try:
        octets.decode()
    except UnicodeDecodeError:
        raise FrameFault("Malformed UTF-8 in shortstr") from None


def split(header: bytes) -> dict[int, tuple[int, int]]:
    """Flag → start and end of the encoded value, for the properties that are there, in order."""
    flags = _flags(header)
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
        raise _too_long()
    return spans


def _flags(header: bytes) -> int:
    if len(header) < FIXED_BYTES:
        raise _too_short()
    flags = header[12] << 8 | header[13]
    if flags & UNUSED_FLAGS:
        raise _unknown_flags()
    return flags


def _value_end(header: bytes, at: int, flag: int) -> int:
    if flag == HEADERS:
        return _table_end(header, at, len(header))
    if flag & NOT_TEXT == 0:
        return _text_end(header, at, len(header))
    end = at + (8 if flag == TIMESTAMP else 1)
    if end > len(header):
        raise _cut_short()
    return end


def get(header: bytes, name: str) -> Any:
    """One property: str, int, Timestamp or Table; None when it is absent, KeyError for no such name."""
    wanted = FLAGS[name]
    flags = _flags(header)
    if not flags & wanted:
        return None
    start = FIXED_BYTES
    flag = CONTENT_TYPE
    while flag != wanted:
        if flags & flag:
            start = _value_end(header, start, flag)
        flag >>= 1
    return _decode(header, start, _value_end(header, start, wanted), wanted)


def _decode(header: bytes, start: int, end: int, flag: int) -> Any:
    if flag == HEADERS:
        return Table(header[start + 4 : end])
    if flag == TIMESTAMP:
        return Timestamp(int.from_bytes(header[start:end], "big"))
    if flag & NOT_TEXT:
        return header[start]
    return header[start + 1 : end].decode()


def replace(header: bytes, changes: dict[str, bytes | None]) -> bytes:
    """The header with some properties put (already encoded) or, for None, removed.

    KeyError for a name that is none of `NAMES`.
    """
    for name in changes:
        FLAGS[name]
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


def with_first_header(header: bytes, key: str, value: bytes) -> bytes:
    """As `with_headers` with one entry, which goes to the front where that saves a look at the others."""
    octets = key.encode()
    size: i64 = len(header)
    flags: i64 = header[12] << 8 | header[13]
    at: i64 = 14
    if flags & CONTENT_TYPE:
        at = _text_end(header, at, size)
    if flags & CONTENT_ENCODING:
        at = _text_end(header, at, size)
    table_bytes: i64 = len(octets) + len(value) + 1
    behind: i64 = at
    if flags & HEADERS:
        behind = _table_end(header, at, size)
        if octets in header:
            return with_headers(header, {key: value}, frozenset())
        at += 4
        table_bytes += behind - at
    return b"".join(
        (
            header[:12],
            int(flags | HEADERS).to_bytes(2, "big"),
            header[14 : at - 4 if flags & HEADERS else at],
            int(table_bytes).to_bytes(4, "big"),
            bytes((len(octets),)),
            octets,
            value,
            header[at:],
        )
    )


def encode(properties: dict[str, Any], body_bytes: int) -> bytes:
    """A content header's payload from properties by name (str, int, Timestamp, dict or Table).

    ValueError for a value that does not fit, KeyError for a name that is none of `NAMES`.
    """
    header = b"\x00\x3c\x00\x00" + body_bytes.to_bytes(8, "big") + b"\x00\x00"
    changes: dict[str, bytes | None] = {name: _encode(name, value) for name, value in properties.items()}
    return replace(header, changes)


def _encode(name: str, value: Any) -> bytes:
    flag = FLAGS[name]
    if flag == HEADERS:
        content = value.raw if isinstance(value, Table) else table.encode_entries(value)
        return len(content).to_bytes(4, "big") + content
    if flag == TIMESTAMP:
        return _encode_number(name, value.seconds if isinstance(value, Timestamp) else int(value), 8)
    if flag & NOT_TEXT:
        return _encode_number(name, int(value), 1)
    octets = value.encode() if isinstance(value, str) else bytes(value)
    if len(octets) > 255:
        raise ValueError(f"{name} of {len(octets)} octets: at most 255 fit")
    return bytes((len(octets),)) + octets


def _encode_number(name: str, number: int, size: int) -> bytes:
    if not 0 <= number < 1 << 8 * size:
        raise ValueError(f"{name} of {number} does not fit {size} octets")
    return number.to_bytes(size, "big")


def _too_short() -> SyntaxFault:
    return SyntaxFault("content header is too short")


def _cut_short() -> SyntaxFault:
    return SyntaxFault("content header ends inside a property")


def _too_long() -> SyntaxFault:
    return SyntaxFault("content header is longer than its properties")


def _unknown_flags() -> SyntaxFault:
    return SyntaxFault("content header has property flags that basic does not know")
