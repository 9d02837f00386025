"""The port through which the broker reaches those who wait: sessions, as seen from below."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mambaamqp.broker.entry import Entry


class Waiter:
    """Someone to be told when the journal is durable or an alarm is over."""

    def __init__(self) -> None:
        self.waiting = False

    def durable(self, position: int, now: float) -> None:
        """The journal is on stable storage up to `position`."""
        raise NotImplementedError

    def proceed(self, now: float) -> None:
        """The consumers of a queue that was published to have caught up."""
        raise NotImplementedError

    def unblocked(self, now: float) -> None:
        """The alarm that blocked this publisher is over."""
        raise NotImplementedError

    def belongs_to(self, user_name: str, vhost: str) -> bool:
        """Whether it is a connection of that user, or into that virtual host; "" is nobody's name."""
        raise NotImplementedError

    def shutdown(self, text: str, now: float) -> None:
        """Close the connection: 320 with `text`."""
        raise NotImplementedError

    def outstanding(self) -> "list[Entry]":
        """Everything that was delivered here and is not acknowledged, held in a transaction or not."""
        raise NotImplementedError
