"""One seed: a disk, the machines that run over it one after the other, clients, and everything that fails."""

import errno
from collections.abc import Callable
from random import Random
from typing import Any

from pamqp import commands

from tests.support.disk import MemoryDisk
from tests.support.lives import PowerCut
from tests.support.universe.client import THINK_SECONDS, Client
from tests.support.universe.clock import Clock
from tests.support.universe.history import TOPOLOGY, History
from tests.support.universe.link import Link, Reader
from tests.support.universe.log import STREAMS, Log
from tests.support.universe.machine import Machine

COMMANDS = 40
"""What clients do in one life of the broker, about."""
LIVES = (1, 2, 2, 3)
CLIENTS = (2, 3, 4)
QUIET_SECONDS = 12.0
"""Enough for every delay there is: heartbeats above all."""


class Universe:
    """`run` plays a seed to its end; AssertionError names the promise that was broken."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.clock = Clock(1000.0)
        self.history = History()
        self.log = Log(self.history)
        self.disk = MemoryDisk()
        self.machine: Machine | None = None
        self.clients: list[Client] = []
        self.trace: list[str] = []
        """What has happened to the machine, for the reader of a failure."""
        self._countdown = 0

    def run(self) -> None:
        """Lives, deaths, and the judgement."""
        self.clients = [
            Client(f"client {number}", self.clock, self.rng, self.history, self, self.log)
            for number in range(self.rng.choice(CLIENTS))
        ]
        self._boot()
        for _ in range(self.rng.choice(LIVES) - 1):
            self._live()
            self._die_somehow()
        self._live()
        self._judge()

    def connect(self, reader: Reader) -> Link | None:
        """The network between clients and whatever machine there is."""
        return None if self.machine is None or self.machine.failed else self.machine.accept(reader)

    def note(self, text: str) -> None:
        self.trace.append(f"{self.clock.now:.4f} {text}")

    @property
    def _running(self) -> Machine:
        assert self.machine is not None
        return self.machine

    # Life

    def _boot(self) -> None:
        """Recovery, which may lose its power too."""
        while True:
            self.disk.before = self._count_down
            self._countdown = self.rng.randint(1, 10) if self.rng.random() < 0.2 else 0
            try:
                self.machine = Machine(self.clock, self.rng, self.disk)
            except PowerCut as cut:
                self.note("power cut during recovery")
                self.disk = cut.disk
                continue
            finally:
                self.disk.before = None
            break
        damage = [finding for finding in self._running.world.store.findings if not finding.torn]
        assert not damage, f"I11: a power cut is no damage: {damage[0]}"
        self.note(f"started, {len(self._running.journal.segments)} segments")

    def _count_down(self, _: str) -> None:
        self._countdown -= 1
        if self._countdown == 0:
            raise PowerCut(self.disk.crash(self.rng))

    def _live(self) -> None:
        """Clients do what they do; now and then something is short."""
        for _ in range(COMMANDS):
            self.clock.run(self.rng.random() * THINK_SECONDS)
            self.rng.choice(self.clients).think()
            if self.rng.random() < 0.01:
                self._trouble()
            if self._running.failed:
                # Where it shows that the disk is full only when it is synced, that is the end.
                self._die(self._crashed)
        self._running.disk.fail_at = -1

    def _trouble(self) -> None:
        if self.rng.random() < 0.5:
            self.note("low on memory")
            self._alarm(True)
            self.clock.after(self.rng.random(), lambda: self._alarm(False))
        else:
            self.note("the disk is full")
            self._running.disk.fail_errno = errno.ENOSPC
            self._running.disk.fail_at = self._running.disk.operations + self.rng.randint(1, 3)

    def _alarm(self, low: bool) -> None:
        machine = self.machine
        if machine is not None:
            machine.broker.set_alarm(low, False, self.clock.now)
            machine.finish()

    # Death

    def _die_somehow(self) -> None:
        ways = (self._crashed, self._cut_within, self._cut_within, self._kill, self._stop, self._rot)
        self._die(self.rng.choice(ways))

    def _die(self, way: Callable[[], MemoryDisk]) -> None:
        """The broker ends in some way; the next one starts over what is left."""
        self.history.count(way.__name__)
        self.disk = way()
        self.note(way.__name__)
        self._count_housekeeping()
        self.machine = None
        self.clock.clear()
        self.history.restarted()
        for client in self.clients:
            client.hang_up()
            client.connect_later()
        if self.rng.random() < 0.5:
            self.clock.run(self.rng.random())
        self._boot()

    def _count_housekeeping(self) -> None:
        self.history.counts["moved"] = (
            self.history.counts.get("moved", 0) + self._running.broker.compaction.moved_messages
        )
        for what in ("slept", "woken"):
            count = getattr(self._running.broker.pager, what)
            self.history.counts[what] = self.history.counts.get(what, 0) + count
        if self._running.journal.segments[0].base_lsn:
            self.history.count("segments let go")

    def _crashed(self) -> MemoryDisk:
        """The power goes while nothing is being written, or the disk has failed."""
        return self._running.disk.crash(self.rng)

    def _cut_within(self) -> MemoryDisk:
        """The power goes in the middle of the next commit, or after it."""
        disk = self._running.disk
        self._countdown = self.rng.randint(1, 6)
        disk.before = self._count_down
        try:
            for _ in range(60):
                self.rng.choice(self.clients).think()
                self.clock.run(self.rng.random() * THINK_SECONDS)
        except PowerCut as cut:
            return cut.disk
        finally:
            disk.before = None
        return disk.crash(self.rng)

    def _kill(self) -> MemoryDisk:
        """The process dies; what it has written stays written."""
        return self._running.disk.copy()

    def _stop(self) -> MemoryDisk:
        """In good order."""
        machine = self._running
        machine.say_goodbye()
        self.clock.run(self.rng.random() * 0.1)
        return machine.disk.copy() if machine.failed else machine.stop()

    def _rot(self) -> MemoryDisk:
        """The disk fails: clients are told so, nothing is confirmed any more, and the process ends."""
        disk = self._running.disk
        disk.fail_errno = errno.EIO
        disk.fail_at = disk.operations + 1
        for _ in range(20):
            self.rng.choice(self.clients).think()
            self.clock.run(self.rng.random() * THINK_SECONDS)
        return disk.crash(self.rng)

    # Judgement

    def _judge(self) -> None:
        """Nothing fails any more: everybody gets what is due, then leaves; what is left is looked at."""
        self.clock.run(2.0)
        for client in self.clients:
            self._check_answered(client)
            client.busy = False
            client.leave()
        self.clock.run(QUIET_SECONDS)
        assert not self._running.links, "I16: a connection that nobody has any more"
        self._count_housekeeping()
        self._check_counts()
        self.history.judge(self._drain())
        self._judge_streams()
        kept = sum(segment.live for segment in self._running.journal.segments)
        assert not kept, f"I12: the journal keeps {kept} messages that nobody needs"

    def _check_answered(self, client: Client) -> None:
        if client.link is not None and client.open and not client.at.closing:
            at = client.at
            unconfirmed = [*at.unconfirmed, *client.follower.unconfirmed]
            waiting = (unconfirmed, at.getting, [sent for sent in at.sent if sent.state == "sent"])
            assert not any(waiting), f"I16: {client.name} still waits for an answer: {waiting}"

    def _check_counts(self) -> None:
        for queue in self._running.broker.vhosts["/"].queues.values():
            entries = queue.ready.entries()
            assert (queue.unacked, queue.consumers) == (0, []), f"{queue.name}: something is held by nobody"
            assert queue.ready.count == len(entries)
            assert queue.ready.body_bytes == sum(entry.message.body_bytes for entry in entries)

    def _judge_streams(self) -> None:
        """Read from the first message on, then deleted."""
        world: Any = self._running.world
        reader = world.connect().open()
        reader.call(1, commands.Basic.Qos(prefetch_count=10_000))
        for name in STREAMS:
            before = len(reader.deliveries)
            if name not in self._running.broker.vhosts["/"].queues:
                self.log.judge(name, [])
                continue
            reader.consume(name, name, arguments={"x-stream-offset": "first"})
            world.advance(0)
            found = reader.deliveries[before:]
            self.log.judge(
                name,
                [
                    (each.properties.headers["x-stream-offset"], each.body, each.method.redelivered)
                    for each in found
                ],
            )
            reader.call(1, commands.Queue.Delete(queue=name))

    def _drain(self) -> dict[str, list[int]]:
        """What is left in each queue, by basic.get; as many as declare-ok has said."""
        self._running.commit_all()
        world: Any = self._running.world
        world.now = self.clock.now
        reader = world.connect().open()
        drained: dict[str, list[int]] = {}
        present = [name for name in TOPOLOGY if name in self._running.broker.vhosts["/"].queues]
        for name in present:
            count = reader.count(name)
            bodies = reader.bodies_in(name)
            assert count == len(bodies), f"{name} has {len(bodies)} messages and says {count}"
            drained[name] = [self.history.letter(body).number for body in bodies]
        return {name: drained.get(name, []) for name in TOPOLOGY}
