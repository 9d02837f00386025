"""The firehose: a copy of every publish and delivery of a virtual host, and of what became of deliveries.

Messages of `amq.rabbitmq.trace` under the keys `publish.EXCHANGE` and `deliver.QUEUE`, as RabbitMQ has them,
and `ack.QUEUE`, `reject.QUEUE`, `requeue.QUEUE`, which it has not; those have no body. What a message was
stands in the headers of its copy. Copies of copies are not made. A virtual host has a firehose while it is
traced and None else, so that nobody pays who does not look.
"""

from typing import TYPE_CHECKING, Final

from mambaamqp.broker.entry import Entry
from mambaamqp.broker.message import Message, names_of
from mambaamqp.broker.news import headers_of, readable, short_key
from mambaamqp.broker.routing import sender_selected
from mambaamqp.broker.traits import Traits
from mambaamqp.wire import fast, properties
from mambaamqp.wire.table import Table, Value

if TYPE_CHECKING:
    from mambaamqp.broker.queue import Queue
    from mambaamqp.broker.vhost import VirtualHost

EXCHANGE: Final = "amq.rabbitmq.trace"
PROPERTIES: Final = "properties"


class Witness:
    """Who published, took or settled something: the connection's name, the channel's number, the user."""

    def __init__(self, connection: str, channel: int, user: str) -> None:
        self.connection = connection
        self.channel = channel
        self.user = user


class Firehose:
    """What one virtual host shows of its traffic."""

    def __init__(self, vhost: "VirtualHost") -> None:
        self.vhost = vhost

    def published(self, message: Message, queues: "list[Queue]", by: Witness) -> None:
        """A publish has been routed to `queues`."""
        exchange_name, _ = names_of(message.address)
        reached: list[Value] = [queue.name for queue in queues if not queue.hidden]
        self._copy(f"publish.{exchange_name}", message, by, {"routed_queues": reached}, whole=True)

    def delivered(self, entry: Entry, by: Witness) -> None:
        """A queue has handed a message to a consumer, or to a basic.get."""
        facts: dict[str, Value] = {"redelivered": int(entry.redelivered)}
        self._copy(f"deliver.{entry.queue.name}", entry.message, by, facts, whole=True)

    def settled(self, entry: Entry, outcome: str, by: Witness) -> None:
        """A delivery has come to its end, or back: `outcome` is ack, reject or requeue."""
        self._copy(f"{outcome}.{entry.queue.name}", entry.message, by, {}, whole=False)

    def _copy(self, key: str, message: Message, by: Witness, facts: dict[str, Value], *, whole: bool) -> None:
        exchange = self.vhost.exchanges.get(EXCHANGE)
        exchange_name, routing_key = names_of(message.address)
        if exchange is None or not exchange.is_bound or exchange_name == EXCHANGE:
            return
        headers: dict[str, Value] = {
            "exchange_name": exchange_name,
            "routing_keys": [routing_key, *_carbon_copies(message)],
            PROPERTIES: _described(message.header()),
            "vhost": self.vhost.name,
            "connection": by.connection,
            "channel": by.channel,
            "user": by.user,
            **facts,
        }
        copy = _copy_of(message, headers_of(headers, PROPERTIES), whole)
        self.vhost.broker.news.note(self.vhost, exchange, short_key(key), copy)


def _copy_of(message: Message, headers: Table, whole: bool) -> Message:
    """Transient, under other headers; `whole` with the body, which is shared."""
    body_bytes = message.body_bytes if whole else 0
    header = properties.encode({"headers": headers}, body_bytes)
    if not whole:
        return Message(b"", fast.content_frames(header, b""), 0, False)
    copy = message.with_header(header)
    copy.expiration_ms = copy.priority = -1
    copy.dead_lettered = copy.persistent = False
    return copy


def _carbon_copies(message: Message) -> list[str]:
    headers = Traits(message).headers
    return sender_selected(headers)[0] if b"CC" in headers.raw and "CC" in readable(headers) else []


def _described(header: bytes) -> dict[str, Value]:
    """The properties that a message has, by the names that RabbitMQ gives them."""
    found: dict[str, Value] = {}
    for name in properties.NAMES:
        value = properties.get(header, name)
        if value is not None:
            found["type" if name == "message_type" else name] = (
                readable(value) if isinstance(value, Table) else value
            )
    return found
