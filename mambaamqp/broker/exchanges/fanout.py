"""fanout: to every destination bound, whatever the key."""

from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.traits import Traits


class FanoutExchange(Exchange):
    """Needs no index but the destinations themselves."""

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        for destination in self._by_destination:
            found[destination] = None
