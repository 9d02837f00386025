"""The default exchange: every queue is bound to it with its own name, and nothing else ever is."""

from collections.abc import Mapping

from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.traits import Traits
from mambaamqp.wire.table import EMPTY


class QueuesExchange(Exchange):
    """Looks names up among the queues of the virtual host."""

    def __init__(self, vhost: str, queues: Mapping[str, Destination]) -> None:
        super().__init__(
            "direct", vhost, "", durable=True, auto_delete=False, internal=False, arguments=EMPTY
        )
        self.queues = queues

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        queue = self.queues.get(routing_key)
        if queue is not None and not queue.hidden:
            found[queue] = None
