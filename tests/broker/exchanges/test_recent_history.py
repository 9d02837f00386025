"""mambaamqp/broker/exchanges/recent_history.py: the last messages for whoever comes later."""

from typing import Any

import pytest

from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.exchanges.recent_history import HISTORY_BYTES_MAX
from mambaamqp.broker.traits import Traits
from mambaamqp.errors import PreconditionFailed
from tests.broker.conftest import message
from tests.broker.exchanges.conftest import Q, R, bind, make, reached


def send(exchange: Exchange, body: bytes, *keys: str, **props: Any) -> None:
    found: dict[Destination, None] = {}
    traits = Traits(message(body, **props))
    for key in keys or ("",):
        exchange.match(key, traits, found)


def history(exchange: Exchange) -> list[bytes]:
    return [kept.body() for kept in exchange.greeting()]


def test_it_is_a_fanout() -> None:
    """To everybody, whatever the keys."""
    exchange = make("x-recent-history")
    bind(exchange, Q, "a")
    bind(exchange, R, "b")
    assert reached(exchange, "z") == ["q", "r"]


def test_the_last_twenty_are_remembered() -> None:
    """Or as many as asked for, the oldest first; once, with however many keys they came."""
    exchange, three = make("x-recent-history"), make("x-recent-history", x_recent_history_length=3)
    for number in range(30):
        for each in (exchange, three):
            send(each, b"%d" % number, "a", "b")
    assert history(exchange) == [b"%d" % number for number in range(10, 30)]
    assert history(three) == [b"27", b"28", b"29"]


def test_a_message_may_ask_to_be_forgotten() -> None:
    """By a header."""
    exchange = make("x-recent-history")
    send(exchange, b"kept", headers={"x-recent-history-no-store": False})
    send(exchange, b"forgotten", headers={"x-recent-history-no-store": True})
    assert history(exchange) == [b"kept"]


def test_memory_is_bounded() -> None:
    """By octets too."""
    exchange = make("x-recent-history")
    for _ in range(5):
        send(exchange, bytes(HISTORY_BYTES_MAX // 4))
    assert len(history(exchange)) == 4


@pytest.mark.parametrize("length", [0, -1, 10_001, "5", True])
def test_a_length_is_a_sensible_number(length: Any) -> None:
    """406 for any other."""
    with pytest.raises(PreconditionFailed, match="x-recent-history-length"):
        make("x-recent-history", x_recent_history_length=length)
