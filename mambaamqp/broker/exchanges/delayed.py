"""x-delayed-message: routes as the type that `x-delayed-type` names, when a message's `x-delay` is over.

A message with a delay (milliseconds, a positive integer) goes to the exchange's delay queue, which gives it
back here with the delay negated; everything else is routed at once. Whether anybody will take it is not known
before, so `mandatory` counts such a message as routed.
"""

from typing import ClassVar, Final

from mambaamqp.broker import exchanges
from mambaamqp.broker.binding import Binding
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.traits import Traits
from mambaamqp.errors import InternalFault, PreconditionFailed
from mambaamqp.wire.table import Table

KIND: Final = "x-delayed-message"
DELAYED_TYPE: Final = "x-delayed-type"
DELAY: Final = "x-delay"
DELAY_MS_MAX: Final = 315_360_000_000
"""Ten years, as for every time span; who asks for more waits so long."""


def delay_ms(traits: Traits) -> int:
    """How long a message wants to wait; 0 for one that does not."""
    value = traits.header(DELAY)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        return 0
    return min(value, DELAY_MS_MAX)


class DelayedExchange(Exchange):
    """`inner` has the same bindings and decides; `waiting` is where delayed messages wait."""

    READS_MESSAGE: ClassVar[bool] = True

    def _prepare(self) -> None:
        self.waiting: Destination | None = None
        kind = self.arguments.get(DELAYED_TYPE) if DELAYED_TYPE in self.arguments else None
        if not isinstance(kind, str) or kind == KIND or kind not in exchanges.TYPES:
            raise PreconditionFailed(
                f"Invalid argument, '{DELAYED_TYPE}' must be an existing exchange type, and not '{KIND}'"
            )
        self.inner: Exchange = exchanges.create(
            kind,
            self.vhost,
            self.name,
            durable=self.durable,
            auto_delete=self.auto_delete,
            internal=self.internal,
            arguments=self.arguments,
        )

    def validate_binding(self, routing_key: str, arguments: Table) -> None:
        self.inner.validate_binding(routing_key, arguments)

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        if traits is None or not delay_ms(traits):
            self.inner.match(routing_key, traits, found)
        elif self.waiting is None:
            raise InternalFault(f"exchange '{self.name}' has lost its delay queue: declare it again")
        else:
            found[self.waiting] = None

    def _index(self, binding: Binding) -> None:
        self.inner.add(binding)

    def _unindex(self, binding: Binding) -> None:
        self.inner.remove(binding.destination, binding.routing_key, binding.arguments)
