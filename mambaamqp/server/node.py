"""The shell's centre: the connections, and what happens at the end of a batch.

Refuses to know how to start, stop or listen (`run`, `listeners`).

The end of a batch (`finish`) comes after every event: a read, a commit, a timer, a login. Its order is the
latency of the broker:

1. the broker dispatches and appends what it decided,
2. the journal's commit goes to the disk, so that the disk works while we send,
3. every session that was read or woken is sent, directly.

Sending makes room in outboxes, which may let the broker dispatch more; so it repeats, a bounded number of
times, and leaves the rest to a task that takes turns with the readers.
"""

import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from mambaamqp.errors import StoreError
from mambaamqp.server.committer import Committer
from mambaamqp.server.connection import Connection
from mambaamqp.server.logins import AccessPort, Logins
from mambaamqp.server.poller import Poller
from mambaamqp.server.ports import Address, BrokerPort, JournalPort, OpenSession
from mambaamqp.server.timers import Timers

ROUNDS_MAX = 4
"""Rounds of dispatch and send in one batch before the readers get their turn."""

ALONE_SECONDS = 0.1
"""After so long without a read of any other connection, nobody else is about."""

REFUSAL_LOG_SECONDS = 1.0
"""A flood of refused connections writes one line in this time."""

log = logging.getLogger(__name__)


class Node:
    """One running broker: its connections, timers, logins and committer."""

    def __init__(
        self,
        broker: BrokerPort,
        journal: JournalPort,
        disk: Any,
        access: AccessPort,
        open_session: OpenSession,
        nursery: trio.Nursery,
        *,
        connections_max: int,
        connections_pre_login_max: int,
        sync_interval_seconds: float | None = None,
    ) -> None:
        self.broker = broker
        self._journal = journal
        self.timers = Timers()
        self.poller = Poller()
        self.logins = Logins(access, self)
        self.committer = Committer(
            journal, disk, self.timers, self, self._durable, self._store_failed, sync_interval_seconds
        )
        self.connections: set[Connection] = set()
        self.dirty: list[Connection] = []
        self.store_error: StoreError | None = None
        self.stop_requested = trio.Event()
        self._open_session = open_session
        self._nursery = nursery
        self._connections_max = connections_max
        self._connections_pre_login_max = connections_pre_login_max
        self._pre_login = 0
        self._last_read: Connection | None = None
        self._company_at = 0.0
        self._finishing = False
        self._broker_timer = BrokerTimer(broker)
        self._postponed: dict[Connection, None] = {}
        self._more_work = trio.Event()
        self._emptied = trio.Event()
        self._room = trio.Event()
        self._refusal_logged = float("-inf")
        self._safe = trio.Event()
        """Set when the journal has become safe further on, or has failed; then there is a new one."""

    def start(self) -> None:
        """Start the committer's thread and the node's own tasks."""
        self.committer.start()
        self.spawn(self.timers.run, self)
        self.spawn(self.poller.run, self)
        self.spawn(self._continue)

    def now(self) -> float:
        """Monotonic seconds; the only clock of the broker, and a fake one in tests."""
        return trio.current_time()

    def spawn(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Run a task beside the others until the node stops."""
        self._nursery.start_soon(function, *arguments)

    # --- the end of a batch

    def finish(self, now: float) -> None:
        """Dispatch, commit, send. Call it after everything that may have changed something."""
        if self._finishing:
            return  # whoever is in here further up does the work
        self._finishing = True
        try:
            for _ in range(ROUNDS_MAX):
                if not self._round(now):
                    break
            else:
                self._more_work.set()
            if self.broker.deadline < self._broker_timer.due:
                self.timers.schedule(self._broker_timer, self.broker.deadline)
        finally:
            self._finishing = False

    def _round(self, now: float) -> bool:
        """One round; False when nothing was left to send."""
        try:
            self.broker.flush(now)
        except Exception:
            log.exception("unexpected error while dispatching")
        dirty = self.dirty
        if dirty:
            self.dirty = []
        self.committer.kick(now, awaited=bool(self.broker.waiters))
        for connection in dirty:
            connection.dirty = False
            connection.examine(now)
        return bool(dirty)

    async def _continue(self) -> None:
        """Go on with a batch that was too much for one turn."""
        while True:
            await self._more_work.wait()
            self._more_work = trio.Event()
            await trio.lowlevel.checkpoint()
            postponed, self._postponed = self._postponed, {}
            for connection in postponed:
                connection.wake()
            self.finish(self.now())

    def postpone(self, connection: Connection) -> None:
        """The connection has more to send, in a turn of its own."""
        self._postponed[connection] = None
        self._more_work.set()

    async def wait_until_durable(self, position: int) -> bool:
        """Wait until the journal is safe up to `position`; False when it never will be."""
        while self._journal.durable < position and self.store_error is None:
            await self._safe.wait()
        return self.store_error is None

    def is_alone(self, connection: Connection, now: float) -> bool:
        """Whether the connection, which is about to be read, was the only one read for a while."""
        if self._last_read is not connection:
            self._last_read = connection
            self._company_at = now
        return now - self._company_at >= ALONE_SECONDS

    # --- connections

    async def wait_for_room(self) -> None:
        """Wait until one more connection may come in before its login."""
        while self._pre_login >= self._connections_pre_login_max:
            self._room = trio.Event()
            await self._room.wait()

    @property
    def has_room(self) -> bool:
        """Whether another connection may be accepted now."""
        return self._pre_login < self._connections_pre_login_max

    def admit(self, sock: socket.socket, peer: Address, local: Address) -> None:
        """Take over a non-blocking, connected socket."""
        now = self.now()
        if len(self.connections) >= self._connections_max:
            sock.close()
            self._log_refusal(now)
            return
        try:
            connection = Connection(self, sock, peer, local, self._open_session, now)
        except Exception:
            sock.close()
            log.exception("unexpected error, %s:%d not admitted", *peer)
            return
        self.connections.add(connection)
        self._pre_login += 1
        connection.wake()
        self.finish(now)

    def login_answered(self, connection: Connection) -> None:
        """Accepted or refused, the connection has left the crowd before login."""
        if not connection.logged_in:
            connection.logged_in = True
            self._leave_pre_login()

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self.timers.cancel(connection)
        self.connections.discard(connection)
        if self._last_read is connection:
            self._last_read = None
        if not connection.logged_in:
            self._leave_pre_login()
        if not self.connections:
            self._emptied.set()

    def shut_down(self, text: str | None) -> None:
        """Say good-bye to every client: 320 with a text, or 541 without one."""
        now = self.now()
        for connection in list(self.connections):
            connection.say_goodbye(text, now)
        self.finish(now)

    async def wait_until_empty(self) -> None:
        """Wait until no connection is left."""
        while self.connections:
            self._emptied = trio.Event()
            await self._emptied.wait()

    def drop_connections(self) -> None:
        """Close every socket that is left, without another word."""
        now = self.now()
        for connection in list(self.connections):
            connection.lose(now)
        self.finish(now)

    def _leave_pre_login(self) -> None:
        self._pre_login -= 1
        self._room.set()

    def _log_refusal(self, now: float) -> None:
        if now - self._refusal_logged >= REFUSAL_LOG_SECONDS:
            self._refusal_logged = now
            log.warning("connection refused: connections_max (%d) is reached", self._connections_max)

    def _durable(self, position: int, now: float) -> None:
        try:
            self.broker.durable(position, now)
        except Exception:
            log.exception("unexpected error while confirming")
        self._tell_safe()

    def _tell_safe(self) -> None:
        self._safe.set()
        self._safe = trio.Event()

    def _store_failed(self, error: StoreError) -> None:
        self.store_error = error
        self._tell_safe()
        log.critical("the store has failed, stopping: %s", error)
        self.stop_requested.set()


class BrokerTimer:
    """The broker's own deadline among the others: expiry of messages and queues."""

    def __init__(self, broker: BrokerPort) -> None:
        self.due = float("inf")
        self._broker = broker

    def expire(self, now: float) -> None:
        """Let the broker do what is due; the batch that follows schedules the next time."""
        try:
            self._broker.tick(now)
        except Exception:
            log.exception("unexpected error while expiring")
