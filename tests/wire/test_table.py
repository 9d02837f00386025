"""Field tables: both readers agree, pamqp agrees, nothing malformed gets through, nothing else is touched."""

import datetime
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode as pamqp_decode
from pamqp import encode as pamqp_encode

from mambaamqp.errors import SyntaxFault
from mambaamqp.wire import table
from mambaamqp.wire.table import DEPTH_MAX, Table, Timestamp

KEYS = st.text(max_size=20).filter(lambda key: len(key.encode()) <= 255)
DECIMALS = st.builds(
    lambda number, scale: Decimal(number).scaleb(-scale), st.integers(0, 2**32 - 1), st.integers(0, 255)
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=30),
    st.binary(max_size=30),
    DECIMALS,
    st.builds(Timestamp, st.integers(0, 2**64 - 1)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=6)
PAMQP_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=9)
    | st.floats(width=32, allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=9,
)
PAMQP_TABLES = st.dictionaries(KEYS, PAMQP_VALUES, max_size=5)
"""What pamqp can encode, and means the same by."""

EVERY_TYPE = (
    b"\x01tt\x01\x01bb\xff\x01BB\xff\x01ss\xff\xfe\x01uu\xff\xfe\x01II\xff\xff\xff\xfe\x01ii\xff\xff\xff\xfe"
    b"\x01ll\xff\xff\xff\xff\xff\xff\xff\xfe\x01LL\xff\xff\xff\xff\xff\xff\xff\xfe\x01ff\x3f\x80\x00\x00"
    b"\x01dd\x3f\xf0\x00\x00\x00\x00\x00\x00\x01DD\x02\x00\x00\x01\x3a\x01SS\x00\x00\x00\x03\xc3\xa9!"
    b"\x01xx\x00\x00\x00\x02\x00\xff\x01TT\x00\x00\x00\x00\x5f\xee\x66\x00\x01VV"
    b"\x01FF\x00\x00\x00\x04\x01at\x00\x01AA\x00\x00\x00\x03Vt\x01"
)
EVERY_VALUE: dict[str, Any] = {
    "t": True,
    "b": -1,
    "B": 255,
    "s": -2,
    "u": 65534,
    "I": -2,
    "i": 2**32 - 2,
    "l": -2,
    "L": -2,
    "f": 1.0,
    "d": 1.0,
    "D": Decimal("3.14"),
    "S": "é!",
    "x": b"\x00\xff",
    "T": Timestamp(1609459200),
    "V": None,
    "F": {"a": False},
    "A": [None, True],
}


def with_length(content: bytes) -> bytes:
    """A table's content as it stands in a method."""
    return len(content).to_bytes(4, "big") + content


def accepted(content: bytes) -> bool:
    """Whether all readers take it, or all refuse it: with a SyntaxFault, never with another exception."""
    verdicts = set()
    for read in (
        lambda: Table(content).values,
        lambda: table.validate(content, 0, len(content)),
        lambda: table.splice(content, {}, frozenset()),
        lambda: table.decode(with_length(content), 0),
    ):
        try:
            read()
            verdicts.add(True)
        except SyntaxFault:
            verdicts.add(False)
    [verdict] = verdicts
    return verdict


@given(TABLES)
def test_what_is_encoded_is_decoded(values: dict[str, Any]) -> None:
    """A round trip keeps every value, and its kind."""
    decoded, end = table.decode(b"??" + table.encode(values) + b"!", 2)

    assert decoded.values == values
    assert list(decoded.values) == list(values)
    assert end == 2 + 4 + len(decoded.raw)
    assert table.encode(decoded.values) == table.encode(values)
    assert accepted(decoded.raw)


def test_every_type_is_read() -> None:
    """RabbitMQ's variant of the types: `s` is 16 bits, `l` and `L` are signed."""
    read = Table(EVERY_TYPE)

    assert read.values == EVERY_VALUE
    assert [read.code(key) for key in EVERY_VALUE] == list(EVERY_VALUE)
    assert accepted(EVERY_TYPE)


def test_every_type_is_named_as_rabbitmq_names_it() -> None:
    """The names stand in the texts of 406."""
    read = Table(EVERY_TYPE)

    assert [read.kind(key) for key in ("I", "l", "S", "t", "x", "V", "nope")] == [
        "signedint",
        "long",
        "longstr",
        "bool",
        "binary",
        "void",
        "undefined",
    ]
    assert set(table.KINDS) == set(EVERY_VALUE)
    assert read.code("nope") == ""


@given(PAMQP_TABLES)
def test_what_pamqp_encodes_is_read(values: dict[str, Any]) -> None:
    """Whatever width pamqp chooses for a number, the value is the same."""
    octets = pamqp_encode.field_table(values)

    decoded, end = table.decode(octets, 0)

    assert decoded.values == values
    assert end == len(octets)


@given(st.dictionaries(KEYS.filter(bool), st.booleans() | st.text(max_size=9) | st.none(), max_size=5))
def test_octets_are_pamqps_where_types_have_one_form(values: dict[str, Any]) -> None:
    """Byte for byte, in pamqp's order of keys."""
    ordered = dict(sorted(values.items()))

    assert table.encode(ordered) == pamqp_encode.field_table(ordered)


@given(TABLES)
def test_pamqp_reads_what_is_encoded(values: dict[str, Any]) -> None:
    """Another decoder finds the same, in its own types."""
    octets = table.encode(values)
    small = all(stamp < 253402300800 for stamp in timestamps(values))

    if small:
        _, read = pamqp_decode.field_table(octets)
        assert read == as_pamqp(values)


def timestamps(value: Any) -> list[int]:
    """Every timestamp in a value."""
    if isinstance(value, Timestamp):
        return [value.seconds]
    if isinstance(value, dict):
        return timestamps(list(value.values()))
    return [stamp for item in value for stamp in timestamps(item)] if isinstance(value, list) else []


def as_pamqp(value: Any) -> Any:
    """A value as pamqp decodes it."""
    if isinstance(value, dict):
        return {key: as_pamqp(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_pamqp(item) for item in value]
    if isinstance(value, Decimal):
        # pamqp takes the number for a signed one; RabbitMQ and we do not.
        _, digits, exponent = value.as_tuple()
        number = int("".join(map(str, digits)))
        return Decimal(number - (1 << 32 if number >> 31 else 0)).scaleb(int(exponent))
    if isinstance(value, Timestamp):
        seconds = value.seconds / 1000 if value.seconds > 0xFFFFFFFF else value.seconds
        return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return bytearray(value) if isinstance(value, bytes) else value


def test_a_long_string_that_is_not_text_stays_octets() -> None:
    """Clients put octets into `S`; they come out as bytes, and the raw table is what it was."""
    raw = b"\x01aS\x00\x00\x00\x02\xff\xfe"

    assert Table(raw).values == {"a": b"\xff\xfe"}
    assert Table(raw).code("a") == "S"


def test_not_a_number_is_read() -> None:
    """NaN is a legal double."""
    assert math.isnan(Table(b"\x01ad\x7f\xf8\x00\x00\x00\x00\x00\x00").get("a"))


def test_the_last_of_repeated_keys_counts() -> None:
    """Duplicates are tolerated and stay in the octets."""
    read = Table(b"\x01at\x00\x01aV")

    assert read.values == {"a": None}
    assert read.code("a") == "V"


def test_tables_with_equal_values_are_equal() -> None:
    """Order and width of numbers do not count, and equal tables have equal hashes."""
    wide, narrow = Table(b"\x01al" + bytes(7) + b"\x05\x01bV"), Table(b"\x01bV\x01ab\x05")

    assert wide == narrow
    assert hash(wide) == hash(narrow)
    assert wide != Table(b"\x01ab\x05")
    assert wide != wide.values


def test_a_table_answers_like_a_dictionary() -> None:
    """Membership, look-up, truth and a readable form."""
    read = Table(b"\x01ab\x05")

    assert "a" in read
    assert "b" not in read
    assert read.get("a") == 5
    assert read.get("b") is None
    assert read
    assert not table.EMPTY
    assert repr(read) == "Table({'a': 5})"


def test_timestamps_are_no_numbers() -> None:
    """A timestamp equals a timestamp only."""
    assert Timestamp(5) == Timestamp(5)
    assert Timestamp(5) != 5
    assert hash(Timestamp(5)) == hash(Timestamp(5))
    assert repr(Timestamp(5)) == "Timestamp(5)"


@pytest.mark.parametrize("cut", range(1, len(EVERY_TYPE)))
def test_a_table_cut_short_is_refused_or_whole(cut: int) -> None:
    """At every octet: refused, unless the cut falls between two entries."""
    whole = {len(EVERY_TYPE)}
    at = 0
    for key in Table(EVERY_TYPE).values:
        size = {"t": 1, "b": 1, "B": 1, "s": 2, "u": 2, "I": 4, "i": 4, "f": 4, "D": 5, "V": 0}.get(key, 8)
        if key in "SxFA":
            size = {"S": 7, "x": 6, "F": 8, "A": 7}[key]
        at += 3 + size
        whole.add(at)

    assert accepted(EVERY_TYPE[:cut]) is (cut in whole)


@pytest.mark.parametrize("code", range(256))
def test_only_known_types_are_read(code: int) -> None:
    """Nineteen letters mean something; everything else is refused, at the top and inside an array."""
    known = chr(code) in EVERY_VALUE
    value = bytes((code,)) + bytes(8 if chr(code) in "lLdT" else 0)
    sizes = {"t": 1, "b": 1, "B": 1, "s": 2, "u": 2, "I": 4, "i": 4, "f": 4, "D": 5}
    value += bytes(sizes.get(chr(code), 4 if chr(code) in "SxFA" else 0))

    assert accepted(b"\x01k" + value) is known
    assert accepted(b"\x01kA" + with_length(value)) is known


@pytest.mark.parametrize("code", [b"S", b"x", b"F", b"A"])
@pytest.mark.parametrize("length", [1, 5, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_lengths_that_lie_are_refused(code: bytes, length: int) -> None:
    """No length is believed beyond its container, even where octets follow behind the container."""
    lie = b"\x01k" + code + length.to_bytes(4, "big")

    assert not accepted(lie)
    assert not accepted(b"\x01kF" + with_length(lie) + b"\x01zS" + with_length(b"........"))
    with pytest.raises(SyntaxFault):
        table.decode(length.to_bytes(4, "big"), 0)


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\x00\x00\x00"])
def test_a_length_that_is_cut_is_refused(octets: bytes) -> None:
    """A table has four octets of length, always."""
    with pytest.raises(SyntaxFault):
        table.decode(octets, 0)


@pytest.mark.parametrize(("start", "end"), [(-1, 0), (1, 0), (0, 4)])
def test_bounds_outside_the_octets_are_refused(start: int, end: int) -> None:
    """Nothing is read outside the octets, whoever computed the bounds."""
    with pytest.raises(SyntaxFault):
        table.validate(b"\x01kV", start, end)


def test_a_key_must_be_text() -> None:
    """Keys become names in texts and pages."""
    assert not accepted(b"\x01\xffV")
    assert accepted(b"\x02\xc3\xa9V")


def test_a_key_may_have_255_octets() -> None:
    """RabbitMQ's limit, not the standard's 128; more cannot even be said, and is never cut."""
    assert Table(table.encode_entries({"k" * 255: 1})).get("k" * 255) == 1
    with pytest.raises(ValueError, match="256 bytes"):
        table.encode_entries({"k" * 256: 1})


def nested(code: bytes, levels: int) -> bytes:
    """The content of a table with so many levels below it."""
    content = b""
    for _ in range(levels - 1):
        content = (b"\x00F" if code == b"F" else b"A") + with_length(content)
    return b"\x00" + code + with_length(content)


@pytest.mark.parametrize("code", [b"F", b"A"])
def test_nesting_is_capped(code: bytes) -> None:
    """The table itself is the first level; what is one too deep is refused by all readers alike."""
    assert accepted(nested(code, DEPTH_MAX - 1))
    assert not accepted(nested(code, DEPTH_MAX))


@pytest.mark.parametrize("entry", [b"\x00F", b"A"])
def test_as_deep_as_a_frame_allows_is_refused(entry: bytes) -> None:
    """Five or six octets a level make 21,800 levels in one frame, beyond any Python stack."""
    content = b""
    parts = []
    for level in range(21_800):
        parts.append(entry + ((21_799 - level) * (len(entry) + 4)).to_bytes(4, "big"))
    content = b"".join(parts)

    assert not accepted(content if entry != b"A" else b"\x00" + content)


def test_nesting_is_capped_in_what_is_written() -> None:
    """What we could not read again is not written."""
    value: Any = []
    for _ in range(DEPTH_MAX - 2):
        value = [value]
    assert Table(table.encode_entries({"k": value})).get("k") == value

    with pytest.raises(ValueError, match="deeper"):
        table.encode_entries({"k": [value]})
    with pytest.raises(ValueError, match="deeper"):
        table.encode_entries({"k": {"k": value}})


def test_as_many_entries_as_a_frame_holds_are_read() -> None:
    """65,000 voids are legal and quick."""
    content = b"".join(b"\x02" + number.to_bytes(2, "big") + b"V" for number in range(0x80))
    content += b"\x01aV" * 43_000

    assert accepted(content)
    assert len(Table(content).values) == 0x81


@given(st.binary(max_size=60))
def test_noise_is_read_or_refused(content: bytes) -> None:
    """Never another exception, and all readers of one mind."""
    accepted(content)


@given(TABLES, st.data())
def test_damage_is_read_or_refused(values: dict[str, Any], data: st.DataObject) -> None:
    """A legal table with some octets changed: never another exception, and all readers of one mind."""
    content = bytearray(table.encode_entries(values) or b"\x00V")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    accepted(bytes(content))


@pytest.mark.parametrize(
    "value",
    [
        2**63,
        -(2**63) - 1,
        Timestamp(-1),
        Timestamp(2**64),
        "\ud800",
        *map(Decimal, ("-1", "4294967296", "NaN", "Infinity", "1e-256", "1e11", "1e999999")),
    ],
)
def test_what_does_not_fit_is_not_written(value: Any) -> None:
    """A ValueError, never a cut or wrapped value."""
    with pytest.raises(ValueError):
        table.encode_value(value)


@pytest.mark.parametrize("value", [object(), (1,), {1}])
def test_what_has_no_type_is_not_written(value: Any) -> None:
    """A TypeError that names the class."""
    with pytest.raises(TypeError, match=type(value).__name__):
        table.encode_value(value)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (Decimal("1E+3"), b"D\x00\x00\x00\x03\xe8"),
        (Decimal("-0"), b"D\x00\x00\x00\x00\x00"),
        (Decimal("0.10"), b"D\x02\x00\x00\x00\x0a"),
    ],
)
def test_decimals_are_scale_and_number(value: Decimal, octets: bytes) -> None:
    """Unsigned, as RabbitMQ reads them; a positive exponent is multiplied out."""
    assert table.encode_value(value) == octets


@given(TABLES, st.dictionaries(KEYS, VALUES, max_size=3), st.data())
def test_splicing_keeps_every_other_octet(
    values: dict[str, Any], new: dict[str, Any], data: st.DataObject
) -> None:
    """Put keys keep their place or go to the end, removed ones go; of the rest every octet stays."""
    touched = st.sampled_from(sorted(values)) if values else st.nothing()
    put = new | dict.fromkeys(data.draw(st.sets(touched)), "new") if values else new
    remove = frozenset(data.draw(st.sets(touched | KEYS, max_size=4)))
    raw = b"".join(table.encode_entries({key: value}) for key, value in values.items())

    spliced = table.splice(raw, {key: table.encode_value(value) for key, value in put.items()}, remove)

    expected = {key: put.get(key, value) for key, value in values.items() if key in put or key not in remove}
    expected |= {key: value for key, value in put.items() if key not in expected}
    assert spliced == table.encode_entries(expected)


def test_splicing_keeps_types_that_are_never_written() -> None:
    """Floats, narrow numbers and octets in `S` stay what the client sent."""
    spliced = table.splice(EVERY_TYPE, {"new": b"V"}, frozenset({"T"}))

    assert spliced == EVERY_TYPE.replace(b"\x01TT\x00\x00\x00\x00\x5f\xee\x66\x00", b"") + b"\x03newV"


def test_splicing_puts_a_repeated_key_once() -> None:
    """At the place of the first; put wins over remove."""
    raw = b"\x01at\x00\x01bV\x01at\x01"

    assert table.splice(raw, {"a": b"V"}, frozenset({"a"})) == b"\x01aV\x01bV"
    assert table.splice(raw, {}, frozenset({"a"})) == b"\x01bV"
