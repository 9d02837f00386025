"""What the shell knows of the rooms below it, and nothing more.

A session is four verbs (bytes in, bytes out, a deadline, closing); a broker is a flush and a deadline;
a journal is "seal what was appended". The real classes fit these shapes without naming them; the fakes
in the tests do too.
"""

from collections.abc import Callable, Sized
from typing import Any, NamedTuple, Protocol


class Address(NamedTuple):
    """One end of a TCP connection; host is numeric text, without a scope or brackets."""

    host: str
    port: int


class SessionPort(Protocol):
    """One AMQP connection without its socket. No method raises for what a peer sends."""

    woken: bool
    """The session has called wake() and need not do so again until the shell has taken this back."""

    @property
    def closing(self) -> bool:
        """Send what remains, then close the socket."""

    @property
    def wants_read(self) -> bool:
        """False: leave the peer's bytes in the kernel until wake() says otherwise."""

    @property
    def deadline(self) -> float:
        """When tick() is wanted at the latest; math.inf for never."""

    @property
    def is_spooling(self) -> bool:
        """What data_to_send() gives is read from the disk: do not ask for more than one piece in a turn."""

    @property
    def waiting(self) -> bool:
        """Something, perhaps the last words, is parked on the journal: do not close the socket yet."""

    @property
    def login(self) -> Any:
        """Credentials that wait to be verified, or None."""

    def receive_data(self, data: bytes, now: float) -> None: ...

    def data_to_send(self) -> bytes: ...

    def tick(self, now: float) -> None: ...

    def login_verified(self, user: Any, now: float) -> None: ...

    def connection_lost(self, now: float) -> None: ...

    def shutdown(self, text: str, now: float) -> None:
        """Say good-bye: the broker stops (320)."""

    def fail(self, now: float) -> None:
        """Say good-bye: the broker cannot keep its promises (541)."""


Wake = Callable[[Any], None]
OpenSession = Callable[[Address, Address, Wake, float], SessionPort]
"""(peer, local, wake, now) -> session"""


class BrokerPort(Protocol):
    """What the end of a batch needs of the broker."""

    @property
    def deadline(self) -> float:
        """When tick() is wanted at the latest; math.inf for never."""

    @property
    def waiters(self) -> Sized:
        """Who waits for the journal; empty when nobody does."""

    def durable(self, position: int, now: float) -> None:
        """Tell whoever waits how far the journal is safe."""

    def flush(self, now: float) -> None: ...

    def tick(self, now: float) -> None: ...


class CommitPort(Protocol):
    """A sealed piece of the journal. execute() runs in the committer thread and may block on the disk."""

    def execute(self, disk: Any) -> None: ...


class JournalPort(Protocol):
    """The core side of the journal: main thread only, never any I/O."""

    @property
    def durable(self) -> int:
        """Everything before this position is on stable storage."""

    @property
    def pending_bytes(self) -> int:
        """Appended and not sealed yet."""

    @property
    def writer(self) -> Any:
        """The file side, for the committer's thread only."""

    def seal(self) -> Any:
        """Take everything appended so far as a CommitPort, or None when there is nothing."""

    def committed(self, commit: Any) -> None: ...
