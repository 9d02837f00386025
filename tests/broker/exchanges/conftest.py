"""Exchanges without a virtual host."""

from typing import Any

import pytest

from mambaamqp.broker import exchanges
from mambaamqp.broker.binding import Binding
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.wire.table import EMPTY, Table, encode_entries

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


def reached(exchange: Exchange, key: str = "", headers: Table | None = None) -> list[str]:
    """Names of the destinations of a message, sorted."""
    found: dict[Destination, None] = {}
    exchange.match(key, headers, found)
    return sorted(destination.name for destination in found)


@pytest.fixture(params=["direct", "fanout", "topic", "headers"])
def any_exchange(request: pytest.FixtureRequest) -> Exchange:
    return make(request.param)
