"""Drive one session over one socket.

Refuses to know anything about AMQP: bytes from the socket go to the session, bytes of the session go to the
socket, and its deadline goes to the timers.

Theory of operation
-------------------
One task per connection, and it only reads. Sending happens at the end of a batch, directly and without
blocking, for every session that was read or woken (`examine`); only while the kernel's buffer is full does a
second task wait for room. So a message from one connection to another costs two system calls and no task
switch, and an idle connection costs one parked task.

The task waits for readability before each read, even after a full one: that way every connection that has
something gets one bounded read in each turn of the event loop, and a greedy publisher cannot keep the
acknowledgements of a consumer waiting.

Closing: when the session says so, what remains is sent, the write side is shut down, and the peer gets
CLOSE_SECONDS to do the same. Without that wait, unread bytes would turn our last frames into a reset.
"""

import logging
import math
import socket
from typing import TYPE_CHECKING

import trio

from mambaamqp.server.ports import Address, OpenSession, SessionPort

if TYPE_CHECKING:
    from mambaamqp.server.node import Node

READ_BYTES_MAX = 127 * 1024
"""One turn of one connection. Larger reads save little and delay everybody else; and from 128 KiB on the C
library maps fresh pages for each buffer, which costs more than the read."""

CLOSE_SECONDS = 3.0
"""How long a closing connection may take to drain and to answer our end of stream."""

log = logging.getLogger(__name__)


class Connection:
    """One socket and its session. `dirty`, `due` and `logged_in` are kept for the node, timers and logins."""

    __slots__ = (
        "_closing",
        "_discard",
        "_node",
        "_parked",
        "_shut_down",
        "_sock",
        "_unsent",
        "_writing",
        "dirty",
        "due",
        "gone",
        "local",
        "logged_in",
        "login_pending",
        "peer",
        "session",
    )

    def __init__(
        self,
        node: "Node",
        sock: socket.socket,
        peer: Address,
        local: Address,
        open_session: OpenSession,
        now: float,
    ) -> None:
        self.peer = peer
        self.local = local
        self.dirty = False
        self.due = math.inf
        self.gone = False
        self.logged_in = False
        self.login_pending: object = None
        self._node = node
        self._sock = sock
        self._unsent: bytes | memoryview = b""
        self._writing = False
        self._closing = False
        self._shut_down = False
        self._discard = False
        self._parked: trio.lowlevel.Task | None = None
        self.session: SessionPort = open_session(peer, local, self.wake, now)

    @property
    def name(self) -> str:
        """As RabbitMQ names connections."""
        return f"{self.peer.host}:{self.peer.port} -> {self.local.host}:{self.local.port}"

    def wake(self, _session: object = None) -> None:
        """Examine this connection at the end of the current batch."""
        if not self.dirty:
            self.dirty = True
            self._node.dirty.append(self)

    async def run(self) -> None:
        """Read until the connection is over. Never raises for what happens to this one connection."""
        node = self._node
        sock = self._sock
        wait_readable = trio.lowlevel.wait_readable
        try:
            self.wake()
            node.finish(node.now())
            while not self.gone:
                if self._discard or self.session.wants_read:
                    await wait_readable(sock)
                    if not self.gone:
                        self._read()
                else:
                    await self._park()
        except trio.ClosedResourceError:
            pass  # lose() closed the socket under the reader: that is how it is told
        except Exception:
            log.exception("connection %s: unexpected error, closing it", self.name)
        finally:
            if not self.gone:
                self.lose(node.now())
                node.finish(node.now())

    def examine(self, now: float) -> None:
        """End of a batch: do what the session asks for. Never raises."""
        if self.gone:
            return
        try:
            session = self.session
            if session.login is not None:
                self._node.logins.verify(self, now)
            if not self._writing and not self._send(now):
                self._writing = True
                self._node.spawn(self._write)
            if self.gone:
                return
            if session.closing and not session.waiting:
                self._close(now)
            elif session.deadline < self.due:
                self._node.timers.schedule(self, session.deadline)
            if self._parked is not None and (self._discard or session.wants_read):
                self._unpark()
        except Exception:
            log.exception("connection %s: unexpected error, closing it", self.name)
            self.lose(now)

    def expire(self, now: float) -> None:
        """The deadline has come: the session's, or the one for closing. Never raises."""
        if self._closing:
            self.lose(now)
            return
        try:
            if self.session.deadline <= now:
                self.session.tick(now)
            self.wake()
        except Exception:
            log.exception("connection %s: unexpected error, closing it", self.name)
            self.lose(now)

    def say_goodbye(self, text: str | None, now: float) -> None:
        """Ask the session to shut down with a text, or, without one, to fail. Never raises."""
        try:
            if text is None:
                self.session.fail(now)
            else:
                self.session.shutdown(text, now)
            self.wake()
        except Exception:
            log.exception("connection %s: unexpected error, closing it", self.name)
            self.lose(now)

    def lose(self, now: float) -> None:
        """The socket is gone, or goes now: tell the session and forget everything. Never raises."""
        if self.gone:
            return
        self.gone = True
        trio.lowlevel.notify_closing(self._sock)
        self._sock.close()
        self._unsent = b""
        try:
            self.session.connection_lost(now)
        except Exception:
            log.exception("connection %s: unexpected error while closing it", self.name)
        if self._parked is not None:
            self._unpark()
        self._node.forget(self)

    def _read(self) -> None:
        try:
            data = self._sock.recv(READ_BYTES_MAX)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""  # a reset ends the connection as an end of stream does
        node = self._node
        now = node.now()
        if not data:
            self.lose(now)
        elif not self._discard:
            self.session.receive_data(data, now)
            self.wake()
        node.finish(now)

    def _send(self, now: float) -> bool:
        """Send until nothing is left or the socket is full; False when it is full."""
        send = self._sock.send
        data_to_send = self.session.data_to_send
        data = self._unsent or data_to_send()
        while data:
            try:
                sent = send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self.lose(now)
                return True
            if sent < len(data):
                self._unsent = memoryview(data)[sent:]
                return False
            data = data_to_send()
        self._unsent = b""
        return True

    async def _write(self) -> None:
        """Send what the kernel did not take at once. The node continues with what this made room for."""
        node = self._node
        try:
            while self._writing and not self.gone:
                await trio.lowlevel.wait_writable(self._sock)
                if self.gone:
                    return
                now = node.now()
                self._writing = not self._send(now)
                self.wake()
                node.finish(now)
        except trio.ClosedResourceError:
            pass
        except Exception:
            log.exception("connection %s: unexpected error, closing it", self.name)
            self.lose(node.now())
            node.finish(node.now())

    def _close(self, now: float) -> None:
        if not self._closing:
            self._closing = True
            self._discard = True
            self._node.timers.schedule(self, now + CLOSE_SECONDS)
        if not self._writing and not self._shut_down:
            self._shut_down = True
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                self.lose(now)

    async def _park(self) -> None:
        self._parked = trio.lowlevel.current_task()

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._parked = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _unpark(self) -> None:
        assert self._parked is not None
        task, self._parked = self._parked, None
        trio.lowlevel.reschedule(task)
