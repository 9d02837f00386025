"""x-random and x-local-random: to one destination of those bound, whichever, whatever the key.

On one node all queues are local. Chance is drawn from the exchange's own name, so that a simulation repeats
itself.
"""

from random import Random
from typing import ClassVar

from mambaamqp.broker.binding import Binding
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.traits import Traits


class RandomExchange(Exchange):
    """Each binding has the same chance; two bindings to one queue are two."""

    READS_MESSAGE: ClassVar[bool] = True

    def _prepare(self) -> None:
        self.random = Random(self.name)
        self.choices: list[Binding] = []

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        if self.choices:
            found[self.random.choice(self.choices).destination] = None

    def _index(self, binding: Binding) -> None:
        self.choices.append(binding)

    def _unindex(self, binding: Binding) -> None:
        self.choices.remove(binding)
