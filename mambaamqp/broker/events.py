"""Events: what happens to connections, queues, users and the rest, as messages of `amq.rabbitmq.event`.

A topic exchange of the virtual host "/", whose routing keys are RabbitMQ's (`queue.created`,
`connection.closed`, `user.authentication.failure`); everything about an event stands in the message's
headers, the body is empty. What replay does to the topology is no event. Source: RabbitMQ's plug-in
rabbitmq_event_exchange.
"""

from typing import TYPE_CHECKING, Final

from mambaamqp.broker.message import Message
from mambaamqp.broker.news import headers_of
from mambaamqp.wire import fast, properties
from mambaamqp.wire.table import Timestamp, Value

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker
    from mambaamqp.broker.exchanges import Exchange

EXCHANGE: Final = "amq.rabbitmq.event"
VHOST: Final = "/"
ARGUMENTS: Final = "arguments"
INTERNAL: Final = "rmq-internal"
"""Who acts when no user does."""


class Events:
    """`acting` is the user at whose command something happens now; `silent` while nothing is new."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.acting = INTERNAL
        self.silent = False

    @property
    def listening(self) -> bool:
        """Whether anybody is bound, and something can be new."""
        exchange = self._exchange()
        return exchange is not None and exchange.is_bound

    def tell(self, kind: str, facts: dict[str, Value]) -> None:
        """Something has happened; `facts` become headers, beside who did it and when (milliseconds)."""
        exchange = self._exchange()
        if exchange is None or not exchange.is_bound:
            return
        broker = self.broker
        headers: dict[str, Value] = {
            **facts,
            "user_who_performed_action": self.acting,
            "timestamp_in_ms": broker.wall_ms,
        }
        values = {
            "headers": headers_of(headers, ARGUMENTS),
            "delivery_mode": properties.PERSISTENT,
            "timestamp": Timestamp(broker.wall_ms // 1000),
        }
        content = fast.content_frames(properties.encode(values, 0), b"")
        broker.news.note(broker.vhosts[VHOST], exchange, kind, Message(b"", content, 0, True))

    def _exchange(self) -> "Exchange | None":
        vhost = None if self.silent else self.broker.vhosts.get(VHOST)
        return None if vhost is None else vhost.exchanges.get(EXCHANGE)
