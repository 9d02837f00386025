"""mambaamqp/broker/exchanges/consistent_hash.py: the same value to the same queue, shared by weight."""

from collections import Counter
from typing import Any

import pytest

from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import EMPTY, Table, Timestamp, encode_entries
from tests.broker.exchanges.conftest import Q, R, bind, make, reached

KEYS = [f"key {number}" for number in range(3000)]


def places(exchange: Exchange) -> dict[str, str]:
    return {key: name for key in KEYS for name in reached(exchange, key)}


def test_weights_are_shares() -> None:
    """A quarter and three quarters; a weight of 0 is none."""
    exchange = make("x-consistent-hash")
    bind(exchange, Q, "1")
    bind(exchange, R, "3")
    bind(exchange, Destination("never", True), "0")
    counts = Counter(places(exchange).values())
    assert counts["q"] + counts["r"] == len(KEYS)
    assert 650 < counts["q"] < 850


def test_a_newcomer_takes_its_share_and_moves_nothing_else() -> None:
    """Nor does one that leaves, and the order in which they came means nothing."""
    names = ["a", "b", "c", "d"]
    destinations = [Destination(name, True) for name in names]
    one, other = make("x-consistent-hash"), make("x-consistent-hash")
    for destination in destinations:
        bind(one, destination, "1")
    for destination in reversed(destinations):
        bind(other, destination, "1")
    before = places(one)
    assert before == places(other)
    newcomer = Destination("new", True)
    bind(one, newcomer, "1")
    after = places(one)
    moved = [key for key in KEYS if after[key] != before[key]]
    assert {after[key] for key in moved} == {"new"}
    assert 450 < len(moved) < 750
    one.remove_destination(newcomer)
    assert places(one) == before


@pytest.mark.parametrize("spelling", ["hash-header", "x-hash-on"])
def test_a_header_may_decide(spelling: str) -> None:
    """Whatever the key is; without it all go one way."""
    exchange = make("x-consistent-hash", **{spelling: "customer"})
    assert exchange.reads_message
    bind(exchange, Q, "1")
    bind(exchange, R, "1")

    def place(customer: Any, key: str) -> list[str]:
        return reached(exchange, key, Table(encode_entries({"customer": customer})))

    for customer in (1, "1", True, "text"):
        assert place(customer, "a") == place(customer, "b")
    assert {name for number in range(50) for name in place(number, "")} == {"q", "r"}
    assert len({tuple(reached(exchange, key)) for key in KEYS[:50]}) == 1


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("message_id", "m", "n"),
        ("correlation_id", "c", "d"),
        ("timestamp", Timestamp(1), Timestamp(2)),
    ],
)
def test_a_property_may_decide(name: str, value: Any, other: Any) -> None:
    """The same value goes the same way, and values are told apart."""
    exchange = make("x-consistent-hash", hash_property=name)
    for number in range(64):
        bind(exchange, Destination(f"q{number}", True), "1")
    assert reached(exchange, "a", **{name: value}) == reached(exchange, "b", **{name: value})
    assert reached(exchange, "a", **{name: value}) != reached(exchange, "a", **{name: other})


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"hash-header": "a", "hash-property": "message_id"}, "mutually exclusive"),
        ({"hash-property": "app_id"}, "unsupported property: app_id"),
        ({"hash-header": 5}, "invalid type 'long' for arg 'hash-header'"),
        ({"x-algorithm": "md5"}, "unsupported hash algorithm: md5"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments: dict[str, Any], text: str) -> None:
    """406."""
    with pytest.raises(PreconditionFailed, match=text):
        make("x-consistent-hash", **arguments)


@pytest.mark.parametrize("key", ["", "a", "-1", "1.5", "9" * 10, "\u0661"])
def test_a_binding_key_is_a_weight(key: str) -> None:
    """406 for what is none, and for one that nobody needs."""
    with pytest.raises(PreconditionFailed, match="is the weight"):
        make("x-consistent-hash").validate_binding(key, EMPTY)
