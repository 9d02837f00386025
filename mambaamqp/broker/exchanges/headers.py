"""headers: to destinations whose binding arguments match the message's headers.

x-match: `all` (default), `any`, and the two `-with-x` forms that also look at keys starting with "x-". A
void argument asks for the key alone. Values compare by class and value: an integer equals another of any
width, never a double, a boolean or text. Empty arguments: `all` matches everything, `any` nothing.
"""

from typing import Final

from mambaamqp.broker.binding import Binding, frozen
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import Table, Value

X_MATCH: Final = "x-match"
MODES: Final = ("all", "any", "all-with-x", "any-with-x")


class HeadersExchange(Exchange):
    """Each binding is asked in turn."""

    reads_headers = True

    def validate_binding(self, routing_key: str, arguments: Table) -> None:
        if X_MATCH not in arguments:
            return
        mode = arguments.get(X_MATCH)
        if not isinstance(mode, str):
            raise PreconditionFailed(
                f"Invalid x-match field type {arguments.kind(X_MATCH)} (value {mode}); expected longstr"
            )
        if mode not in MODES:
            raise PreconditionFailed(
                f'Invalid x-match field value "{mode}"; expected all, any, all-with-x, or any-with-x'
            )

    def match(self, routing_key: str, headers: Table | None, found: dict[Destination, None]) -> None:
        values: dict[str, Value] = {} if headers is None else headers.values
        for binding in self._bindings.values():
            if binding.destination not in found and matches(binding, values):
                found[binding.destination] = None


def matches(binding: Binding, headers: dict[str, Value]) -> bool:
    """Whether a message with these headers goes the way of `binding`."""
    arguments = binding.arguments.values
    mode = arguments.get(X_MATCH, "all")
    with_x = mode.endswith("-with-x")
    wanted = {key: value for key, value in arguments.items() if _counts(key, with_x)}
    if mode.startswith("all"):
        return all(_agrees(key, value, headers) for key, value in wanted.items())
    return any(_agrees(key, value, headers) for key, value in wanted.items())


def _counts(key: str, with_x: bool) -> bool:
    return key != X_MATCH and (with_x or not key.startswith("x-"))


def _agrees(key: str, wanted: Value, headers: dict[str, Value]) -> bool:
    if key not in headers:
        return False
    return wanted is None or frozen(wanted) == frozen(headers[key])
