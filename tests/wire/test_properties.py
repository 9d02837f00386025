"""Content headers: pamqp agrees, what is malformed is refused, splicing touches nothing else."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands
from pamqp.header import ContentHeader

from mambaamqp.errors import FrameFault, SyntaxFault
from mambaamqp.wire import properties, table
from mambaamqp.wire.properties import FLAGS, NAMES, Summary, summarise
from mambaamqp.wire.table import Table, Timestamp

TEXTS = st.text(max_size=40)
OCTETS = st.integers(0, 255)
HEADERS = st.dictionaries(
    st.text(max_size=20), st.booleans() | st.text(max_size=9) | st.none(), max_size=3
).map(lambda values: dict(sorted(values.items())))
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "headers": HEADERS,
    "delivery_mode": OCTETS,
    "priority": OCTETS,
    "timestamp": st.builds(Timestamp, st.integers(0, 2**64 - 1)),
}
PROPERTIES = st.fixed_dictionaries({}, optional={name: KINDS.get(name, TEXTS) for name in NAMES})
SIZES = st.integers(0, 2**64 - 1)

FULL: dict[str, Any] = {
    "content_type": "text/plain",
    "content_encoding": "gzip",
    "headers": {"k": [1, {"a": None}], "é": "ü"},
    "delivery_mode": 2,
    "priority": 9,
    "correlation_id": "correlation",
    "reply_to": "reply",
    "expiration": "60000",
    "message_id": "message",
    "timestamp": Timestamp(1609459200),
    "message_type": "type",
    "user_id": "guest",
    "app_id": "app",
    "cluster_id": "cluster",
}


def header(flags: int, values: bytes, body_bytes: int = 0) -> bytes:
    """A content header's payload, right or wrong."""
    return b"\x00\x3c\x00\x00" + body_bytes.to_bytes(8, "big") + flags.to_bytes(2, "big") + values


def seen(summary: Summary) -> tuple[Any, ...]:
    """All that a summary says."""
    return (
        summary.persistent,
        summary.priority,
        summary.expiration,
        summary.user_id,
        summary.reply_to,
        summary.headers,
        summary.needs_attention,
    )


def accepted(octets: bytes) -> bool:
    """Whether the header is taken; the readers of single properties must agree, and never fail otherwise."""
    try:
        summarise(octets)
    except (SyntaxFault, FrameFault):
        good = False
    else:
        good = True
    for name in NAMES:
        try:
            value = properties.get(octets, name)
            properties.replace(octets, {name: None})
            assert not good or not isinstance(value, Table) or value.values is not None
        except (SyntaxFault, FrameFault):
            assert not good
    try:
        properties.with_headers(octets, {"k": b"V"}, frozenset())
    except (SyntaxFault, FrameFault):
        assert not good
    return good


@given(PROPERTIES, SIZES)
def test_what_is_encoded_is_read(values: dict[str, Any], size: int) -> None:
    """Every property, one at a time; absent ones are None."""
    octets = properties.encode(values, size)

    assert properties.body_size(octets) == size
    for name in NAMES:
        value = properties.get(octets, name)
        assert (value.values if isinstance(value, Table) else value) == values.get(name)
    assert list(properties.split(octets)) == [FLAGS[name] for name in NAMES if name in values]


@given(PROPERTIES)
def test_a_summary_says_what_a_broker_must_know(values: dict[str, Any]) -> None:
    """The same as reading the properties one by one."""
    octets = properties.encode(values, 0)
    headers = table.encode_entries(values["headers"]) if "headers" in values else None
    texts = {name: text.encode() for name, text in values.items() if isinstance(text, str)}

    attention = bool(headers) or not values.keys().isdisjoint({"priority", "expiration", "user_id"})
    assert seen(summarise(octets)) == (
        values.get("delivery_mode") == 2,
        values.get("priority", -1),
        texts.get("expiration"),
        texts.get("user_id"),
        texts.get("reply_to"),
        headers,
        attention,
    )


@pytest.mark.parametrize(
    ("octets", "persistent"),
    [
        (header(0, b""), False),
        (header(0x1000, b"\x02"), True),
        (header(0x1000, b"\x01"), False),
        (header(0x9000, b"\x0atext/plain\x02"), True),
        (header(0x9000, b"\x00\x01"), False),
        (header(0x8000, b"\x04text"), False),
    ],
)
def test_common_headers_are_summarised(octets: bytes, persistent: bool) -> None:
    """The shapes that nearly every publisher sends: nothing but the delivery mode matters."""
    assert seen(summarise(octets)) == (persistent, -1, None, None, None, None, False)


def test_a_full_header_is_summarised() -> None:
    """All fourteen properties at once."""
    octets = properties.encode(FULL, 5)

    raw = table.encode_entries(FULL["headers"])
    assert seen(summarise(octets)) == (True, 9, b"60000", b"guest", b"reply", raw, True)


def test_a_header_table_with_nothing_in_it_is_no_cause_for_attention() -> None:
    """Many clients always send one; it is there, and empty."""
    summary = summarise(header(0x3000, bytes(4) + b"\x02"))

    assert summary.headers == b""
    assert summary.needs_attention is False


@given(PROPERTIES, SIZES)
def test_octets_are_pamqps(values: dict[str, Any], size: int) -> None:
    """Byte for byte, where pamqp can: it leaves out empty strings, and no date lies after the year 9999."""
    values = {name: value for name, value in values.items() if value != ""}
    if "timestamp" in values:
        values["timestamp"] = Timestamp(values["timestamp"].seconds % 2**32)
    theirs = commands.Basic.Properties()
    for name, value in values.items():
        stamp = isinstance(value, Timestamp)
        setattr(
            theirs, name, datetime.datetime.fromtimestamp(value.seconds, datetime.UTC) if stamp else value
        )

    octets = properties.encode(values, size)

    # pamqp's own validation would refuse delivery modes beyond 2 and a cluster id.
    assert octets[12:] == theirs.marshal()
    if size < 2**63:
        assert octets == ContentHeader(0, size, theirs).marshal()


def test_pamqp_has_the_same_names_and_flags() -> None:
    """Names are pamqp's, so that callers need one vocabulary only."""
    assert commands.Basic.Properties.flags == FLAGS
    assert tuple(commands.Basic.Properties.attributes()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_property_alone_cut_short_is_refused(name: str) -> None:
    """At every octet, from an empty payload on: 502."""
    octets = properties.encode({name: FULL[name]}, 0)

    assert accepted(octets)
    for cut in range(len(octets)):
        assert not accepted(octets[:cut])


def test_a_full_header_cut_short_is_refused() -> None:
    """At every octet: 502."""
    octets = properties.encode(FULL, 0)

    assert accepted(octets)
    for cut in range(len(octets)):
        with pytest.raises(SyntaxFault):
            summarise(octets[:cut])


@pytest.mark.parametrize(
    "values", [{}, FULL, {"delivery_mode": 2}, {"content_type": "t", "delivery_mode": 1}]
)
def test_trailing_octets_are_refused(values: dict[str, Any]) -> None:
    """A header says where it ends: 502."""
    octets = properties.encode(values, 0) + b"\x00"

    with pytest.raises(SyntaxFault, match="longer"):
        summarise(octets)
    with pytest.raises(SyntaxFault, match="longer"):
        properties.split(octets)


@pytest.mark.parametrize("flags", [0x0001, 0x0002, 0x9001, 0xFFFF])
def test_unknown_flags_are_refused(flags: int) -> None:
    """Neither a second flag word nor a fifteenth property exists in class basic."""
    octets = header(flags, b"\x00\x01" + bytes(40))

    assert not accepted(octets)
    with pytest.raises(SyntaxFault):
        properties.get(octets, "priority")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in KINDS])
def test_short_strings_must_be_utf_8(name: str) -> None:
    """501 with RabbitMQ's text, for every property that is one."""
    octets = header(FLAGS[name], b"\x02\xc3\x28")

    with pytest.raises(FrameFault, match=r"^Malformed UTF-8 in shortstr$"):
        summarise(octets)
    with pytest.raises(FrameFault):
        properties.get(octets, name)


@pytest.mark.parametrize("length", [1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_lengths_that_lie_are_refused(length: int) -> None:
    """Of the header table: more than there is, is 502."""
    assert not accepted(header(FLAGS["headers"], length.to_bytes(4, "big")))


@pytest.mark.parametrize("length", range(1, 256))
def test_short_lengths_that_lie_are_refused(length: int) -> None:
    """Of a short string: more than there is, is 502."""
    assert not accepted(header(FLAGS["reply_to"], bytes((length,)) + b"x" * (length - 1)))
    assert accepted(header(FLAGS["reply_to"], bytes((length,)) + b"x" * length))


@pytest.mark.parametrize("raw", [b"\x01kZ", b"\x01k", b"\x05kV", b"\x01\xffV", b"\x01kS\x00\x00\x00\x09x"])
def test_a_malformed_header_table_is_refused(raw: bytes) -> None:
    """With the header, not when somebody looks into the table."""
    octets = header(FLAGS["headers"] | FLAGS["delivery_mode"], len(raw).to_bytes(4, "big") + raw + b"\x02")

    with pytest.raises(SyntaxFault):
        summarise(octets)


def test_a_header_table_does_not_read_beyond_itself() -> None:
    """A value that ends in the next property is cut short, although the octets are there."""
    octets = header(FLAGS["headers"] | FLAGS["app_id"], b"\x00\x00\x00\x03\x01kb" + b"\x04text")

    with pytest.raises(SyntaxFault):
        summarise(octets)


def test_as_deep_as_a_frame_allows_is_refused() -> None:
    """21,800 levels in the headers of one message: 502, and the stack is whole."""
    raw = b"".join(b"\x00F" + ((21_799 - level) * 6).to_bytes(4, "big") for level in range(21_800))

    assert not accepted(header(FLAGS["headers"], len(raw).to_bytes(4, "big") + raw))


@given(st.integers(0, 0xFFFF), st.binary(max_size=60))
def test_noise_is_read_or_refused(flags: int, noise: bytes) -> None:
    """Never another exception."""
    accepted(header(flags, noise))


@given(st.binary(max_size=20))
def test_any_payload_is_read_or_refused(payload: bytes) -> None:
    """Never another exception, even before the first property."""
    accepted(payload)


@given(PROPERTIES, st.data())
def test_damage_is_read_or_refused(values: dict[str, Any], data: st.DataObject) -> None:
    """A legal header with some octets changed: never another exception."""
    octets = bytearray(properties.encode(values, 0))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(12, len(octets) - 1))] = data.draw(OCTETS)
    accepted(bytes(octets))


@given(PROPERTIES, PROPERTIES, st.sets(st.sampled_from(NAMES)), SIZES)
def test_replacing_keeps_every_other_octet(
    values: dict[str, Any], new: dict[str, Any], remove: set[str], size: int
) -> None:
    """Properties are put in their places or go; weight, body size and the others stay."""
    old = properties.encode(values, size)
    alone = {name: properties.encode({name: value}, 0)[14:] for name, value in new.items()}
    changes: dict[str, bytes | None] = dict.fromkeys(remove)
    changes |= alone

    replaced = properties.replace(old, changes)

    kept = {name: value for name, value in values.items() if name not in remove}
    assert replaced == properties.encode(kept | new, size)


def test_replacing_nothing_changes_nothing() -> None:
    """Even what we would have written otherwise."""
    octets = b"\x00\x3c\x12\x34" + properties.encode(FULL, 2**64 - 1)[4:]

    assert properties.replace(octets, {}) == octets


@given(PROPERTIES, HEADERS, st.sets(st.text(max_size=3)))
def test_header_entries_are_put_and_removed(
    values: dict[str, Any], put: dict[str, Any], remove: set[str]
) -> None:
    """The table is created where there is none; all else stays."""
    old = properties.encode(values, 7)
    encoded = {key: table.encode_value(value) for key, value in put.items()}

    new = properties.with_headers(old, encoded, frozenset(remove))

    raw = table.splice(table.encode_entries(values.get("headers", {})), encoded, frozenset(remove))
    assert new == properties.encode(values | {"headers": Table(raw)}, 7)


def test_a_double_in_a_header_stays_a_double() -> None:
    """Types that we would not write survive next to what we put."""
    raw = b"\x01af\x3f\x80\x00\x00\x01bI\x00\x00\x00\x05\x01cS\x00\x00\x00\x01\xff"
    octets = header(FLAGS["headers"], len(raw).to_bytes(4, "big") + raw)

    new = properties.with_headers(octets, {"x-death": b"V"}, frozenset())

    headers = properties.get(new, "headers")
    assert headers.raw == raw + b"\x07x-deathV"


@pytest.mark.parametrize("name", ["type", "", "Headers"])
def test_a_name_that_is_none_is_our_mistake(name: str) -> None:
    """A KeyError at once, not a property that silently never was."""
    for attempt in (
        lambda: properties.get(header(0, b""), name),
        lambda: properties.replace(header(0, b""), {name: b""}),
        lambda: properties.encode({name: "x"}, 0),
    ):
        with pytest.raises(KeyError):
            attempt()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content_type", "é" * 128),
        ("priority", 256),
        ("delivery_mode", -1),
        ("timestamp", Timestamp(2**64)),
        ("timestamp", -1),
        ("headers", {"k" * 256: 1}),
    ],
)
def test_what_does_not_fit_is_not_written(name: str, value: Any) -> None:
    """A ValueError, never a cut or wrapped value."""
    with pytest.raises(ValueError):
        properties.encode({name: value}, 0)


def test_values_may_be_given_in_plain_types() -> None:
    """Seconds as a number, text as octets."""
    plain = properties.encode({"timestamp": 5, "reply_to": b"q"}, 0)

    assert plain == properties.encode({"timestamp": Timestamp(5), "reply_to": "q"}, 0)
