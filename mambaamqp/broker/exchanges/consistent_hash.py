"""x-consistent-hash: messages with the same key, header or property go to the same queue, shared by weight.

The binding key is the weight. What is hashed is the routing key, or what the exchange's arguments name:
`hash-header` (also `x-hash-on`) a header, `hash-property` one of message_id, correlation_id and timestamp; a
message without it is hashed as empty. Each binding draws a lot for each hashed value, and the luckiest is
chosen (rendezvous hashing), so that a binding that comes or goes moves only its own share, in whatever order
they were made, and a weight costs no memory.
"""

from math import log
from typing import Final

from mambaamqp.broker.binding import Binding
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import hashing
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.terms import plain
from mambaamqp.broker.traits import Traits
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import Table, Value

HASH_HEADER: Final = ("hash-header", "x-hash-on")
"""RabbitMQ's name for it, and LavinMQ's."""
HASH_PROPERTY: Final = "hash-property"
PROPERTIES: Final = ("message_id", "correlation_id", "timestamp")
ALGORITHM: Final = "x-algorithm"
ALGORITHMS: Final = ("ring", "jump")
"""LavinMQ's; what they promise is promised here, whichever is asked for."""
WEIGHT_DIGITS_MAX: Final = 9


class Lot:
    """A binding with its weight; `salt` makes its draws its own."""

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.weight = int(binding.routing_key)
        self.salt = hashing.number(binding.destination.name.encode()).to_bytes(hashing.DIGEST_BYTES, "big")

    def draw(self, octets: bytes) -> float:
        """The smaller, the luckier; on average in inverse proportion to the weight."""
        return -log((hashing.number(octets, self.salt) + 1) / hashing.END) / self.weight


class ConsistentHashExchange(Exchange):
    """`hashed_header` or `hashed_property` if that decides instead of the key."""

    def _prepare(self) -> None:
        self.lots: dict[Binding, Lot] = {}
        self.hashed_header = self._argument(HASH_HEADER)
        self.hashed_property = self._argument((HASH_PROPERTY,))
        if self.hashed_header and self.hashed_property:
            raise PreconditionFailed("hash-header and hash-property are mutually exclusive")
        if self.hashed_property and self.hashed_property not in PROPERTIES:
            raise PreconditionFailed(f"unsupported property: {self.hashed_property}")
        algorithm = self._argument((ALGORITHM,))
        if algorithm and algorithm not in ALGORITHMS:
            raise PreconditionFailed(f"unsupported hash algorithm: {algorithm}")
        self.reads_message = bool(self.hashed_header or self.hashed_property)

    def _argument(self, names: tuple[str, ...]) -> str:
        for name in names:
            if name in self.arguments:
                value = self.arguments.get(name)
                if not isinstance(value, str):
                    raise PreconditionFailed(
                        f"invalid type '{self.arguments.kind(name)}' for arg '{name}' in "
                        f"exchange '{self.name}' in vhost '{self.vhost}'"
                    )
                return value
        return ""

    def validate_binding(self, routing_key: str, arguments: Table) -> None:
        digits = routing_key.isascii() and routing_key.isdigit() and len(routing_key) <= WEIGHT_DIGITS_MAX
        if not digits:
            raise PreconditionFailed(
                f"the binding key is the weight: an integer of at most {WEIGHT_DIGITS_MAX} digits; "
                f"got '{routing_key}'"
            )

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        octets = self._hashed(routing_key, traits)
        luckiest: Lot | None = None
        least = 0.0
        for lot in self.lots.values():
            drawn = lot.draw(octets)
            if luckiest is None or drawn < least:
                luckiest, least = lot, drawn
        if luckiest is not None:
            found[luckiest.binding.destination] = None

    def _hashed(self, routing_key: str, traits: Traits | None) -> bytes:
        if traits is None or not self.reads_message:
            return routing_key.encode()
        if self.hashed_header:
            return _octets(traits.header(self.hashed_header))
        return _octets(traits.property(self.hashed_property))

    def _index(self, binding: Binding) -> None:
        lot = Lot(binding)
        if lot.weight:
            self.lots[binding] = lot

    def _unindex(self, binding: Binding) -> None:
        self.lots.pop(binding, None)


def _octets(value: Value) -> bytes:
    return b"" if value is None else plain(value).encode()
