"""One life of a node: the real broker, sessions, journal and recovery; the shell around them is virtual.

What `server/` does with tasks, sockets and a thread is done here with events of a virtual clock: reads, the
end of a batch in its order, one commit in flight that takes its time, deadlines, housekeeping.
"""

from random import Random
from typing import Any

from mambaamqp.errors import StoreError
from mambaamqp.server.committer import FULL_RETRY_SECONDS, LAZY_BYTES, LAZY_SECONDS
from mambaamqp.server.housekeeping import tidy
from mambaamqp.server.node import ROUNDS_MAX
from mambaamqp.session.connection import CLOSING, Session
from mambaamqp.session.peer import Peer
from mambaamqp.store.commit import DiskFull
from mambaamqp.store.spool import WHOLE_BYTES_MAX
from tests.support.client import World
from tests.support.disk import MemoryDisk
from tests.support.universe.clock import Clock
from tests.support.universe.link import Link, Reader

HOUSEKEEPING_SECONDS = 0.1
"""More often than in earnest: lives are short here."""
OUTBOX_BYTES_MAX = 4000
SURPLUS_BYTES = 16_000
"""How far an outbox may pass its mark: what was decided before the mark was looked at, answers among it."""


class Machine:
    """A broker that runs from its recovery until it is stopped or killed."""

    def __init__(self, clock: Clock, rng: Random, disk: MemoryDisk) -> None:
        self.clock = clock
        self.rng = rng
        self.disk = disk
        self.world = World(
            disk,
            segment_bytes=rng.choice((2000, 20_000)),
            now=clock.now,
            drowsy=rng.choice((0, 1, 3)),
            whole_bytes_max=rng.choice((150, 1000, WHOLE_BYTES_MAX)),
            outbox_bytes_max=OUTBOX_BYTES_MAX,
        )
        self.broker = self.world.broker
        self.broker.random = Random(rng.getrandbits(32))
        self.journal = self.world.journal
        self.journal.frame_bytes_target = rng.choice((200, 1000, 1 << 22))
        self.journal.slack_segments = rng.choice((0, 1, 4))
        self.broker.compaction.slice_entries = rng.choice((3, 4096))
        self.broker.compaction.slice_bytes = rng.choice((100, 1000, 65_536))
        self.links: list[Link] = []
        self.ports = 0
        self.dirty: list[Link] = []
        self.in_flight: Any = None
        self.failed = False
        self.finishing = self.lazy = False
        self._tick_at = float("inf")
        clock.after(HOUSEKEEPING_SECONDS, self._keep_house)
        self.finish()

    # Connections

    def accept(self, reader: Reader) -> Link:
        """Somebody connects."""
        self.ports += 1
        link = Link(self.clock, self.rng, reader, self._examine)
        peer = Peer("127.0.0.1", 50_000 + self.ports, "127.0.0.1", 5672)
        link.session = Session(
            self.broker, peer, self.world.settings, lambda _: self._wake(link), self.clock.now
        )
        self.links.append(link)
        self._wake(link)
        self.finish()
        return link

    def _wake(self, link: Link) -> None:
        if not link.woken:
            link.woken = True
            self.dirty.append(link)

    def _examine(self, link: Link) -> None:
        """Something has happened at the other end."""
        self._wake(link)
        if not link.alive:
            self._forget(link)
        elif link.session.wants_read:
            self._read(link)
        self.finish()

    def _read(self, link: Link) -> None:
        data = link.read()
        if data:
            link.session.receive_data(data, self.clock.now)
            self._look_for_ends(link)

    def _look_for_ends(self, link: Link) -> None:
        session = link.session
        if session.state == CLOSING or any(channel.closing for channel in session.channels.values()):
            link.reader.is_given_up()

    def _forget(self, link: Link) -> None:
        if link in self.links:
            self.links.remove(link)
            link.session.connection_lost(self.clock.now)

    # The end of a batch

    def finish(self) -> None:
        """Dispatch, commit, send: what `Node.finish` does."""
        if self.finishing:
            return
        self.finishing = True
        for _ in range(ROUNDS_MAX):
            self.broker.flush(self.clock.now)
            dirty, self.dirty = self.dirty, []
            self._kick()
            for link in dirty:
                link.woken = False
                self._serve(link)
            if not dirty:
                break
        else:
            self.clock.after(0, self.finish)
        self.finishing = False
        self._appoint(self.broker.deadline)

    def _serve(self, link: Link) -> None:
        session = link.session
        session.woken = False
        if link not in self.links:
            return
        if session.login is not None:
            self.clock.after(self.rng.random() * 0.02, lambda: self._log_in(link))
        assert session.outbox.size <= OUTBOX_BYTES_MAX + SURPLUS_BYTES, "an outbox without bounds"
        while link.room and (data := session.data_to_send()):
            link.write(data)
        self._look_for_ends(link)
        if session.closing and not session.waiting and not session.has_data:
            link.end()
            self._forget(link)
        elif session.wants_read and link.arrived:
            self._read(link)
        self._appoint(session.deadline)

    def _log_in(self, link: Link) -> None:
        login = link.session.login
        if login is not None and link in self.links:
            link.session.login_verified(self.world.verify(login), self.clock.now)
            self.finish()

    def _appoint(self, when: float) -> None:
        if when < self._tick_at:
            self._tick_at = when
            self.clock.at(when, self._tick)

    def _tick(self) -> None:
        now = self.clock.now
        if now < self._tick_at:
            return
        self._tick_at = float("inf")
        if self.broker.deadline <= now:
            self.broker.tick(now)
        for link in list(self.links):
            if link.session.deadline <= now:
                link.session.tick(now)
            self._appoint(link.session.deadline)
        self.finish()

    def _keep_house(self) -> None:
        if tidy(self.journal, self.broker):
            self._hand_over()
        if self.broker.compact(self.clock.now):
            self.finish()
        self.clock.after(HOUSEKEEPING_SECONDS, self._keep_house)

    # The committer

    def _kick(self) -> None:
        if self.in_flight is not None or self.failed or not self.journal.pending_bytes:
            return
        if self.broker.waiters or self.journal.pending_bytes >= LAZY_BYTES:
            self._hand_over()
        elif not self.lazy:
            self.lazy = True
            self.clock.after(LAZY_SECONDS, self._lazily)

    def _lazily(self) -> None:
        self.lazy = False
        self._hand_over()

    def _hand_over(self) -> None:
        if self.in_flight is None and not self.failed:
            self.in_flight = self.journal.seal()
            if self.in_flight is not None:
                slow = self.rng.random() < 0.1
                self.clock.after(self.rng.random() * (0.3 if slow else 0.005), self._commit)

    def _commit(self) -> None:
        """The disk is done, or has failed."""
        commit = self.in_flight
        try:
            commit.execute(self.disk)
        except DiskFull:
            self.clock.after(FULL_RETRY_SECONDS, self._commit)
            return
        except StoreError:
            self._fail()
            return
        self.in_flight = None
        self.journal.committed(commit)
        self.broker.durable(self.journal.durable, self.clock.now)
        self.finish()
        self._kick()

    def _fail(self) -> None:
        self.failed = True
        for link in list(self.links):
            link.session.fail(self.clock.now)
        self.finish()

    # The end

    def say_goodbye(self) -> None:
        """The first half of a stop in order."""
        for link in list(self.links):
            link.session.shutdown("shutdown", self.clock.now)
        self.finish()

    def stop(self) -> MemoryDisk:
        """The second half, when everybody has gone or must; what the next one finds."""
        for link in list(self.links):
            link.cut()
        self.broker.stop(self.clock.now)
        self.commit_all()
        self.journal.writer.close()
        self.world.store.close()
        return self.disk.copy()

    def commit_all(self) -> None:
        """What is in flight and what has gathered behind it, at once."""
        while (commit := self.in_flight or self.journal.seal()) is not None:
            commit.execute(self.disk)
            self.in_flight = None
            self.journal.committed(commit)
