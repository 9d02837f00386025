"""mambaamqp/broker/exchanges/random.py: one of those bound, whichever."""

from collections import Counter

import pytest

from tests.broker.exchanges.conftest import Q, R, bind, make, reached


@pytest.mark.parametrize("kind", ["x-random", "x-local-random"])
def test_one_of_them_gets_it(kind: str) -> None:
    """Each binding as often as the others, whatever the keys."""
    exchange = make(kind)
    assert reached(exchange) == []
    bind(exchange, Q, "a")
    bind(exchange, R, "b")
    bind(exchange, R, "c")
    counts = Counter(name for _ in range(3000) for name in reached(exchange, "a"))
    assert counts["q"] + counts["r"] == 3000
    assert 850 < counts["q"] < 1150


def test_chance_repeats_itself() -> None:
    """The same exchange makes the same choices after a restart: a simulation is worth something."""
    one, other = make("x-random"), make("x-random")
    for exchange in (one, other):
        bind(exchange, Q, "a")
        bind(exchange, R, "b")
    assert [reached(one) for _ in range(20)] == [reached(other) for _ in range(20)]


def test_what_is_unbound_gets_nothing() -> None:
    """At once."""
    exchange = make("x-random")
    bind(exchange, Q, "a")
    bind(exchange, R, "b")
    exchange.remove_destination(Q)
    assert {name for _ in range(50) for name in reached(exchange)} == {"r"}
