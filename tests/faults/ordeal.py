"""Several lives of a real broker with real clients, each ended by something terrible, and a judgement.

The director starts the broker and its clients, waits until some more publishes are confirmed, strikes, and
starts again. When it strikes depends on what has been confirmed, not on a clock.
"""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from tests.faults import actors
from tests.faults.history import History
from tests.support.violation import Violation

QUEUES = ("north", "south", "west")
CONFIRMED_SECONDS = 60
JOIN_SECONDS = 30


class Broker(Protocol):
    """A broker that runs."""

    port: int


Start = Callable[[], AbstractContextManager[Broker]]
Strike = Callable[[Broker, History], None]
"""End the broker's life. What is seen after `History.freeze` binds nobody."""


class Ordeal:
    """`confirmed_per_life` is how many publishes are confirmed, about, before the broker is struck."""

    def __init__(
        self,
        seed: int,
        start: Start,
        strike: Strike,
        *,
        confirmed_per_life: int = 300,
        queues: tuple[str, ...] = QUEUES,
        arguments: dict[str, str | int] | None = None,
        cast: Callable[..., list[actors.Actor]] = actors.cast,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.start = start
        self.strike = strike
        self.confirmed_per_life = confirmed_per_life
        self.queues = queues
        self.arguments = arguments
        self.cast = cast
        self.settle = settle
        """Called once everything is declared."""
        self.history = History()

    def run(self, lives: int) -> History:
        """So many lives, and one more to see what is left."""
        for _ in range(lives):
            self.live()
        self.judge()
        return self.history

    def live(self) -> None:
        """One life."""
        self.history.begin_life()
        with self.start() as broker:
            actors.declare(broker.port, self.queues, self.arguments)
            self.settle()
            players = self.cast(self.history, broker.port, self.seed, self.queues)
            for player in players:
                player.start()
            more = self.rng.randint(1, 2 * self.confirmed_per_life)
            if not self.history.wait_for(len(self.history.confirmed) + more, CONFIRMED_SECONDS):
                raise Violation("I10", f"no {more} confirms in {CONFIRMED_SECONDS} s: {faults(players)}")
            self.strike(broker, self.history)
            for player in players:
                player.join(JOIN_SECONDS)
        if any(player.is_alive() for player in players):
            raise Violation("I10", "a client waits for a broker that is gone")
        for fault in faults(players):
            raise fault

    def judge(self) -> None:
        """The last broker is drained."""
        self.history.begin_life()
        with self.start() as broker:
            self.history.check(actors.drain(broker.port, self.history, self.queues))


def faults(players: list[actors.Actor]) -> list[Exception]:
    """What went wrong with clients, other than the death of the broker."""
    return [player.fault for player in players if player.fault is not None]
