"""x-jms-topic: a topic exchange whose bindings also have a selector, for RabbitMQ's JMS client.

A message goes the way of a binding whose key its routing key matches, as with `topic`, and whose selector its
headers satisfy: the binding's argument `rjms_erlang_selector`, see `broker.selectors`. A binding without one
takes everything with its key. An empty binding key takes every routing key: topics have names, so it is the
subscriber of a fanout or headers exchange in front of this one who has none. `rjms_version`, of exchange or
binding, says which client made them, and nothing else.
"""

from typing import ClassVar, Final

from mambaamqp.broker.binding import Binding
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.selectors.selector import Selector
from mambaamqp.broker.selectors.tokens import refused
from mambaamqp.broker.selectors.values import Value
from mambaamqp.broker.topic import TopicTrie
from mambaamqp.broker.traits import Traits
from mambaamqp.wire.table import Table

SELECTOR: Final = "rjms_erlang_selector"
EVERYTHING: Final = "true."
EVERY_KEY: Final = "#"


class Branch(Destination):
    """Where the pattern of a binding leads: on to its destination, for what is selected."""

    def __init__(self, destination: Destination, selector: Selector) -> None:
        super().__init__(destination.name, destination.is_queue)
        self.destination = destination
        self.selector = selector


class JmsTopicExchange(Exchange):
    """Patterns stand in a trie; bindings with equal selectors share one, asked once a message and key."""

    READS_MESSAGE: ClassVar[bool] = True

    def _prepare(self) -> None:
        self.trie = TopicTrie()
        self.branches: dict[Binding, Branch] = {}
        self.selectors: dict[str, Selector] = {}

    def validate_binding(self, routing_key: str, arguments: Table) -> None:
        self._selector(arguments)

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        reached: dict[Destination, None] = {}
        self.trie.match(routing_key, reached)
        headers: dict[str, Value] = traits.headers.values if reached and traits is not None else {}
        verdicts: dict[Selector, bool] = {}
        for branch in reached:
            if isinstance(branch, Branch) and branch.destination not in found:
                selector = branch.selector
                if selector not in verdicts:
                    verdicts[selector] = selector.selects(headers)
                if verdicts[selector]:
                    found[branch.destination] = None

    def _selector(self, arguments: Table) -> Selector:
        """The selector of a binding, one that is used already if there is an equal one."""
        text = arguments.get(SELECTOR) if SELECTOR in arguments else EVERYTHING
        if not isinstance(text, str):
            raise refused(f"it must be a longstr of UTF-8, not a {arguments.kind(SELECTOR)}")
        return self.selectors.get(text) or Selector(text)

    def _index(self, binding: Binding) -> None:
        selector = self._selector(binding.arguments)
        self.selectors[selector.text] = selector
        selector.users += 1
        branch = self.branches[binding] = Branch(binding.destination, selector)
        self.trie.add(binding.routing_key or EVERY_KEY, branch)

    def _unindex(self, binding: Binding) -> None:
        branch = self.branches.pop(binding)
        self.trie.remove(binding.routing_key or EVERY_KEY, branch)
        branch.selector.users -= 1
        if not branch.selector.users:
            del self.selectors[branch.selector.text]
