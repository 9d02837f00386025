"""mambaamqp/broker/exchanges/fanout.py: to everybody."""

from tests.broker.exchanges.conftest import Q, R, bind, make, reached


def test_everybody_gets_it_once() -> None:
    """Whatever the keys are."""
    exchange = make("fanout")
    bind(exchange, Q, "a")
    bind(exchange, Q, "b")
    bind(exchange, R, "c")
    assert reached(exchange, "z") == ["q", "r"]
