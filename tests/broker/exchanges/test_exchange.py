"""mambaamqp/broker/exchanges/exchange.py: what all types share."""

from typing import Any

import pytest

from mambaamqp.broker import exchanges
from mambaamqp.broker.exchanges import Exchange, check_equivalent
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import EMPTY, Table, encode_entries
from tests.broker.exchanges.conftest import Q, R, bind, make, reached


def test_equal_bindings_are_one(any_exchange: Exchange) -> None:
    """Same destination, key and argument values; widths of numbers do not count."""
    narrow, wide = Table(b"\x01aI\0\0\0\1"), Table(b"\x01al\0\0\0\0\0\0\0\1")
    assert bind(any_exchange, Q, "k", narrow)
    assert not bind(any_exchange, Q, "k", wide)
    assert bind(any_exchange, Q, "other", narrow)
    assert bind(any_exchange, R, "k", narrow)
    assert bind(any_exchange, Q, "k")
    assert len(any_exchange.bindings) == 4


def test_a_removed_binding_matches_no_more(any_exchange: Exchange) -> None:
    """One of two to the same destination leaves the other; a missing one is None."""
    bind(any_exchange, Q, "k")
    bind(any_exchange, Q, "k", Table(encode_entries({"n": None})))
    assert any_exchange.remove(Q, "k", Table(encode_entries({"n": None}))) is not None
    assert any_exchange.remove(Q, "k", Table(encode_entries({"n": None}))) is None
    assert reached(any_exchange, "k") == ["q"]
    assert any_exchange.remove(Q, "k", EMPTY) is not None
    assert (reached(any_exchange, "k"), any_exchange.is_bound) == ([], False)


def test_a_destination_goes_with_all_its_bindings(any_exchange: Exchange) -> None:
    """And with nothing else."""
    for key in ("a", "b", "c"):
        bind(any_exchange, Q, key)
    bind(any_exchange, R, "a")
    assert any_exchange.destinations() == [Q, R]
    assert len(any_exchange.remove_destination(Q)) == 3
    assert any_exchange.remove_destination(Q) == []
    assert (reached(any_exchange, "a"), any_exchange.destinations()) == (["r"], [R])


def test_an_alternate_must_be_text() -> None:
    """406 with the type that came instead."""
    assert make("direct", alternate_exchange="ae").alternate == "ae"
    with pytest.raises(PreconditionFailed) as failure:
        make("direct", alternate_exchange=1)
    assert (
        str(failure.value) == "invalid type 'long' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"
    )


SAME: dict[str, Any] = {
    "kind": "direct",
    "durable": True,
    "auto_delete": False,
    "internal": False,
    "arguments": Table(encode_entries({"alternate-exchange": "ae", "x-other": 1})),
}
AE = "alternate-exchange"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            {"kind": "fanout"},
            "'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'",
        ),
        (
            {"durable": False},
            "'durable' for exchange 'x' in vhost '/': received 'false' but current is 'true'",
        ),
        (
            {"auto_delete": True},
            "'auto_delete' for exchange 'x' in vhost '/': received 'true' but current is 'false'",
        ),
        (
            {"internal": True},
            "'internal' for exchange 'x' in vhost '/': received 'true' but current is 'false'",
        ),
        (
            {"arguments": EMPTY},
            f"'{AE}' for exchange 'x' in vhost '/': received none but current is the value 'ae' "
            "of type 'longstr'",
        ),
        (
            {"arguments": Table(encode_entries({"alternate-exchange": "b"}))},
            f"'{AE}' for exchange 'x' in vhost '/': received 'b' but current is 'ae'",
        ),
        (
            {"arguments": Table(encode_entries({"alternate-exchange": 1}))},
            f"'{AE}' for exchange 'x' in vhost '/': received '1' but current is 'ae'",
        ),
        (
            {"durable": False, "kind": "topic"},
            "'type' for exchange 'x' in vhost '/': received 'topic' but current is 'direct'",
        ),
    ],
)
def test_a_redeclare_that_differs_is_refused(change: dict[str, Any], what: str) -> None:
    """The first difference in RabbitMQ's order, in its words."""
    exchange = make("direct", alternate_exchange="ae")
    with pytest.raises(PreconditionFailed) as failure:
        check_equivalent(exchange, **(SAME | change))
    assert str(failure.value) == f"inequivalent arg {what}"


def test_unknown_arguments_are_not_compared() -> None:
    """Only the alternate exchange is."""
    check_equivalent(make("direct", alternate_exchange="ae"), **SAME)


def test_the_table_of_types() -> None:
    """The four of the specification and more by name; the text for any other."""
    plain = [kind for kind in exchanges.TYPES if not kind.startswith("x-")]
    assert sorted(plain) == ["direct", "fanout", "headers", "topic"]
    assert {"x-consistent-hash", "x-modulus-hash", "x-random", "x-recent-history"} < set(exchanges.TYPES)
    with pytest.raises(PreconditionFailed) as failure:
        make("x-unknown")
    assert str(failure.value) == "unknown exchange type 'x-unknown'"
