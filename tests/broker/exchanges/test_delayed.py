"""mambaamqp/broker/exchanges/delayed.py: who waits, and how long."""

from typing import Any

import pytest

from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.exchanges.delayed import DELAY_MS_MAX, DelayedExchange, delay_ms
from mambaamqp.errors import InternalFault, PreconditionFailed
from mambaamqp.wire.table import EMPTY, Table, encode_entries
from tests.broker.exchanges.conftest import Q, R, bind, make, reached, traits

LATER = Table(encode_entries({"x-delay": 5}))
WAITING = Destination("waiting", True)


@pytest.fixture
def later() -> Exchange:
    """Routes by key; Q is bound with q."""
    exchange = make("x-delayed-message", x_delayed_type="direct")
    assert isinstance(exchange, DelayedExchange)
    exchange.waiting = WAITING
    bind(exchange, Q, "q")
    return exchange


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (2**40, DELAY_MS_MAX),
        (0, 0),
        (-5, 0),
        (True, 0),
        ("5", 0),
        (5.0, 0),
        (None, 0),
    ],
)
def test_a_delay_is_a_positive_integer(value: Any, expected: int) -> None:
    """In milliseconds; nothing else is one, and ten years are enough."""
    assert delay_ms(traits(Table(encode_entries({"x-delay": value})))) == expected


def test_what_has_a_delay_waits(later: Exchange) -> None:
    """Wherever it will go."""
    assert reached(later, "q", LATER) == reached(later, "nobody", LATER) == ["waiting"]


def test_what_has_none_goes_where_its_type_says(later: Exchange) -> None:
    """With bindings that come and go."""
    assert (reached(later, "q"), reached(later, "r")) == (["q"], [])
    bind(later, R, "r")
    assert reached(later, "r") == ["r"]
    later.remove(R, "r", EMPTY)
    assert reached(later, "r") == []


def test_bindings_are_checked_by_its_type() -> None:
    """As they would be there."""
    exchange = make("x-delayed-message", x_delayed_type="x-consistent-hash")
    with pytest.raises(PreconditionFailed):
        exchange.validate_binding("heavy", EMPTY)


def test_without_its_queue_nothing_is_lost_in_silence(later: Exchange) -> None:
    """The publisher hears of it."""
    assert isinstance(later, DelayedExchange)
    later.waiting = None
    with pytest.raises(InternalFault):
        reached(later, "q", LATER)
