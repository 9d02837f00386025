"""What a consumer of a stream asks for: where it begins, and which messages it wants.

Where: `first`, `last`, `next` (the default), an offset, a moment, or a time span before now. Which: those
whose header `x-stream-filter-value` is one of some values, and maybe those without the header. Each message
is looked at, and nothing else comes; RabbitMQ, whose Bloom filter is about chunks, may let more pass.
"""

from typing import Final

from mambaamqp.broker.argument_values import age_ms
from mambaamqp.broker.message import Message
from mambaamqp.broker.traits import Traits
from mambaamqp.wire.table import Table, Timestamp, Value

FIRST: Final = "first"
LAST: Final = "last"
NEXT: Final = "next"
OFFSET: Final = "offset"
SINCE: Final = "since"

FILTER_VALUE: Final = "x-stream-filter-value"
"""The header of messages."""
FILTER_VALUE_OCTETS: Final = FILTER_VALUE.encode()


class Filter:
    """Lets messages with one of `values` pass; those without a value if `unfiltered`."""

    def __init__(self, values: frozenset[Value], unfiltered: bool) -> None:
        self.values = values
        self.unfiltered = unfiltered

    def passes(self, message: Message) -> bool:
        """Whether `message` is wanted."""
        value = None
        if FILTER_VALUE_OCTETS in message.header():
            value = Traits(message).header(FILTER_VALUE)
        if not isinstance(value, (str, bytes)):
            return self.unfiltered
        return value in self.values


class Subscription:
    """`number` is the offset of OFFSET, and the milliseconds since 1970 of SINCE."""

    def __init__(self, start: str, number: int, wanted: Filter | None) -> None:
        self.start = start
        self.number = number
        self.wanted = wanted


def subscription(table: Table, wall_ms: int) -> Subscription:
    """Of a basic.consume's arguments, which have been checked."""
    asked = table.get("x-stream-offset")
    wanted = _filter(table)
    if isinstance(asked, int):
        return Subscription(OFFSET, max(0, asked), wanted)
    if isinstance(asked, Timestamp):
        return Subscription(SINCE, asked.seconds * 1000, wanted)
    if asked is None or asked in (FIRST, LAST, NEXT):
        return Subscription(asked or NEXT, 0, wanted)
    return Subscription(SINCE, wall_ms - age_ms(asked), wanted)


def _filter(table: Table) -> Filter | None:
    """As in RabbitMQ: what is neither text nor an array asks for nothing; of an array only text counts."""
    asked = table.get("x-stream-filter")
    if isinstance(asked, (str, bytes)):
        asked = [asked]
    if not isinstance(asked, list):
        return None
    values = frozenset([value for value in asked if isinstance(value, (str, bytes))])
    return Filter(values, table.get("x-stream-match-unfiltered") is True)
