"""mambaamqp/broker/exchanges/headers.py: who matches whom, by the book."""

from decimal import Decimal
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.broker.destination import Destination
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import EMPTY, Table, Timestamp, encode_entries
from tests.broker.exchanges.conftest import Q, R, bind, make, reached


def table(values: dict[str, Any]) -> Table:
    return Table(encode_entries(values))


def match(arguments: dict[str, Any], headers: dict[str, Any] | None) -> bool:
    """Whether a message with these headers goes the way of a binding with these arguments."""
    exchange = make("headers")
    bind(exchange, Q, "", table(arguments))
    return bool(reached(exchange, "", None if headers is None else table(headers)))


@pytest.mark.parametrize(
    ("arguments", "headers", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}, True),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"x-match": "all", "a": 1}, {"a": 2}, False),
        ({"x-match": "any", "a": 1, "b": 2}, {"b": 2}, True),
        ({"x-match": "any", "a": 1, "b": 2}, {"a": 2, "b": 1}, False),
        ({}, {}, True),
        ({}, None, True),
        ({"x-match": "all"}, {"a": 1}, True),
        ({"x-match": "any"}, {"a": 1}, False),
        ({"x-match": "any"}, None, False),
        ({"a": 1}, None, False),
        # Keys that begin with x- count with the -with-x forms only.
        ({"x-a": 1}, {}, True),
        ({"x-match": "all-with-x", "x-a": 1}, {}, False),
        ({"x-match": "all-with-x", "x-a": 1}, {"x-a": 1}, True),
        ({"x-match": "any", "x-a": 1}, {"x-a": 1}, False),
        ({"x-match": "any-with-x", "x-a": 1}, {"x-a": 1}, True),
        ({"x-match": "any-with-x", "x-a": 1}, {"x-match": "any-with-x"}, False),
        # A void argument asks for the key alone.
        ({"a": None}, {"a": "anything"}, True),
        ({"a": None}, {"a": None}, True),
        ({"a": None}, {"b": 1}, False),
        ({"a": 1}, {"a": None}, False),
    ],
)
def test_the_forms_of_x_match(
    arguments: dict[str, Any], headers: dict[str, Any] | None, expected: bool
) -> None:
    """all, any, their -with-x forms, void arguments, and none at all."""
    assert match(arguments, headers) is expected


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (1, True, False),
        (1, "1", False),
        (True, 1, False),
        ("a", "a", True),
        ("a", "A", False),
        ("a", b"a", True),
        (b"\xff", b"\xff", True),
        (float("nan"), float("nan"), True),
        (Timestamp(1), 1, False),
        (Timestamp(1), Timestamp(1), True),
        (Decimal("1.5"), Decimal("1.5"), True),
        (Decimal("1.5"), 1.5, False),
        ([1, "a"], [1, "a"], True),
        ([1, "a"], ["a", 1], False),
        ([1], [True], False),
        ({"n": 1, "m": [2]}, {"m": [2], "n": 1}, True),
        ({"n": 1}, {"n": 1.0}, False),
    ],
)
def test_values_compare_by_class_and_value(wanted: Any, value: Any, expected: bool) -> None:
    """An integer is no double, no boolean and no text, inside of lists and tables neither."""
    assert match({"a": wanted}, {"a": value}) is expected


@pytest.mark.parametrize("code", [b"b\1", b"B\1", b"s\0\1", b"u\0\1", b"I\0\0\0\1", b"i\0\0\0\1"])
def test_integers_of_any_width_are_equal(code: bytes) -> None:
    """Clients differ in what they send for 1."""
    exchange = make("headers")
    bind(exchange, Q, "", table({"a": 1}))
    assert reached(exchange, "", Table(b"\1a" + code)) == ["q"]


def test_the_key_does_not_matter() -> None:
    """Nor do several bindings to one destination give several copies."""
    exchange = make("headers")
    bind(exchange, Q, "a", table({"a": 1}))
    bind(exchange, Q, "b", table({"b": 1}))
    bind(exchange, R, "c", EMPTY)
    assert reached(exchange, "z", table({"a": 1, "b": 1})) == ["q", "r"]


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("foo", 'Invalid x-match field value "foo"; expected all, any, all-with-x, or any-with-x'),
        (1, "Invalid x-match field type long (value 1); expected longstr"),
        (True, "Invalid x-match field type bool (value true); expected longstr"),
        (None, "Invalid x-match field type void (value undefined); expected longstr"),
        (["a"], 'Invalid x-match field type array (value [{longstr,<<"a">>}]); expected longstr'),
    ],
)
def test_an_unknown_x_match_is_refused(mode: Any, text: str) -> None:
    """406 when the binding is made."""
    with pytest.raises(PreconditionFailed) as failure:
        make("headers").validate_binding("", table({"x-match": mode}))
    assert str(failure.value) == text
    make("headers").validate_binding("", table({"x-match": "any-with-x"}))


# Against a model that anyone can read

MODES = st.sampled_from([None, "all", "any", "all-with-x", "any-with-x"])
KEYS = st.sampled_from(["a", "b", "c", "x-a", "x-b", "x-", "X-a", ""])
VALUES = st.sampled_from(
    [None, True, False, 0, 1, 2, 0.0, 1.0, "", "a", "1", [1], ["1"], {"a": 1}, {"a": True}]
)
ENTRIES = st.dictionaries(KEYS, VALUES, max_size=5)


def equal(one: Any, other: Any) -> bool:
    """By class and value, at any depth."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return bool(one == other)


def model(mode: str | None, wanted: dict[str, Any], headers: dict[str, Any]) -> bool:
    """The rules of x-match, in one line each."""
    counting = {key for key in wanted if (mode or "").endswith("-with-x") or not key.startswith("x-")}
    agreeing = {
        key for key in counting & set(headers) if wanted[key] is None or equal(wanted[key], headers[key])
    }
    return bool(agreeing) if (mode or "all").startswith("any") else agreeing == counting


@given(st.lists(st.tuples(MODES, ENTRIES), max_size=5), ENTRIES, st.data())
def test_bindings_agree_with_the_model(
    bindings: list[tuple[str | None, dict[str, Any]]], headers: dict[str, Any], data: st.DataObject
) -> None:
    """Several bindings together find what each finds alone, also after some of them have gone."""
    exchange = make("headers")
    standing = []
    for number, (mode, wanted) in enumerate(bindings):
        destination = Destination(f"{number}", True)
        arguments = table(wanted if mode is None else {"x-match": mode, **wanted})
        bind(exchange, destination, "", arguments)
        standing.append((destination, mode, wanted, arguments))
    gone = data.draw(st.sets(st.sampled_from(range(len(standing))))) if standing else set()
    for number in gone:
        assert exchange.remove(standing[number][0], "", standing[number][3]) is not None
    expected = sorted(
        destination.name
        for number, (destination, mode, wanted, _) in enumerate(standing)
        if number not in gone and model(mode, wanted, headers)
    )
    assert reached(exchange, "", table(headers)) == expected


def test_many_headers_are_read_once() -> None:
    """Ten thousand of them against a thousand bindings: each value is looked at once, not once a binding."""
    exchange = make("headers")
    for number in range(1000):
        bind(exchange, Destination(f"{number}", True), "", table({f"k{number}": number, "common": "x" * 100}))
    headers = table({f"k{number}": number for number in range(10_000)} | {"common": "x" * 100})
    started = process_time()
    assert len(reached(exchange, "", headers)) == 1000
    assert process_time() - started < 10
