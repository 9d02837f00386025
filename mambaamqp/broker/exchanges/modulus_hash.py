"""x-modulus-hash: to one binding of n, the hash of the routing key modulo n; binding keys mean nothing."""

from mambaamqp.broker.binding import Binding
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import hashing
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.traits import Traits


class ModulusHashExchange(Exchange):
    """Bindings stand in the order of their destinations' names, so that a restart changes nothing."""

    def _prepare(self) -> None:
        self.choices: list[Binding] = []

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        if self.choices:
            chosen = hashing.number(routing_key.encode()) % len(self.choices)
            found[self.choices[chosen].destination] = None

    def _index(self, binding: Binding) -> None:
        self.choices.append(binding)
        self.choices.sort(key=_place)

    def _unindex(self, binding: Binding) -> None:
        self.choices.remove(binding)


def _place(binding: Binding) -> tuple[str, bool, str]:
    return binding.destination.name, binding.destination.is_queue, binding.routing_key
