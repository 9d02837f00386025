"""What the broker itself says to who listens: messages of two exchanges, published between batches.

Whoever has something to tell is in the middle of a change, and a publish there could dispatch, drop and
dead-letter what the change is about. So it is only noted, and goes its way when the queues come to rest.
Nothing is noted while nobody is bound: news costs nothing then.
"""

from typing import TYPE_CHECKING, Final

from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.message import Message, address_of, names_of
from mambaamqp.broker.traits import Traits
from mambaamqp.errors import SyntaxFault
from mambaamqp.wire.table import Table, Value, encode_entries

if TYPE_CHECKING:
    from mambaamqp.broker.vhost import VirtualHost


HEADERS_BYTES_MAX: Final = 100_000
"""Of a table of headers: a content header is one frame, and most clients take frames of 131,072 octets."""


class News:
    """What waits to be published."""

    def __init__(self) -> None:
        self.pending: list[tuple[VirtualHost, Message]] = []

    def note(self, vhost: "VirtualHost", exchange: Exchange, routing_key: str, message: Message) -> None:
        """Have a message published to an exchange when there is time for it."""
        message.address = address_of(exchange.name, routing_key)
        message.published_ms = vhost.broker.wall_ms
        self.pending.append((vhost, message))

    def publish(self) -> None:
        """Let all of it go its way."""
        pending = self.pending
        self.pending = []
        for vhost, message in pending:
            exchange_name, routing_key = names_of(message.address)
            exchange = vhost.exchanges.get(exchange_name)
            if exchange is not None:
                queues = vhost.queues_for(exchange, [routing_key], Traits(message))
                if queues:
                    vhost.enqueue(message, queues)


def headers_of(facts: dict[str, Value], bulky: str) -> Table:
    """Facts as headers; without `bulky`, which a client said, if that is too long or too deep to be told."""
    try:
        octets = encode_entries(facts)
    except (ValueError, TypeError):
        octets = bytes(HEADERS_BYTES_MAX + 1)
    if len(octets) <= HEADERS_BYTES_MAX:
        return Table(octets)
    return Table(encode_entries({key: value for key, value in facts.items() if key != bulky}))


def readable(table: Table) -> Value:
    """The entries of a table that a client sent; none, if they cannot be read."""
    try:
        return table.values
    except SyntaxFault:
        return {}


def short_key(text: str) -> str:
    """A routing key: what is longer than 255 octets is cut, not inside a character."""
    octets = text.encode()
    return text if len(octets) <= 255 else octets[:255].decode(errors="ignore")
