"""What all exchange types share: properties, bindings, equivalence on redeclare.

A type fills in how bindings are indexed and how a message matches them.
"""

from typing import ClassVar

from mypy_extensions import mypyc_attr

from mambaamqp.broker.binding import Binding, Identity, identity
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.equivalence import check_argument, check_flag, check_property
from mambaamqp.broker.message import Message
from mambaamqp.broker.policy import NO_RULE, Rule
from mambaamqp.broker.traits import Traits
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import Table

ALTERNATE_EXCHANGE = "alternate-exchange"


# Types that others bring are not compiled.
@mypyc_attr(allow_interpreted_subclasses=True)
class Exchange(Destination):
    """An exchange. `alternate` takes what this one routes nowhere."""

    READS_MESSAGE: ClassVar[bool] = False
    """Whether more than its key decides where a message goes, so that its route cannot be cached by that."""

    def __init__(
        self,
        kind: str,
        vhost: str,
        name: str,
        *,
        durable: bool,
        auto_delete: bool,
        internal: bool,
        arguments: Table,
    ) -> None:
        super().__init__(name, False)
        # Of the type as Python sees it: one that others bring is not compiled.
        self.reads_message: bool = type(self).READS_MESSAGE
        self.kind = kind
        self.vhost = vhost
        self.durable = durable
        self.auto_delete = auto_delete
        self.internal = internal
        self.arguments = arguments
        self.own_alternate: str | None = _alternate(arguments, name, vhost)
        self.alternate: str | None = self.own_alternate
        self.rule = NO_RULE
        self._bindings: dict[Identity, Binding] = {}
        self._by_destination: dict[Destination, dict[Identity, None]] = {}
        self._prepare()

    def _prepare(self) -> None:
        """A type sets up its own index."""

    def govern(self, rule: Rule) -> None:
        """Do what policies ask for: its own alternate exchange goes before that of a policy."""
        self.rule = rule
        if self.own_alternate is None:
            self.alternate = rule.definition.get(ALTERNATE_EXCHANGE)

    @property
    def bindings(self) -> list[Binding]:
        """All bindings, in the order in which they were made; a copy."""
        return list(self._bindings.values())

    @property
    def is_bound(self) -> bool:
        """Whether there is any binding."""
        return bool(self._bindings)

    def destinations(self) -> list[Destination]:
        """Everything that any binding leads to."""
        return list(self._by_destination)

    def validate_binding(self, routing_key: str, arguments: Table) -> None:
        """Raise PreconditionFailed for a binding that this type cannot have."""

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        """Put the destinations that a message goes to into `found`, each once.

        `traits` may be None where `reads_message` is false.
        """
        raise NotImplementedError

    def greeting(self) -> list[Message]:
        """What a queue is given when it is bound, the oldest first."""
        return []

    def has(self, binding: Binding) -> bool:
        """Whether an equal binding stands already."""
        return binding.identity in self._bindings

    def add(self, binding: Binding) -> bool:
        """Add a binding; False when an equal one stands already."""
        if self.has(binding):
            return False
        self._bindings[binding.identity] = binding
        self._by_destination.setdefault(binding.destination, {})[binding.identity] = None
        self._index(binding)
        return True

    def remove(self, destination: Destination, routing_key: str, arguments: Table) -> Binding | None:
        """Remove a binding and return it; None when there is none."""
        return self._remove(identity(destination, routing_key, arguments))

    def remove_destination(self, destination: Destination) -> list[Binding]:
        """Remove all bindings to a destination and return them."""
        removed: list[Binding] = []
        for key in list(self._by_destination.get(destination, ())):
            binding = self._remove(key)
            if binding is not None:
                removed.append(binding)
        return removed

    def _remove(self, key: Identity) -> Binding | None:
        binding = self._bindings.pop(key, None)
        if binding is None:
            return None
        siblings = self._by_destination[binding.destination]
        del siblings[key]
        if not siblings:
            del self._by_destination[binding.destination]
        self._unindex(binding)
        return binding

    def _index(self, binding: Binding) -> None:
        """A type's own index learns a new binding."""

    def _unindex(self, binding: Binding) -> None:
        """A type's own index forgets a binding."""


def _alternate(arguments: Table, name: str, vhost: str) -> str | None:
    if not arguments or ALTERNATE_EXCHANGE not in arguments:
        return None
    value = arguments.get(ALTERNATE_EXCHANGE)
    if not isinstance(value, str):
        raise PreconditionFailed(
            f"invalid type '{arguments.kind(ALTERNATE_EXCHANGE)}' for arg '{ALTERNATE_EXCHANGE}' in "
            f"exchange '{name}' in vhost '{vhost}'"
        )
    return value


def check_equivalent(
    exchange: Exchange, kind: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table
) -> None:
    """406 when a redeclare differs: type, durable, auto_delete, internal, then alternate-exchange."""
    where = f"exchange '{exchange.name}' in vhost '{exchange.vhost}'"
    check_property("type", where, exchange.kind, kind)
    check_flag("durable", where, exchange.durable, durable)
    check_flag("auto_delete", where, exchange.auto_delete, auto_delete)
    check_flag("internal", where, exchange.internal, internal)
    check_argument(ALTERNATE_EXCHANGE, where, exchange.arguments, arguments)
