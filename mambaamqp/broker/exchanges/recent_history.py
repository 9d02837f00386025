"""x-recent-history: a fanout that gives the last messages to every queue that is bound to it.

`x-recent-history-length` says how many, 20 by default. They are kept in memory: a restart forgets them, and
queues that are bound when the broker starts have had them. A header `x-recent-history-no-store` that is true
keeps a message out.
"""

from collections import deque
from typing import ClassVar, Final

from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.fanout import FanoutExchange
from mambaamqp.broker.message import Message
from mambaamqp.broker.traits import Traits
from mambaamqp.errors import PreconditionFailed

LENGTH: Final = "x-recent-history-length"
LENGTH_DEFAULT: Final = 20
LENGTH_MAX: Final = 10_000
HISTORY_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of bodies that one exchange remembers; beyond, the oldest are forgotten."""
NO_STORE: Final = "x-recent-history-no-store"


class RecentHistoryExchange(FanoutExchange):
    """`history` holds the messages themselves, the oldest first."""

    READS_MESSAGE: ClassVar[bool] = True

    def _prepare(self) -> None:
        self.history: deque[Message] = deque()
        self.body_bytes = 0
        self.length_max = self._length()

    def _length(self) -> int:
        if LENGTH not in self.arguments:
            return LENGTH_DEFAULT
        value = self.arguments.get(LENGTH)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LENGTH_MAX:
            raise PreconditionFailed(f"invalid {LENGTH}: it must be an integer from 1 to {LENGTH_MAX}")
        return value

    def match(self, routing_key: str, traits: Traits | None, found: dict[Destination, None]) -> None:
        super().match(routing_key, traits, found)
        if traits is not None and traits.header(NO_STORE) is not True:
            self._remember(traits.message)

    def _remember(self, message: Message) -> None:
        """Once, though with CC a message is matched once for each key."""
        if self.history and self.history[-1] is message:
            return
        self.history.append(message)
        self.body_bytes += message.body_bytes
        while len(self.history) > self.length_max or self.body_bytes > HISTORY_BYTES_MAX:
            self.body_bytes -= self.history.popleft().body_bytes

    def greeting(self) -> list[Message]:
        return list(self.history)
