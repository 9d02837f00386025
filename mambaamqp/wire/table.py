"""AMQP field tables that survive a round trip: the octets are kept, values are read from them.

A `Table` is the content of a field table exactly as its sender wrote it; decoding happens on first use.
Refuses to know what any key means.
Strict: every length is checked against its container before anything is read, nesting is capped, and a
refusal is always a SyntaxFault. Types are RabbitMQ's variant of the standard (`l` is signed 64-bit, `s`
a signed 16-bit number, never a short string).
Source: AMQP 0-9-1 section 4.2.5.5, RabbitMQ's errata.
"""

from decimal import Decimal
from struct import Struct
from typing import Any, Final

from mypy_extensions import i64

from mambaamqp.errors import SyntaxFault

DEPTH_MAX: Final = 64
"""Nested tables and arrays; six octets make a level, and Python's stack is finite."""
KEY_BYTES_MAX: Final = 255
INTEGER_MIN: Final = -(1 << 63)
INTEGER_MAX: Final = (1 << 63) - 1
TIMESTAMP_MAX: Final = (1 << 64) - 1

ENDS_INSIDE_LENGTH: Final = "field table ends inside a length"
EXCEEDS: Final = "a length in a field table exceeds what holds it"
ENDS_INSIDE_VALUE: Final = "field table ends inside a value"

_U32: Final = Struct(">I")
_DECIMAL: Final = Struct(">BI")
_DOUBLE: Final = Struct(">d")

Value = Any
"""bool, int, float, Decimal, str, bytes, Timestamp, None, dict[str, Value] or list[Value]."""

_FIXED: Final[dict[int, Struct]] = {
    ord("b"): Struct(">b"),
    ord("B"): Struct(">B"),
    ord("s"): Struct(">h"),
    ord("u"): Struct(">H"),
    ord("I"): Struct(">i"),
    ord("i"): Struct(">I"),
    ord("l"): Struct(">q"),
    ord("L"): Struct(">q"),
    ord("f"): Struct(">f"),
    ord("d"): Struct(">d"),
}

_UNKNOWN: Final = 255
_LONG: Final = 254
_NESTED: Final = 253
_SIZES: Final = bytes(
    _FIXED[code].size
    if code in _FIXED
    else {"t": 1, "T": 8, "D": 5, "V": 0, "S": _LONG, "x": _LONG, "F": _NESTED, "A": _NESTED}.get(
        chr(code), _UNKNOWN
    )
    for code in range(256)
)
"""Type octet → the octets of its value, or one of the three marks above (u32 length in front; no type)."""

KINDS: Final[dict[str, str]] = {
    "S": "longstr",
    "I": "signedint",
    "i": "unsignedint",
    "l": "long",
    "L": "long",
    "b": "byte",
    "B": "unsignedbyte",
    "s": "short",
    "u": "unsignedshort",
    "T": "timestamp",
    "F": "table",
    "A": "array",
    "t": "bool",
    "d": "double",
    "f": "float",
    "D": "decimal",
    "x": "binary",
    "V": "void",
}
"""Type codes and how RabbitMQ names them in its texts."""


class Timestamp:
    """Seconds since 1970, as type `T`; distinct from a number, as in RabbitMQ's comparisons."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and self.seconds == other.seconds

    def __hash__(self) -> int:
        return hash(("timestamp", self.seconds))

    def __repr__(self) -> str:
        return f"Timestamp({self.seconds})"


class Table:
    """A field table: `raw` is its content without the u32 length in front."""

    __slots__ = ("_codes", "_values", "raw")

    def __init__(self, raw: bytes = b"") -> None:
        self.raw = raw
        self._values: dict[str, Value] | None = None
        self._codes: dict[str, str] = {}

    @property
    def values(self) -> dict[str, Value]:
        """The decoded table; SyntaxFault when it is malformed. Of a repeated key the last value counts."""
        if self._values is None:
            values: dict[str, Value] = {}
            _read_entries(self.raw, 0, len(self.raw), 1, values, self._codes)
            self._values = values
        return self._values

    def get(self, key: str) -> Value:
        """The value of a key, None without it."""
        return self.values.get(key)

    def code(self, key: str) -> str:
        """The type code of a top-level key's value, e.g. "I"; empty without the key."""
        return self._codes.get(key, "") if self.values else ""

    def kind(self, key: str) -> str:
        """The type of a top-level key's value as RabbitMQ names it, e.g. "signedint"."""
        return KINDS.get(self.code(key), "undefined")

    def __contains__(self, key: object) -> bool:
        return key in self.values

    def __bool__(self) -> bool:
        return bool(self.raw)

    def __eq__(self, other: object) -> bool:
        """Equal values, as Python compares them; order and widths do not count."""
        return isinstance(other, Table) and (self.raw == other.raw or self.values == other.values)

    def __hash__(self) -> int:
        return hash(frozenset(self.values))

    def __repr__(self) -> str:
        return f"Table({self.values!r})"


EMPTY: Final = Table()


def decode(data: bytes, at: int) -> tuple[Table, int]:
    """A table with its length at `at`, fully checked, and the offset behind it."""
    start, end = _span(data, at, len(data))
    table = Table(data[start:end])
    # Reading the values is the check; a malformed table must never get past this point.
    _ = table.values
    return table, end


def validate(data: bytes, start: i64, end: i64) -> None:
    """Check the content of a table without keeping anything of it; accepts exactly what `decode` does."""
    if not 0 <= start <= end <= len(data):
        raise SyntaxFault("field table exceeds what holds it")
    _check_entries(data, start, end, 1)


def encode(values: dict[str, Value]) -> bytes:
    """A field table with its u32 length."""
    content = encode_entries(values)
    return _U32.pack(len(content)) + content


def encode_entries(values: dict[str, Value]) -> bytes:
    """The content of a field table; errors as of `encode_value`."""
    return _encode_entries(values, 1)


def _encode_entries(values: dict[str, Value], depth: int) -> bytes:
    return b"".join([_encode_key(key) + _encode_value(value, depth) for key, value in values.items()])


def encode_value(value: Value) -> bytes:
    """Type octet and value. Numbers are written as `l`, text as `S`, octets as `x`.

    ValueError for what does not fit its type or nests too deep, TypeError for what has no type.
    """
    return _encode_value(value, 1)


def _encode_value(value: Value, depth: int) -> bytes:
    if value is None:
        return b"V"
    if isinstance(value, bool):
        return b"t\x01" if value else b"t\x00"
    if isinstance(value, int):
        if not INTEGER_MIN <= value <= INTEGER_MAX:
            raise ValueError(f"{value} does not fit 64 bits")
        return b"l" + value.to_bytes(8, "big", signed=True)
    if isinstance(value, str):
        octets = value.encode()
        return b"S" + _U32.pack(len(octets)) + octets
    if isinstance(value, bytes):
        return b"x" + _U32.pack(len(value)) + value
    if isinstance(value, Timestamp):
        return b"T" + _encode_seconds(value.seconds)
    if isinstance(value, float):
        return b"d" + _DOUBLE.pack(value)
    if isinstance(value, Decimal):
        return b"D" + _encode_decimal(value)
    return _encode_nested(value, depth)


def _encode_nested(value: Value, depth: int) -> bytes:
    if not isinstance(value, dict | list):
        raise TypeError(f"{type(value).__name__} has no place in a field table")
    if depth >= DEPTH_MAX:
        raise ValueError(f"field table nested deeper than {DEPTH_MAX} levels")
    if isinstance(value, dict):
        content = _encode_entries(value, depth + 1)
        return b"F" + _U32.pack(len(content)) + content
    content = b"".join([_encode_value(item, depth + 1) for item in value])
    return b"A" + _U32.pack(len(content)) + content


def _encode_seconds(seconds: int) -> bytes:
    if not 0 <= seconds <= TIMESTAMP_MAX:
        raise ValueError(f"{seconds} is no timestamp")
    return seconds.to_bytes(8, "big")


def _encode_decimal(value: Decimal) -> bytes:
    """Scale and unsigned number, as RabbitMQ reads them: no negative, infinite or very fine decimals."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or not -255 <= exponent <= 10:
        raise ValueError(f"{value} does not fit a decimal field")
    number = int("".join(map(str, digits))) * 10 ** max(exponent, 0)
    if (sign and number) or number > 0xFFFFFFFF:
        raise ValueError(f"{value} does not fit a decimal field")
    return _DECIMAL.pack(max(-exponent, 0), number)


def splice(raw: bytes, put: dict[str, bytes], remove: frozenset[str]) -> bytes:
    """Content with some top-level keys put (to encoded values) or removed; all other octets stay.

    A key that is there keeps its place; new ones go to the end. A key both put and removed is put; of a
    repeated key that is put, the first keeps the place and the others go. Values come from `encode_value`.
    SyntaxFault when `raw` is malformed.
    """
    parts: list[bytes] = []
    left = dict(put)
    at = 0
    while at < len(raw):
        key, value_at = _read_key(raw, at, len(raw))
        end = _check_value(raw, value_at, len(raw), 1)
        if key in left:
            parts.append(raw[at:value_at] + left.pop(key))
        elif key not in remove and key not in put:
            parts.append(raw[at:end])
        at = end
    parts += [_encode_key(key) + value for key, value in left.items()]
    return b"".join(parts)


def _encode_key(key: str) -> bytes:
    octets = key.encode()
    if len(octets) > KEY_BYTES_MAX:
        raise ValueError(f"key of {len(octets)} bytes: at most {KEY_BYTES_MAX} fit")
    return bytes((len(octets),)) + octets


def _span(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Start and end of what a u32 length at `at` announces."""
    if end - at < 4:
        raise SyntaxFault(ENDS_INSIDE_LENGTH)
    start = at + 4
    stop = start + int.from_bytes(data[at:start], "big")
    if stop > end:
        raise SyntaxFault(EXCEEDS)
    return start, stop


def _read_key(data: bytes, at: int, end: int) -> tuple[str, int]:
    start = at + 1
    stop = start + data[at]
    if stop >= end:
        raise SyntaxFault("field table ends inside a key")
    # `stop` itself is inside: a value has at least its type octet.
    try:
        return data[start:stop].decode(), stop
    except UnicodeDecodeError:
        raise SyntaxFault("Malformed UTF-8 in a field table's key") from None


def _read_entries(
    data: bytes, at: int, end: int, depth: int, values: dict[str, Value], codes: dict[str, str]
) -> None:
    while at < end:
        key, at = _read_key(data, at, end)
        codes[key] = chr(data[at])
        values[key], at = _read_value(data, at, end, depth)


def _read_value(data: bytes, at: int, end: int, depth: int) -> tuple[Value, int]:
    """A value with its type octet at `at` (the caller knows it is before `end`), and the offset behind it."""
    code = data[at]
    at += 1
    if code == 83:  # S
        start, stop = _span(data, at, end)
        return _text(data[start:stop]), stop
    fixed = _FIXED.get(code)
    if fixed is not None:
        return fixed.unpack_from(data, _need(at, fixed.size, end))[0], at + fixed.size
    if code == 116:  # t
        return data[_need(at, 1, end)] != 0, at + 1
    if code == 84:  # T
        return Timestamp(int.from_bytes(data[_need(at, 8, end) : at + 8], "big")), at + 8
    if code == 86:  # V
        return None, at
    return _read_nested(data, at, end, depth, code)


def _read_nested(data: bytes, at: int, end: int, depth: int, code: int) -> tuple[Value, int]:
    if code == 68:  # D
        scale, number = _DECIMAL.unpack_from(data, _need(at, 5, end))
        return Decimal(number).scaleb(-scale), at + 5
    if code not in (70, 65, 120):  # F, A, x
        raise _unknown(code)
    start, stop = _span(data, at, end)
    if code == 120:
        return data[start:stop], stop
    if depth >= DEPTH_MAX:
        raise _too_deep()
    if code == 70:
        values: dict[str, Value] = {}
        _read_entries(data, start, stop, depth + 1, values, {})
        return values, stop
    items: list[Value] = []
    while start < stop:
        item, start = _read_value(data, start, stop, depth + 1)
        items.append(item)
    return items, stop


def _need(at: int, size: int, end: int) -> int:
    if end - at < size:
        raise SyntaxFault(ENDS_INSIDE_VALUE)
    return at


def _text(octets: bytes) -> Value:
    """A long string: text where it is UTF-8, else the octets."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets


def _check_entries(data: bytes, at: i64, end: i64, depth: i64) -> None:
    while at < end:
        start: i64 = at + 1
        size: i64 = data[at]
        stop: i64 = start + size
        if stop >= end:
            raise SyntaxFault("field table ends inside a key")
        key = data[start:stop]
        if not key.isascii():
            _read_key(data, at, end)
        at = _check_value(data, stop, end, depth)


def _check_value(data: bytes, at: i64, end: i64, depth: i64) -> i64:
    """The offset behind a value with its type octet at `at`: `_read_value` without the value."""
    code: i64 = data[at]
    size: i64 = _SIZES[code]
    start: i64 = at + 1
    if size == _UNKNOWN:
        raise _unknown(code)
    if size < _NESTED:
        if end - start < size:
            raise SyntaxFault(ENDS_INSIDE_VALUE)
        return start + size
    inside: i64 = start + 4
    if inside > end:
        raise SyntaxFault(ENDS_INSIDE_LENGTH)
    length: i64 = int.from_bytes(data[start:inside], "big")
    stop: i64 = inside + length
    if stop > end:
        raise SyntaxFault(EXCEEDS)
    if size == _NESTED:
        if depth >= DEPTH_MAX:
            raise _too_deep()
        if code == 70:
            _check_entries(data, inside, stop, depth + 1)
            return stop
        while inside < stop:
            inside = _check_value(data, inside, stop, depth + 1)
    return stop


def _unknown(code: int) -> SyntaxFault:
    return SyntaxFault(f"unknown field table type {code}")


def _too_deep() -> SyntaxFault:
    return SyntaxFault(f"field table nested deeper than {DEPTH_MAX} levels")
