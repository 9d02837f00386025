"""A connection between a client and a session: late, in pieces, of bounded size, and mortal."""

from collections.abc import Callable
from random import Random
from typing import Protocol

from mambaamqp.session.connection import Session
from tests.support.universe.clock import Clock

SOCKET_BYTES = 3000
"""What the kernel takes from the broker before the client reads."""
LATENCY_SECONDS = 0.004


class Reader(Protocol):
    """The client's end."""

    def receive(self, data: bytes) -> None: ...

    def hang_up(self) -> None:
        """The other side is gone."""

    def is_given_up(self) -> None:
        """The broker has closed a channel, or all of it: what was delivered there waits again."""


class Link:
    """Two directions; `session` is the broker's end, `reader` the client's."""

    def __init__(self, clock: Clock, rng: Random, reader: Reader, examine: "Callable[[Link], None]") -> None:
        self.clock = clock
        self.rng = rng
        self.reader = reader
        self.session: Session
        self.examine = examine
        """Tells the broker that something has come, or gone."""
        self.to_broker = b""
        self.arrived = 0
        """Octets of `to_broker` that are there to be read."""
        self.to_client = b""
        self.alive = True
        self.frozen = False
        """Nothing comes through, and nobody is told."""
        self.ended = False
        """The broker has said all that it had to say."""
        self._reading = False
        self.woken = False

    def send(self, data: bytes) -> None:
        """The client writes."""
        if self.alive:
            self.to_broker += data
            self.clock.after(self.rng.random() * LATENCY_SECONDS, self._arrive)

    def _arrive(self) -> None:
        if self.frozen or not self.alive:
            return
        left = len(self.to_broker) - self.arrived
        if left > 0 and self.rng.random() < 0.15:
            self.arrived += self.rng.randint(1, left)
            self.clock.after(self.rng.random() * LATENCY_SECONDS, self._arrive)
        else:
            self.arrived += left
        self.examine(self)

    def read(self) -> bytes:
        """The broker reads what has arrived."""
        data, self.to_broker = self.to_broker[: self.arrived], self.to_broker[self.arrived :]
        self.arrived = 0
        return data

    @property
    def room(self) -> bool:
        """Whether the kernel takes more from the broker."""
        return len(self.to_client) < SOCKET_BYTES

    def write(self, data: bytes) -> None:
        """The broker writes; the client reads it a little later."""
        self.to_client += data
        self._read_later()

    def end(self) -> None:
        """The broker closes its end in order."""
        self.ended = True
        self._read_later()

    def _read_later(self) -> None:
        if not self._reading:
            self._reading = True
            self.clock.after(self.rng.random() * LATENCY_SECONDS, self._deliver)

    def _deliver(self) -> None:
        self._reading = False
        if self.frozen or not self.alive:
            return
        size = len(self.to_client)
        if size > 1 and self.rng.random() < 0.15:
            size = self.rng.randint(1, size - 1)
        was_full = not self.room
        data, self.to_client = self.to_client[:size], self.to_client[size:]
        if data:
            self.reader.receive(data)
        if self.to_client:
            self._read_later()
        elif self.ended and self.alive:
            self.alive = False
            self.reader.hang_up()
            return
        if was_full and self.alive:
            self.examine(self)

    def cut(self) -> None:
        """The connection breaks; octets under way are lost, and the broker notices at once."""
        if self.alive:
            self.alive = False
            self.examine(self)
