"""Exchanges without a virtual host."""

from typing import Any

import pytest

from mambaamqp.broker import exchanges
from mambaamqp.broker.binding import Binding
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.traits import Traits
from mambaamqp.wire.table import EMPTY, Table, encode_entries
from tests.broker.conftest import message

Q, R = Destination("q", True), Destination("r", True)


def make(kind: str, name: str = "x", **arguments: Any) -> Exchange:
    """A durable exchange; `alternate_exchange` stands for alternate-exchange."""
    given = {key.replace("_", "-"): value for key, value in arguments.items()}
    return exchanges.create(
        kind,
        "/",
        name,
        durable=True,
        auto_delete=False,
        internal=False,
        arguments=Table(encode_entries(given)),
    )


def bind(exchange: Exchange, destination: Destination, key: str = "", table: Table = EMPTY) -> bool:
    return exchange.add(Binding(exchange, destination, key, table))


def traits(headers: Table | None = None, **props: Any) -> Traits:
    """Of a message with these properties."""
    if headers is not None:
        props["headers"] = headers.values
    return Traits(message(b"", **props))


def reached(exchange: Exchange, key: str = "", headers: Table | None = None, **props: Any) -> list[str]:
    """Names of the destinations of a message, sorted."""
    found: dict[Destination, None] = {}
    exchange.match(key, traits(headers, **props), found)
    return sorted(destination.name for destination in found)


ANY_KEY = [
    "direct",
    "fanout",
    "topic",
    "headers",
    "x-random",
    "x-jms-topic",
    "x-modulus-hash",
    "x-recent-history",
]
"""Types that take any binding key."""


@pytest.fixture(params=ANY_KEY)
def any_exchange(request: pytest.FixtureRequest) -> Exchange:
    return make(request.param)
