"""A binding: messages of an exchange that match a key (or arguments) go to a destination."""

from typing import TYPE_CHECKING

from mambaamqp.broker.destination import Destination
from mambaamqp.wire.table import Table, Value

if TYPE_CHECKING:
    from mambaamqp.broker.exchanges import Exchange

Identity = tuple[Destination, str, object]


class Binding:
    """One binding. Two bindings of an exchange with equal `identity` are the same one."""

    __slots__ = ("arguments", "destination", "identity", "routing_key", "source")

    def __init__(
        self, source: "Exchange", destination: Destination, routing_key: str, arguments: Table
    ) -> None:
        self.source = source
        self.destination = destination
        self.routing_key = routing_key
        self.arguments = arguments
        self.identity: Identity = identity(destination, routing_key, arguments)


def identity(destination: Destination, routing_key: str, arguments: Table) -> Identity:
    """What tells bindings of an exchange apart: destination, key, and the values of the arguments."""
    return destination, routing_key, frozen(arguments.values) if arguments else None


def frozen(value: Value) -> object:
    """A value of a field table as something that can be hashed and compared by value and class."""
    if isinstance(value, dict):
        return frozenset((key, frozen(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(frozen(item) for item in value)
    if isinstance(value, bytes):
        return _text_or_octets(value)
    if isinstance(value, float) and value != value:
        return "float", "nan"  # or a binding would not be the one that it is
    return type(value).__name__, value


def _text_or_octets(value: bytes) -> object:
    """Octets that are text equal the text, whichever type a client sent them as."""
    try:
        return "str", value.decode()
    except UnicodeDecodeError:
        return "bytes", value
