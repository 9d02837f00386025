"""mambaamqp/broker/exchanges/jms_topic.py: by topic and by selector."""

from typing import Any

import pytest

from mambaamqp.broker.exchanges import jms_topic
from mambaamqp.broker.exchanges.jms_topic import SELECTOR, JmsTopicExchange
from mambaamqp.broker.selectors.expression import Headers, Literal
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import EMPTY, Table, encode_entries
from tests.broker.exchanges.conftest import Q, R, bind, make, reached
from tests.broker.selectors import terms

BLUE = ("=", ("ident", "colour"), "blue")
HEAVY = (">", ("ident", "weight"), 5)


def selecting(term: Any, **arguments: Any) -> Table:
    """A binding's arguments."""
    return Table(encode_entries({SELECTOR: terms.text(term), "rjms_version": "3.0"} | arguments))


def headers(**values: Any) -> Table:
    return Table(encode_entries(values))


@pytest.fixture
def exchange() -> JmsTopicExchange:
    found = make("x-jms-topic", rjms_version="3.0")
    assert isinstance(found, JmsTopicExchange)
    return found


def test_topic_and_selector_must_match(exchange: JmsTopicExchange) -> None:
    """Either alone is not enough."""
    bind(exchange, Q, "news.*", selecting(BLUE))
    bind(exchange, R, "#", selecting(HEAVY))
    assert reached(exchange, "news.today", headers(colour="blue", weight=9)) == ["q", "r"]
    assert reached(exchange, "news.today", headers(colour="red", weight=9)) == ["r"]
    assert reached(exchange, "other", headers(colour="blue")) == []
    assert reached(exchange, "news.today") == []


def test_without_a_selector_the_topic_decides(exchange: JmsTopicExchange) -> None:
    """And without a topic the selector: a fanout in front passes any key on."""
    bind(exchange, Q, "a.*")
    bind(exchange, R, "", selecting(BLUE))
    assert reached(exchange, "a.b") == ["q"]
    assert reached(exchange, "x.y", headers(colour="blue")) == reached(exchange, "", headers(colour="blue"))
    assert reached(exchange, "x.y", headers(colour="blue")) == ["r"]


def test_several_selectors_of_one_destination(exchange: JmsTopicExchange) -> None:
    """Any of them is enough, and each goes by itself."""
    for term in (BLUE, HEAVY):
        bind(exchange, Q, "a", selecting(term))
    assert reached(exchange, "a", headers(colour="blue", weight=9)) == ["q"]
    assert reached(exchange, "a", headers(weight=9)) == ["q"]
    exchange.remove(Q, "a", selecting(HEAVY))
    assert reached(exchange, "a", headers(weight=9)) == []
    assert reached(exchange, "a", headers(colour="blue")) == ["q"]


class Counting(Literal):
    """How often it is asked."""

    def __init__(self) -> None:
        super().__init__(True)
        self.asked = 0

    def evaluate(self, headers: Headers) -> Any:
        self.asked += 1
        return True


@pytest.mark.skipif(
    not (jms_topic.__file__ or "").endswith(".py"), reason="what is compiled takes no fake from outside"
)
def test_equal_selectors_are_one_and_asked_once(exchange: JmsTopicExchange) -> None:
    """And only for a topic that matches; nothing is left when the bindings go."""
    for destination, key in ((Q, "a"), (R, "a"), (R, "b")):
        bind(exchange, destination, key, selecting(BLUE))
    (selector,) = exchange.selectors.values()
    selector.condition = counting = Counting()
    assert reached(exchange, "c") == []
    assert counting.asked == 0
    assert reached(exchange, "a") == ["q", "r"]
    assert counting.asked == 1
    exchange.remove_destination(R)
    assert (list(exchange.selectors.values()), selector.users) == ([selector], 1)
    exchange.remove_destination(Q)
    assert (exchange.selectors, exchange.branches, exchange.trie.root.is_bare()) == ({}, {}, True)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("colour = 'blue'", "\"= 'blue'\" at 7 is not understood"),
        (5, "it must be a longstr of UTF-8, not a long"),
        (None, "it must be a longstr of UTF-8, not a void"),
        (b"\xff", "it must be a longstr of UTF-8, not a binary"),
    ],
)
def test_a_bad_selector_is_406(exchange: JmsTopicExchange, value: Any, reason: str) -> None:
    """Before the binding is made."""
    with pytest.raises(PreconditionFailed) as caught:
        exchange.validate_binding("a", Table(encode_entries({SELECTOR: value})))
    assert str(caught.value) == f"invalid JMS selector pattern: {reason}"
    exchange.validate_binding("a", selecting(BLUE))
    exchange.validate_binding("a", EMPTY)
    assert exchange.selectors == {}
