"""direct: to every destination bound with exactly the message's routing key."""

from mambaamqp.broker.binding import Binding
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.traits import Traits


class DirectExchange(Exchange):
    """Destinations by routing key, each with the number of its bindings."""

    keys: dict[str, dict[Destination, int]]

    def _prepare(self) -> None:
        self.keys = {}

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        for destination in self.keys.get(routing_key, ()):
            found[destination] = None

    def _index(self, binding: Binding) -> None:
        counts = self.keys.setdefault(binding.routing_key, {})
        counts[binding.destination] = counts.get(binding.destination, 0) + 1

    def _unindex(self, binding: Binding) -> None:
        counts = self.keys[binding.routing_key]
        counts[binding.destination] -= 1
        if not counts[binding.destination]:
            del counts[binding.destination]
        if not counts:
            del self.keys[binding.routing_key]
