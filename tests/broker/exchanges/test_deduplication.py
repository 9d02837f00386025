"""mambaamqp/broker/exchanges/deduplication.py: what passes, and what counts as having passed."""

from typing import Any

import pytest

from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.deduplication import NOWHERE, DeduplicationExchange, deduplicates
from mambaamqp.broker.message import Message
from mambaamqp.broker.traits import Traits
from mambaamqp.broker.window import Window
from mambaamqp.errors import InternalFault, PreconditionFailed
from mambaamqp.wire import fast, properties
from mambaamqp.wire.table import EMPTY, Table, encode_entries
from tests.broker.exchanges.conftest import Q, bind, make
from tests.support.client import World

KIND = "x-message-deduplication"


@pytest.fixture
def once() -> DeduplicationExchange:
    """Remembers three; Q is bound."""
    exchange = make(KIND, x_cache_size=3)
    assert isinstance(exchange, DeduplicationExchange)
    table = Table(encode_entries({"x-deduplication-exchange": "x"}))
    exchange.attach(Window(World().broker.vhosts["/"], 1, "w", True, table))
    bind(exchange, Q, "")
    return exchange


def keyed(key: Any = None) -> Traits:
    headers = {} if key is None else {"x-deduplication-header": key}
    content = fast.content_frames(properties.encode({"headers": headers}, 0), b"")
    return Traits(Message(b"\0\0", content, 0, True))


def match(exchange: DeduplicationExchange, traits: Traits) -> list[Destination]:
    found: dict[Destination, None] = {}
    exchange.match("", traits, found)
    return list(found)


def test_what_is_routed_reaches_the_window(once: DeduplicationExchange) -> None:
    """Unless it has no key; twice the same is nowhere, and is told of."""
    traits = keyed("a")
    assert once.window is not None
    assert match(once, keyed()) == [Q]
    assert match(once, traits) == [Q, once.window]
    once.window.remember(traits.message, True)
    again = keyed("a")
    assert match(once, again) == [NOWHERE]
    assert again.repeated
    assert not traits.repeated


def test_what_is_routed_nowhere_does_not(once: DeduplicationExchange) -> None:
    """It may come again when somebody is bound."""
    once.remove(Q, "", EMPTY)
    assert match(once, keyed("a")) == []


def test_without_its_window_it_routes_nothing() -> None:
    """Rather than twice."""
    exchange = make(KIND, x_cache_size=3)
    assert isinstance(exchange, DeduplicationExchange)
    with pytest.raises(InternalFault, match="exchange 'x' has lost its window: declare it again"):
        match(exchange, keyed("a"))


def test_the_switch_is_a_boolean() -> None:
    """Absent is false; anything else than a truth value is refused."""
    assert not deduplicates(EMPTY)
    assert not deduplicates(Table(encode_entries({"x-message-deduplication": False})))
    assert deduplicates(Table(encode_entries({"x-message-deduplication": True})))
    with pytest.raises(PreconditionFailed, match="must be a boolean"):
        deduplicates(Table(encode_entries({"x-message-deduplication": 1})))
