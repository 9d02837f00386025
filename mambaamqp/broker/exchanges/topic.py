"""topic: to every destination bound with a pattern that the routing key matches."""

from mambaamqp.broker.binding import Binding
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.topic import TopicTrie
from mambaamqp.broker.traits import Traits


class TopicExchange(Exchange):
    """Patterns stand in a trie of words."""

    trie: TopicTrie

    def _prepare(self) -> None:
        self.trie = TopicTrie()

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        self.trie.match(routing_key, found)

    def _index(self, binding: Binding) -> None:
        self.trie.add(binding.routing_key, binding.destination)

    def _unindex(self, binding: Binding) -> None:
        self.trie.remove(binding.routing_key, binding.destination)
