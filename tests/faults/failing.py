"""A life in which one call to the disk fails, or every call from then on.

What is held against it: a broker whose store has failed confirms nothing any more, refuses to write again,
and ends; one whose disk is full goes on, tells nobody that anything is safe, and catches up when there is
room. A start that cannot read or write says so in a StoreError. Whatever happened, the next start finds a
moment that was and is not older than the last promise: after the death of the process, and after a power cut.
"""

import errno
import random
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from mambaamqp.errors import StoreError
from mambaamqp.store.commit import DiskFull
from mambaamqp.store.spool import WHOLE_BYTES_MAX
from tests.faults.enumeration import SEGMENT_BYTES
from tests.support.client import World
from tests.support.disk import MemoryDisk
from tests.support.lives import Simulation
from tests.support.violation import Violation

STEPS = 150
CRASHES_TRIED = 3


class Fault(NamedTuple):
    """Call number `at` fails, once or for ever; `short` brings half of a write first."""

    at: int
    code: int
    for_ever: bool
    short: bool
    reads: bool
    """Reading counts and fails too."""

    def set(self, disk: MemoryDisk) -> None:
        """From now on, counted from here."""
        disk.fail_at = disk.operations + self.at
        disk.fail_errno, disk.fail_for_ever = self.code, self.for_ever
        disk.fail_short, disk.fail_reads = self.short, self.reads

    def __str__(self) -> str:
        parts = [errno.errorcode[self.code], f"at {self.at}", "for ever" if self.for_ever else "once"]
        return " ".join([*parts, *(["short"] if self.short else []), *(["reads too"] if self.reads else [])])


NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
CODES = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)
NO_FAULT = Fault(1 << 30, errno.EIO, False, False, False)


def faults(calls: int, reads: bool, rng: random.Random, kinds_per_call: int) -> Iterator[Fault]:
    """Each call with so many kinds of failure: errno, once or for ever, short or not at all."""
    for at in range(1, calls + 1):
        kinds = list(product(CODES, (False, True), (False, True)))
        for code, for_ever, short in rng.sample(kinds, min(kinds_per_call, len(kinds))):
            yield Fault(at, code, for_ever, short, reads)


class Stopped(Exception):
    """The store has failed: the broker ends, as `server.run` does."""


class FailingWorld(World):
    """A world whose committer knows what to do about errors, as `server.committer` does."""

    def commit(self) -> None:
        while (commit := self.in_flight or self.journal.seal()) is not None:
            self.in_flight = commit
            try:
                commit.execute(self.disk)
            except DiskFull:
                return
            except StoreError as failure:
                raise Stopped(str(failure)) from failure
            self.in_flight = None
            self.journal.committed(commit)
            self.broker.durable(self.journal.durable, self.now)


class FailingLife(Simulation):
    """One life with one fault; `calls` is how many calls the disk has seen in it."""

    def __init__(self, seed: int, fault: Fault) -> None:
        super().__init__(seed, lives=1, steps=STEPS)
        self.fault = fault
        # A large body that the disk does not take is refused on its channel: the simulation's matter.
        self.whole_bytes_max = WHOLE_BYTES_MAX
        self.serving = self.stopped = False
        self.calls = 0

    def open(self, disk: MemoryDisk) -> World:
        return FailingWorld(disk, segment_bytes=SEGMENT_BYTES, whole_bytes_max=self.whole_bytes_max)

    def run(self) -> None:
        """A life without faults, and a second one with this one."""
        super().run()
        self.serving = False
        self.fault.set(self.disk)
        before = self.disk.operations
        try:
            self._live()
        except Stopped:
            if self.fault.code in NO_ROOM and self.disk.failed[-1] in ("create", "write"):
                raise Violation("I14", f"{self.fault} ends the broker") from None
            if self.serving:
                self._end_at_once()
        except StoreError:
            pass  # it did not start, and said why
        self.calls = self.disk.operations - before
        self.repair()
        self._judge_what_is_left()

    def _live(self) -> None:
        self.begin_life()
        self.serving = True
        self.disk.before = None
        for _ in range(self.steps):
            self.step()
        self.repair()
        self.world.hold = False
        self.world.settle()
        self.listen()
        for seat in self.seats:
            if seat.unconfirmed or seat.awaited:
                raise Violation("I14", f"there is room again, and nobody is told: {seat.unconfirmed}")

    def repair(self) -> None:
        """The disk works again."""
        self.disk.fail_at = -1
        self.disk.fail_for_ever = self.disk.fail_reads = False

    def _end_at_once(self) -> None:
        """Clients read what had been sent; the store must have given up for good."""
        self.stopped = True
        for seat in self.seats:
            seat.client.pump()
        self.listen()
        self.repair()
        try:
            self.world.commit()
        except Stopped:
            return
        raise Violation("I13", "the journal is written to again after a failure")

    def _judge_what_is_left(self) -> None:
        for disk in (self.disk.copy(), *(self.disk.crash(self.rng) for _ in range(CRASHES_TRIED))):
            try:
                world = World(disk, segment_bytes=SEGMENT_BYTES)
            except Exception as failure:
                raise Violation("I11", f"the broker does not start: {failure!r}") from failure
            self.judge(world)
