"""A power cut at any moment: of each key there is one message in the end, never none and never two.

Publishers that have no confirm publish again after a crash, with the same key; so do, here, those that have
one. What was remembered without its message would be lost by that, and what is there without its key would
come twice.
"""

import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from pamqp import commands

from mambaamqp.broker import window
from mambaamqp.broker.broker import Broker
from mambaamqp.broker.compaction import Compaction
from mambaamqp.broker.unique import Unique
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.broker.window import Window
from mambaamqp.session import batch
from mambaamqp.store.journal import Journal
from tests.support.client import Client, World
from tests.support.disk import MemoryDisk

KEYS: Final = 12
HEADER: Final = "x-deduplication-header"
SEEDS: Final = 8

interpreted = pytest.mark.skipif(
    not (window.__file__ or "").endswith(".py"), reason="what is compiled cannot be changed from outside"
)


class Life:
    """One broker's life: publishes with few keys, now and then in transactions; power cuts on the way."""

    def __init__(self, seed: int, exchange: str) -> None:
        self.rng = random.Random(seed)
        self.exchange = exchange
        self.cuts: list[tuple[MemoryDisk, set[str]]] = []
        """What was left on the disk, and the keys that were confirmed before."""
        self.confirmed: set[str] = set()
        self.waiting: list[str] = []
        self.world = self.start(None)
        self.client = self.world.connect().open()
        self.client.exchange(
            "once", "x-message-deduplication", durable=True, arguments={"x-cache-size": KEYS}
        )
        for name in ("q", "other"):
            arguments = {} if exchange == "once" else {"x-message-deduplication": True}
            self.client.queue(name, durable=True, arguments=arguments)
            self.client.bind(name, "once")
        self.client.queue("noise", durable=True)
        self.client.confirm()
        self.client.open(2).call(2, commands.Tx.Select())
        self.world.disk.before = self.cut

    def start(self, disk: MemoryDisk | None) -> World:
        """Small segments, and every record in a frame of its own unless it is in an atom."""
        world = World(disk, segment_bytes=2048)
        world.journal.frame_bytes_target = 64
        world.journal.slack_segments = 1
        return world

    def cut(self, what: str) -> None:
        """Something is about to become safe, or not."""
        if self.rng.random() < 0.1:
            self.cuts.append((self.world.disk.crash(self.rng), set(self.confirmed)))

    def live(self, steps: int = 80) -> None:
        for _ in range(steps):
            self.rng.choice([self.publish, self.publish, self.commit, self.make_noise, self.keep_house])()
            self.world.hold = self.rng.random() < 0.3
            if not self.world.hold:
                self.world.settle()
                self.take_confirms()

    def send(self, client: Client, key: str, channel: int = 1) -> None:
        properties = {"delivery_mode": 2, "headers": {HEADER: key}}
        name, routing_key = (self.exchange, "") if self.exchange else ("", "q")
        client.publish(key.encode(), routing_key, name, channel, properties=properties)

    def publish(self) -> None:
        key = f"k{self.rng.randrange(KEYS)}"
        self.waiting.append(key)
        self.send(self.client, key)

    def commit(self) -> None:
        for _ in range(3):
            self.send(self.client, f"k{self.rng.randrange(KEYS)}", 2)
        self.client.send(2, commands.Tx.Commit())
        self.client.call(1, commands.Basic.Qos(prefetch_count=1))

    def make_noise(self) -> None:
        """Something to leave behind, so that segments become sparse."""
        for _ in range(5):
            self.client.publish(b"n" * 300, "noise", properties={"delivery_mode": 2})
            self.waiting.append("")
        while self.client.get("noise") is not None:
            pass

    def keep_house(self) -> None:
        """What the shell does every now and then."""
        if self.world.journal.wants_checkpoint():
            self.world.broker.checkpoint()
        self.world.journal.drop_dead_segments()
        self.world.broker.compact(self.world.now)
        self.world.advance(0.02)

    def take_confirms(self) -> None:
        acks = self.client.of(commands.Basic.Ack)
        upto = max([ack.delivery_tag for ack in acks], default=0)
        self.confirmed |= set(self.waiting[:upto])

    def check(self) -> None:
        """After each of the power cuts."""
        for disk, confirmed in self.cuts:
            world = self.start(disk)
            client = world.connect().open()
            there = {key for key in confirmed if key}
            for number in range(KEYS):
                self.send(client, f"k{number}")
            copies = [body.decode() for body in client.bodies_in("q")]
            assert sorted(copies) == sorted(f"k{number}" for number in range(KEYS))
            assert there <= set(copies)


def live(seed: int, exchange: str) -> None:
    life = Life(seed, exchange)
    life.live()
    assert life.cuts
    life.check()


@pytest.mark.parametrize("exchange", ["once", ""], ids=["exchange", "queue"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_one_message_of_each_key(seed: int, exchange: str) -> None:
    """Whatever a power cut leaves."""
    live(seed, exchange)


# Bugs put in on purpose: what does not find them proves nothing.


def nothing(*_: Any) -> None:
    """What was forgotten."""


def apart(patch: pytest.MonkeyPatch) -> None:
    """The key is written when the message's atom is over."""
    honest = VirtualHost._enqueue_many

    def enqueue(self: VirtualHost, message: Any, queues: Any) -> bool:
        with pytest.MonkeyPatch.context() as meanwhile:
            meanwhile.setattr(Journal, "begin_atom", nothing)
            meanwhile.setattr(Journal, "end_atom", nothing)
            return honest(self, message, queues)

    patch.setattr(VirtualHost, "_enqueue_many", enqueue)


def in_memory(patch: pytest.MonkeyPatch) -> None:
    honest = Window._key_of
    patch.setattr(Window, "_key_of", lambda self, message, durable: honest(self, message, False))


def not_recalled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Window, "recall", nothing)
    patch.setattr(Unique, "recall", nothing)


def not_moved(patch: pytest.MonkeyPatch) -> None:
    """Compaction takes keys for something that need not be kept."""
    honest = Compaction._move

    def move(self: Compaction, message: Any, entries: list[Any]) -> None:
        if isinstance(entries[0].queue, Window):
            self.moved_messages += 1
            message.leave()
        else:
            honest(self, message, entries)

    patch.setattr(Compaction, "_move", move)


def remembered_too_early(patch: pytest.MonkeyPatch) -> None:
    """A key is kept for good although its message is not kept at all."""
    honest = Broker.keep

    def keep(self: Broker, message: Any, entries: list[Any]) -> None:
        if isinstance(entries[0].queue, Window) or entries[0].queue.name == "noise":
            honest(self, message, entries)

    patch.setattr(Broker, "keep", keep)


@interpreted
@pytest.mark.parametrize("plant", [apart, in_memory, not_recalled, not_moved, remembered_too_early])
def test_planted_bugs_are_found(monkeypatch: pytest.MonkeyPatch, plant: Callable[..., None]) -> None:
    """In an exchange's window."""
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        for seed in range(4 * SEEDS):
            live(seed, "once")


@interpreted
def test_a_queue_that_knows_nothing_after_a_start_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or one that forgets too early."""
    monkeypatch.setattr(Unique, "recall", nothing)
    with pytest.raises(AssertionError):
        for seed in range(SEEDS):
            live(seed, "")


@interpreted
def test_confirms_of_duplicates_that_do_not_wait_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would promise what a power cut may still take."""
    monkeypatch.setattr(batch, "_confirm_with_the_first", nothing)
    world = World()
    client = world.connect().open().confirm()
    client.queue("u", durable=True, arguments={"x-message-deduplication": True})
    other = world.connect().open().confirm()
    world.hold = True
    for publisher in (client, other):
        publisher.publish(b"x", "u", properties={"delivery_mode": 2, "headers": {HEADER: "a"}})
    assert len(other.of(commands.Basic.Ack)) == 1
