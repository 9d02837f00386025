"""What a message says of itself, for exchanges that route by more than its key; read when it is asked for."""

from mambaamqp.broker.message import Message
from mambaamqp.wire import properties
from mambaamqp.wire.table import EMPTY, Table, Value


class Traits:
    """The properties of one message on its way."""

    def __init__(self, message: Message, headers: Table | None = None) -> None:
        """`headers` where they have been found already."""
        self.message = message
        self.repeated = False
        """A deduplicating exchange that was asked has routed it before: it goes nowhere from there."""
        self._headers = headers

    @property
    def headers(self) -> Table:
        """Its header table; empty without one."""
        if self._headers is None:
            raw = properties.summarise(self.message.header()).headers
            self._headers = EMPTY if raw is None else Table(raw)
        return self._headers

    def header(self, name: str) -> Value:
        """One of its headers; None without it."""
        headers = self.headers
        return headers.get(name) if name in headers else None

    def property(self, name: str) -> Value:
        """One of its properties, by pamqp's name for it; None without it, KeyError for no such name."""
        found: Value = properties.get(self.message.header(), name)
        return found
