"""Methods: every one that pamqp knows, byte for byte; names it refuses; nothing malformed accepted."""

import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands
from pamqp import encode as pamqp_encode

from mambaamqp.errors import CommandInvalid, FrameFault, SyntaxFault
from mambaamqp.wire import methods, table
from mambaamqp.wire.methods import (
    CLASSES,
    FIELDS,
    NAMES,
    AccessRequest,
    AccessRequestOk,
    Basic,
    Connection,
    Exchange,
    Queue,
    decode,
    encode,
)
from mambaamqp.wire.table import Table

SHORTSTRS = st.text(max_size=60).filter(lambda text: len(text.encode()) <= 255)
TABLES = st.dictionaries(
    st.text(max_size=32), st.booleans() | st.text(max_size=9) | st.none(), max_size=3
).map(lambda values: dict(sorted(values.items())))
FIELD_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bit": st.booleans(),
    "octet": st.integers(0, 2**8 - 1),
    "short": st.integers(0, 2**16 - 1),
    "long": st.integers(0, 2**32 - 1),
    "longlong": st.integers(0, 2**63 - 1),
    "shortstr": SHORTSTRS,
    "longstr": st.text(max_size=300),
    "table": TABLES,
}

INDEXES = sorted(CLASSES)
every_index = pytest.mark.parametrize("index", INDEXES, ids=[NAMES[index] for index in INDEXES])
every_pamqp_index = pytest.mark.parametrize("index", sorted(commands.INDEX_MAPPING))

few = settings(max_examples=20, deadline=None)
"""For tests that run once for every method."""


def new(cls: Any) -> Any:
    """An object of a pamqp class without its warnings and rules."""
    return cls.__new__(cls)


def filled(index: int, data: st.DataObject, method: Any = None) -> tuple[Any, dict[str, Any]]:
    """A method with drawn fields, and the fields."""
    method = new(CLASSES[index]) if method is None else method
    fields = {field: data.draw(FIELD_VALUES[kind], field) for field, kind in FIELDS[index]}
    for field, value in fields.items():
        setattr(method, field, value)
    return method, fields


def read_back(method: Any) -> dict[str, Any]:
    """The fields of a decoded method in the form they had before."""
    fields = {field: getattr(method, field) for field, _ in FIELDS[method.index]}
    for field, value in fields.items():
        if isinstance(value, Table):
            fields[field] = value.values
        elif isinstance(value, bytes):
            fields[field] = value.decode()
    return fields


def example(index: int) -> bytes:
    """A payload with something in every field."""
    method = new(CLASSES[index])
    values = {"bit": True, "shortstr": "né", "longstr": "long", "table": {"k": [1, {"a": None}]}}
    for field, kind in FIELDS[index]:
        setattr(method, field, values.get(kind, 1))
    return encode(method)


@every_index
@few
@given(data=st.data())
def test_every_method_makes_a_round_trip(index: int, data: st.DataObject) -> None:
    """All fields of all methods, with any legal value."""
    method, fields = filled(index, data)

    decoded = decode(encode(method))

    assert type(decoded) is CLASSES[index]
    assert decoded.index == index
    assert read_back(decoded) == fields


@every_pamqp_index
@few
@given(data=st.data())
def test_octets_are_pamqps(index: int, data: st.DataObject) -> None:
    """Byte for byte what pamqp writes, and pamqp reads back what we write; only its validation is off."""
    pamqps = commands.INDEX_MAPPING[index]
    ours, fields = filled(index, data)
    theirs = new(pamqps)
    for field, value in fields.items():
        setattr(theirs, field, value)

    octets = encode(ours)

    ids = index.to_bytes(4, "big")
    assert octets == ids + marshal_without_validation(theirs)
    again = new(pamqps)
    again.unmarshal(octets[4:])
    assert {field: getattr(again, field) for field in fields} == fields


def marshal_without_validation(method: Any) -> bytes:
    """pamqp's own octets of a method, also for names that it would not build."""

    class Lenient(type(method)):  # type: ignore[misc]
        def validate(self) -> None:
            """Anything goes."""

    lenient = new(Lenient)
    for field in type(method).__slots__:
        setattr(lenient, field, getattr(method, field))
    lenient_slots = type(method).__slots__
    Lenient.__slots__ = lenient_slots
    return bytes(lenient.marshal())


@every_pamqp_index
def test_the_shape_is_pamqps(index: int) -> None:
    """Names, order and types of the fields, for our own classes too."""
    cls = commands.INDEX_MAPPING[index]

    assert FIELDS[index] == [(field, cls.amqp_type(field)) for field in cls.attributes()]
    assert CLASSES[index].name == cls.name


def test_methods_have_rabbitmqs_names() -> None:
    """As they stand in its texts."""
    assert NAMES[Basic.Ack.index] == "basic.ack"
    assert NAMES[Queue.DeclareOk.index] == "queue.declare_ok"
    assert NAMES[Basic.RecoverAsync.index] == "basic.recover_async"
    assert NAMES[AccessRequest.index] == "access.request"
    assert set(NAMES) == set(CLASSES)


def test_at_most_eight_bits_stand_in_a_row() -> None:
    """The encoder keeps one octet for them."""
    for fields in FIELDS.values():
        kinds = "".join("b" if kind == "bit" else " " for _, kind in fields)
        assert max(map(len, kinds.split())) <= 8 if "b" in kinds else True


@pytest.mark.parametrize("name", ["café", "a|b", "{x}", "a*b~", "日本", "line\r\n", "x" * 255])
def test_any_name_goes_through_declare_and_its_reply(name: str) -> None:
    """pamqp has a pattern for names; AMQP as RabbitMQ speaks it has none."""
    declare = new(Queue.Declare)
    for field, kind in FIELDS[Queue.Declare.index]:
        setattr(declare, field, {"shortstr": name, "table": {}}.get(kind, 0))
    reply = Queue.DeclareOk(queue=name, message_count=2, consumer_count=1)

    assert decode(encode(declare)).queue == name
    assert read_back(decode(encode(reply))) == {"queue": name, "message_count": 2, "consumer_count": 1}


def test_decoding_never_warns() -> None:
    """basic.recover-async is old, but it is no warning of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(b"\x00\x3c\x00\x64\x01").requeue is True


def test_the_old_access_methods_are_known() -> None:
    """access.request 30/10 and its reply: old clients still send it."""
    request = decode(b"\x00\x1e\x00\x0a\x05/data\x1f")

    assert isinstance(request, AccessRequest)
    assert read_back(request) == {
        "realm": "/data",
        "exclusive": True,
        "passive": True,
        "active": True,
        "write": True,
        "read": True,
    }
    assert encode(AccessRequest()) == b"\x00\x1e\x00\x0a\x05/data\x1e"
    assert encode(AccessRequestOk()) == b"\x00\x1e\x00\x0b\x00\x01"


def test_tables_are_kept_as_they_were_sent() -> None:
    """Octets of a table survive, whatever types they hold."""
    raw = b"\x01af\x3f\x80\x00\x00\x01aS\x00\x00\x00\x01\xff"
    payload = b"\x00\x32\x00\x0a\x00\x00\x01q\x02" + len(raw).to_bytes(4, "big") + raw

    declare = decode(payload)

    assert declare.durable is True
    assert declare.arguments.raw == raw
    assert declare.arguments.values == {"a": b"\xff"}
    assert encode(declare) == payload


def test_credentials_are_octets() -> None:
    """SASL responses and secrets need not be text, and never become it."""
    start_ok = decode(b"\x00\x0a\x00\x0b" + bytes(4) + b"\x05PLAIN" + b"\x00\x00\x00\x03\x00\xffx" + b"\x00")
    update = decode(b"\x00\x0a\x00\x46\x00\x00\x00\x01s\x00")

    assert start_ok.response == b"\x00\xffx"
    assert update.new_secret == b"s"


def test_a_long_string_that_is_not_text_stays_octets() -> None:
    """Nothing is replaced: what came in goes out."""
    payload = b"\x00\x14\x00\x0b\x00\x00\x00\x02\xff\xfe"

    assert decode(payload).channel_id == b"\xff\xfe"
    assert encode(decode(payload)) == payload


def test_missing_table_is_written_empty() -> None:
    """None stands for no arguments."""
    start = Connection.Start()
    start.server_properties = None

    assert encode(start)[6:10] == bytes(4)


@every_index
def test_a_method_cut_short_is_refused(index: int) -> None:
    """At every octet: 502."""
    payload = example(index)

    for cut in range(len(payload)):
        with pytest.raises(SyntaxFault):
            decode(payload[:cut])


@every_index
def test_trailing_octets_are_refused(index: int) -> None:
    """One octet too many is 502."""
    with pytest.raises(SyntaxFault, match="1 octets too many"):
        decode(example(index) + b"\x00")


@pytest.mark.parametrize("index", [0, 60 << 16, 60 << 16 | 41, 61 << 16 | 10, 0xFFFFFFFF, 30 << 16 | 12])
def test_unknown_methods_are_refused(index: int) -> None:
    """503 for a class or a method that does not exist."""
    with pytest.raises(CommandInvalid, match=f"{index >> 16}.{index & 0xFFFF}"):
        decode(index.to_bytes(4, "big") + b"anything")


def test_a_short_string_must_be_utf_8() -> None:
    """501 with RabbitMQ's text."""
    with pytest.raises(FrameFault, match=r"^Malformed UTF-8 in shortstr$"):
        decode(b"\x00\x32\x00\x0a\x00\x00\x02\xc3\x28\x00" + bytes(4))


@pytest.mark.parametrize("length", [5, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_lengths_that_lie_are_refused(length: int) -> None:
    """Of a long string and of a table: more than there is, is 502."""
    lie = length.to_bytes(4, "big")

    with pytest.raises(SyntaxFault):
        decode(b"\x00\x0a\x00\x15" + lie + b"four")
    with pytest.raises(SyntaxFault):
        decode(b"\x00\x32\x00\x0a\x00\x00\x01q\x00" + lie + b"\x01kV")


def test_as_deep_as_a_frame_allows_is_refused() -> None:
    """21,800 levels in the arguments of one declare: 502, and the stack is whole."""
    raw = b"".join(b"\x00F" + ((21_799 - level) * 6).to_bytes(4, "big") for level in range(21_800))

    with pytest.raises(SyntaxFault, match="deeper"):
        decode(b"\x00\x32\x00\x0a\x00\x00\x01q\x00" + len(raw).to_bytes(4, "big") + raw)


@given(st.sampled_from(sorted(CLASSES)), st.binary(max_size=40))
def test_noise_is_read_or_refused(index: int, noise: bytes) -> None:
    """Never another exception; what is read is written back to the same octets, but for unused bits."""
    check(index.to_bytes(4, "big") + noise)


@given(st.sampled_from(sorted(CLASSES)), st.data())
def test_damage_is_read_or_refused(index: int, data: st.DataObject) -> None:
    """A legal payload with some octets changed: never another exception."""
    payload = bytearray(example(index))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    check(bytes(payload))


def check(payload: bytes) -> None:
    """Read or refuse; a second trip changes nothing."""
    try:
        method = decode(payload)
    except (FrameFault, SyntaxFault, CommandInvalid):
        return
    once = encode(method)
    assert len(once) == len(payload)
    assert encode(decode(once)) == once


def test_a_short_string_is_never_cut() -> None:
    """More than 255 octets are our mistake, and are not sent."""
    with pytest.raises(ValueError, match="256 octets"):
        encode(Basic.CancelOk(consumer_tag="é" * 128))


@pytest.mark.parametrize("count", [-1, 2**32])
def test_a_number_that_does_not_fit_is_not_sent(count: int) -> None:
    """A ValueError, never a wrapped number."""
    with pytest.raises(ValueError, match="does not fit"):
        encode(Queue.DeclareOk(queue="q", message_count=count))


def test_octets_and_text_are_written_alike() -> None:
    """Names may be given as they stood on the wire."""
    assert encode(Basic.CancelOk(consumer_tag="é")) == encode(Basic.CancelOk(consumer_tag=b"\xc3\xa9"))


def test_tables_are_written_from_either_form() -> None:
    """A dict is encoded, a Table goes out as it came."""
    values = {"k": "v"}
    as_dict, as_table = Exchange.Bind(arguments=values), Exchange.Bind()
    as_table.arguments = Table(table.encode_entries(values))

    assert encode(as_dict) == encode(as_table)
    assert encode(as_dict).endswith(pamqp_encode.field_table(values))


def test_pamqp_is_reexported_whole() -> None:
    """Every method stands in one of the namespaces that other rooms import."""
    names = {
        cls.name
        for space in (
            methods.Basic,
            methods.Channel,
            methods.Confirm,
            methods.Connection,
            methods.Exchange,
            methods.Queue,
            methods.Tx,
        )
        for cls in vars(space).values()
        if isinstance(cls, type)
    }

    assert names - {"Basic.Properties"} == {cls.name for cls in commands.INDEX_MAPPING.values()}
