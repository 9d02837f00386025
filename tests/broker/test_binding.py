"""mambaamqp/broker/binding.py: what tells bindings apart."""

from decimal import Decimal
from typing import Any

import pytest

from mambaamqp.broker.binding import frozen, identity
from mambaamqp.broker.destination import Destination
from mambaamqp.wire.table import EMPTY, Table, Timestamp, encode_entries

Q = Destination("q", True)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1,
        1.0,
        "1",
        b"\xff",
        Decimal(1),
        Timestamp(1),
        [1],
        ["1"],
        {"a": 1},
        {"a": 1.0},
        [],
        {},
        [[]],
    ],
)
def test_values_differ_by_class_too(value: Any) -> None:
    """1, 1.0, true and "1" are four things, at any depth."""
    others = [None, True, 1, 1.0, "1", b"\xff", Decimal(1), Timestamp(1), [1], ["1"], {"a": 1}, {"a": 1.0}]
    others += [[], {}, [[]]]
    same = [other for other in others if frozen(other) == frozen(value)]
    assert [type(other) for other in same] == [type(value)]
    assert hash(frozen(value)) == hash(frozen(same[0]))


def test_octets_that_are_text_are_the_text() -> None:
    """Clients send one word as `S` or as `x`, and RabbitMQ compares what is in it."""
    assert frozen(b"caf\xc3\xa9") == frozen("café")
    assert frozen([b"1"]) == frozen(["1"])
    assert frozen(b"1") != frozen(1)


def test_a_value_that_is_not_itself_is_the_same_binding() -> None:
    """Or one client could bind the same thing without end, and unbind none of it."""
    nan = [Table(b"\1nd\x7f\xf8\0\0\0\0\0\0") for _ in range(2)]
    assert identity(Q, "k", nan[0]) == identity(Q, "k", nan[1])


def test_identity_is_destination_key_and_arguments() -> None:
    """No arguments and an empty table are the same; the order of keys does not count."""
    ab, ba = ({"a": 1, "b": [2]}, {"b": [2], "a": 1})
    tables = [Table(encode_entries(values)) for values in (ab, ba)]
    assert identity(Q, "k", tables[0]) == identity(Q, "k", tables[1])
    assert identity(Q, "k", EMPTY) == identity(Q, "k", Table())
    assert identity(Q, "k", EMPTY) != identity(Q, "l", EMPTY)
    assert identity(Q, "k", EMPTY) != identity(Destination("q", True), "k", EMPTY)
    assert identity(Q, "k", EMPTY) != identity(Q, "k", tables[0])
