"""x-message-deduplication: routes what it has not routed yet.

A message whose key (`broker.deduplication`) stands in the exchange's window is dropped: it counts as routed,
so that nobody gets it back and the alternate exchange does not get it. What is routed goes where `inner`
sends it, and its key into the window; what reaches nobody is not remembered. The type itself is a fanout, as
in RabbitMQ's plug-in; an exchange of any other type deduplicates with the argument `x-message-deduplication`,
as in LavinMQ.
"""

from typing import ClassVar, Final

from mambaamqp.broker import exchanges
from mambaamqp.broker.binding import Binding
from mambaamqp.broker.deduplication import HEADER, TTL, TTL_MS_MAX, digest_of
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.message import Message
from mambaamqp.broker.policy import Rule
from mambaamqp.broker.traits import Traits
from mambaamqp.broker.window import Window
from mambaamqp.errors import InternalFault, PreconditionFailed
from mambaamqp.wire.table import Table, Value

KIND: Final = "x-message-deduplication"
SWITCH: Final = "x-message-deduplication"
"""The argument, of an exchange of any type."""
INNER: Final = "fanout"
DELAYED: Final = "x-delayed-message"

SIZE: Final = "x-cache-size"
SIZE_MAX: Final = 1_000_000
SIZE_DEFAULT: Final = 128
"""LavinMQ's, for an exchange of another type; the type itself must say it."""
PERSISTENCE: Final = "x-cache-persistence"
MEMORY: Final = "memory"
DISK: Final = "disk"
"""Without either argument too, as far as exchange and message survive: better than the plug-in's default."""

DIGITS_MAX: Final = 12
"""Longer numbers are refused unread."""

NOWHERE: Final = Destination("", False)
"""Where what is known already goes."""


def deduplicates(arguments: Table) -> bool:
    """Whether an exchange of another type is to; 406 if it does not say so clearly."""
    if not arguments or SWITCH not in arguments:
        return False
    value = arguments.get(SWITCH)
    if not isinstance(value, bool):
        raise PreconditionFailed(f"Invalid argument, '{SWITCH}' must be a boolean")
    return value


class DeduplicationExchange(Exchange):
    """`inner` has the same bindings and decides; `window` is what has passed."""

    READS_MESSAGE: ClassVar[bool] = True

    def _prepare(self) -> None:
        self.window: Window | None = None
        own = self.kind == KIND
        if self.kind == DELAYED:
            raise PreconditionFailed(f"Invalid argument, '{SWITCH}' is not for exchanges of type '{DELAYED}'")
        self.header: str = self._header()
        self.size: int = self._size(None if own else SIZE_DEFAULT)
        self.ttl_ms: int = self._ttl_ms()
        self.on_disk: bool = self._persistence() == DISK
        self.inner: Exchange = exchanges.TYPES[INNER if own else self.kind](
            self.kind,
            self.vhost,
            self.name,
            durable=self.durable,
            auto_delete=self.auto_delete,
            internal=self.internal,
            arguments=self.arguments,
        )

    # Arguments

    def _header(self) -> str:
        if HEADER not in self.arguments:
            return HEADER
        value = self.arguments.get(HEADER)
        if not isinstance(value, str) or not value:
            raise PreconditionFailed(f"Invalid argument, '{HEADER}' must be the name of a header")
        return value

    def _size(self, default: int | None) -> int:
        if SIZE not in self.arguments and default is not None:
            return default
        number = _number(self.arguments.get(SIZE))
        if number <= 0:
            raise PreconditionFailed(
                f"Missing or invalid argument, '{SIZE}' must be an integer greater than 0"
            )
        if number > SIZE_MAX:
            raise PreconditionFailed(f"Invalid argument, '{SIZE}' must not be greater than {SIZE_MAX}")
        return number

    def _ttl_ms(self) -> int:
        if TTL not in self.arguments:
            return -1
        number = _number(self.arguments.get(TTL))
        if number <= 0:
            raise PreconditionFailed(f"Invalid argument, '{TTL}' must be an integer greater than 0")
        return min(number, TTL_MS_MAX)

    def _persistence(self) -> str:
        value = self.arguments.get(PERSISTENCE) if PERSISTENCE in self.arguments else DISK
        if value not in (DISK, MEMORY):
            raise PreconditionFailed(f"Invalid argument, '{PERSISTENCE}' must be either 'disk' or 'memory'")
        return str(value)

    # The window

    def attach(self, window: Window) -> None:
        """Remember there what is routed."""
        self.window = window
        self._rule_window()

    def govern(self, rule: Rule) -> None:
        super().govern(rule)
        self._rule_window()

    def _rule_window(self) -> None:
        """What a policy says goes before the arguments, as in the plug-in."""
        if self.window is None:
            return
        asked = self.rule.definition
        size = min(asked.get(SIZE, self.size), SIZE_MAX)
        ttl_ms = min(asked.get(TTL, self.ttl_ms), TTL_MS_MAX)
        on_disk = asked[PERSISTENCE] == DISK if PERSISTENCE in asked else self.on_disk
        self.window.take_rules(self.header, size, ttl_ms, on_disk)

    # Routing

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        if traits is None or self.window is None:
            raise InternalFault(f"exchange '{self.name}' has lost its window: declare it again")
        digest = digest_of(traits.header(self.header))
        if digest and self.window.knows(digest, traits.message.published_ms):
            traits.repeated = True
            found[NOWHERE] = None
            return
        before = len(found)
        self.inner.match(routing_key, traits, found)
        if digest and len(found) > before:
            found[self.window] = None

    def validate_binding(self, routing_key: str, arguments: Table) -> None:
        self.inner.validate_binding(routing_key, arguments)

    def greeting(self) -> list[Message]:
        return self.inner.greeting()

    def _index(self, binding: Binding) -> None:
        self.inner.add(binding)

    def _unindex(self, binding: Binding) -> None:
        self.inner.remove(binding.destination, binding.routing_key, binding.arguments)


def _number(value: Value) -> int:
    """A number, which may be written as text, as in the plug-in; -1 for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= DIGITS_MAX:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
