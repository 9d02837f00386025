"""mambaamqp/broker/exchanges/topic.py: the trie behind an exchange (its patterns: test_topic one room up)."""

from tests.broker.exchanges.conftest import Q, R, bind, make, reached


def test_patterns_lead_to_destinations() -> None:
    """Each once, however many of its patterns match."""
    exchange = make("topic")
    for destination, pattern in ((Q, "a.*"), (Q, "#"), (R, "*.b.#")):
        bind(exchange, destination, pattern)
    assert reached(exchange, "a.b") == ["q", "r"]
    assert reached(exchange, "c") == ["q"]
    exchange.remove_destination(Q)
    assert reached(exchange, "a.b") == ["r"]
