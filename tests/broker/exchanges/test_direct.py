"""mambaamqp/broker/exchanges/direct.py: by the exact key."""

from mambaamqp.broker.exchanges.direct import DirectExchange
from tests.broker.exchanges.conftest import Q, R, bind, make, reached


def test_the_key_must_be_the_same() -> None:
    """No pattern, no case folding; the empty key is a key."""
    exchange = make("direct")
    for destination, key in ((Q, "a.*"), (R, "a.*"), (R, "")):
        bind(exchange, destination, key)
    assert reached(exchange, "a.*") == ["q", "r"]
    assert reached(exchange, "") == ["r"]
    assert reached(exchange, "a.b") == reached(exchange, "A.*") == []


def test_keys_that_nobody_uses_are_forgotten() -> None:
    """A million bindings that came and went leave nothing."""
    exchange = make("direct")
    for number in range(100):
        bind(exchange, Q, str(number))
    exchange.remove_destination(Q)
    assert isinstance(exchange, DirectExchange)
    assert exchange.keys == {}
