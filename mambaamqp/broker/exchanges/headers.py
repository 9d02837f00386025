"""headers: to destinations whose binding arguments match the message's headers.

x-match: `all` (default), `any`, and the two `-with-x` forms that also look at keys starting with "x-". A
void argument asks for the key alone. Values compare by class and value: an integer equals another of any
width, never a double, a boolean or text. Empty arguments: `all` matches everything, `any` nothing.
"""

from typing import ClassVar, Final

from mambaamqp.broker.binding import Binding, frozen
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.terms import term
from mambaamqp.broker.traits import Traits
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import Table

X_MATCH: Final = "x-match"
MODES: Final = ("all", "any", "all-with-x", "any-with-x")


class Rule:
    """What a binding asks of headers, read once: each key with its frozen value, None for the key alone."""

    __slots__ = ("all", "wanted")

    def __init__(self, arguments: Table) -> None:
        mode = arguments.get(X_MATCH) if X_MATCH in arguments else "all"
        with_x = mode.endswith("-with-x")
        self.all: bool = mode.startswith("all")
        self.wanted: list[tuple[str, object]] = []
        for key, value in arguments.values.items():
            if key != X_MATCH and (with_x or not key.startswith("x-")):
                self.wanted.append((key, None if value is None else frozen(value)))

    def matches(self, headers: dict[str, object]) -> bool:
        """Whether a message with these (frozen) headers goes the way of the binding."""
        for key, value in self.wanted:
            agrees = key in headers and (value is None or value == headers[key])
            if agrees is not self.all:
                return agrees
        return self.all


class HeadersExchange(Exchange):
    """Each binding is asked in turn."""

    READS_MESSAGE: ClassVar[bool] = True
    rules: dict[Binding, Rule]

    def _prepare(self) -> None:
        self.rules = {}

    def validate_binding(self, routing_key: str, arguments: Table) -> None:
        if X_MATCH not in arguments:
            return
        mode = arguments.get(X_MATCH)
        if not isinstance(mode, str):
            raise PreconditionFailed(
                f"Invalid x-match field type {arguments.kind(X_MATCH)} (value {term(mode)}); expected longstr"
            )
        if mode not in MODES:
            raise PreconditionFailed(
                f'Invalid x-match field value "{mode}"; expected all, any, all-with-x, or any-with-x'
            )

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        if not self.rules:
            return
        values: dict[str, object] = {}
        if traits is not None:
            for key, value in traits.headers.values.items():
                values[key] = frozen(value)
        for binding, rule in self.rules.items():
            if binding.destination not in found and rule.matches(values):
                found[binding.destination] = None

    def _index(self, binding: Binding) -> None:
        self.rules[binding] = Rule(binding.arguments)

    def _unindex(self, binding: Binding) -> None:
        del self.rules[binding]
