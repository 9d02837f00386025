"""mambaamqp/broker/exchanges/queues.py: the default exchange."""

from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import default_exchange
from tests.broker.exchanges.conftest import Q, reached


def test_every_queue_is_bound_by_its_name() -> None:
    """As long as it is there, without a binding that anyone could see."""
    queues: dict[str, Destination] = {}
    exchange = default_exchange("/", queues)
    assert reached(exchange, "q") == []
    queues["q"] = Q
    assert reached(exchange, "q") == ["q"]
    assert (exchange.name, exchange.kind, exchange.durable, exchange.bindings) == ("", "direct", True, [])
