"""Drive one session over one socket.

Refuses to know anything about AMQP: bytes from the socket go to the session, bytes of the session go to the
socket, and its deadline goes to the timers.

Theory of operation
-------------------
A connection has no task. The poller calls `ready` when its socket can be read or has room again; at the end
of the batch the node calls `examine` for every connection that was read or woken, which sends what the
session has, directly and without blocking, and settles what to wait for next. So a message from one
connection to another costs two system calls, and an idle connection costs a few objects.

Nobody gets more than one bounded read in a turn. The bound is small while others are about, so that a greedy
publisher does not keep the acknowledgements of a consumer waiting. It is large, since larger reads are
cheaper, for a connection that has been alone for a while, and for one that waits for confirms: those pace it.
Nor is more than one slice of a large body, which is read from the disk for that, sent in a turn.

Closing: when the session says so, what remains is sent, the write side is shut down, and the peer gets
CLOSE_SECONDS to do the same. Without that wait, unread bytes would turn our last frames into a reset.
"""

import logging
import math
import socket
from typing import TYPE_CHECKING

from mambaamqp.server.ports import Address, OpenSession, SessionPort

if TYPE_CHECKING:
    from mambaamqp.server.node import Node

READ_BYTES_MAX = 127 * 1024
"""One read, at the most. From 128 KiB on the C library maps fresh pages for each buffer, which costs more
than the read."""

READ_BYTES_SHARED = 16 * 1024
"""One read of an unpaced connection while others are about: a hundred small messages, which hold the others
up for less than a tenth of a millisecond."""

CLOSE_SECONDS = 3.0
"""How long a closing connection may take to drain and to answer our end of stream."""

log = logging.getLogger(__name__)


class Connection:
    """One socket and its session. `dirty`, `due` and `logged_in` are kept for the node, timers and logins."""

    __slots__ = (
        "_closing",
        "_discard",
        "_full",
        "_node",
        "_reading",
        "_shut_down",
        "_sock",
        "_unsent",
        "_writing",
        "dirty",
        "due",
        "gone",
        "greedy",
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
        self.greedy = False
        self.logged_in = False
        self.login_pending: object = None
        self._node = node
        self._sock = sock
        self._unsent: bytes | memoryview = b""
        self._full = False
        self._reading = False
        self._writing = False
        self._closing = False
        self._shut_down = False
        self._discard = False
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

    def ready(self, readable: bool, writable: bool, now: float) -> None:
        """The socket can be read, or has room again. Never raises."""
        if self.gone:
            return
        self.wake()
        if writable:
            self._full = False
        if readable:
            try:
                self._read(now)
            except Exception:
                self._broken(now)

    def examine(self, now: float) -> None:
        """End of a batch: do what the session asks for. Never raises."""
        if self.gone:
            return
        try:
            session = self.session
            # Before anything else: whatever happens from here on is worth another look.
            session.woken = False
            if session.login is not None:
                self._node.logins.verify(self, now)
            if not self._full:
                self._full = not self._send(now)
            if session.closing and not session.waiting:
                self._close(now)
            elif session.deadline < self.due:
                self._node.timers.schedule(self, session.deadline)
            self._watch(self._discard or session.wants_read, self._full)
        except Exception:
            self._broken(now)

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
            self._broken(now)

    def say_goodbye(self, text: str | None, now: float) -> None:
        """Ask the session to shut down with a text, or, without one, to fail. Never raises."""
        try:
            if text is None:
                self.session.fail(now)
            else:
                self.session.shutdown(text, now)
            self.wake()
        except Exception:
            self._broken(now)

    def lose(self, now: float) -> None:
        """The socket is gone, or goes now: tell the session and forget everything. Never raises."""
        if self.gone:
            return
        self._watch(False, False)
        self.gone = True
        self._sock.close()
        self._unsent = b""
        try:
            self.session.connection_lost(now)
        except Exception:
            log.exception("connection %s: unexpected error while closing it", self.name)
        self._node.forget(self)

    def _broken(self, now: float) -> None:
        """In an except clause: a bug of ours ends this connection, and no other."""
        log.exception("connection %s: unexpected error, closing it", self.name)
        self.lose(now)

    def _read(self, now: float) -> None:
        paced = self._node.is_alone(self, now) or self.session.waiting
        bytes_max = READ_BYTES_MAX if paced else READ_BYTES_SHARED
        try:
            data = self._sock.recv(bytes_max)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""  # a reset ends the connection as an end of stream does
        self.greedy = len(data) == bytes_max
        if not data:
            self.lose(now)
        elif not self._discard:
            self.session.receive_data(data, now)

    def _send(self, now: float) -> bool:
        """Send until nothing is left or the socket is full; False when it is full."""
        data_to_send = self.session.data_to_send
        data = self._unsent or data_to_send()
        if not data:
            return True
        send = self._sock.send
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
            if self.session.is_spooling:
                self._node.postpone(self)
                break
            data = data_to_send()
        self._unsent = b""
        return True

    def _watch(self, read: bool, write: bool) -> None:
        if self.gone:
            return
        if read != self._reading or write != self._writing:
            watched = self._reading or self._writing
            self._reading, self._writing = read, write
            self._node.poller.watch(self._sock, self, read=read, write=write, watched=watched)

    def _close(self, now: float) -> None:
        if self.gone:
            return
        if not self._closing:
            self._closing = True
            self._discard = True
            self._node.timers.schedule(self, now + CLOSE_SECONDS)
        if not self._full and not self.session.is_spooling and not self._shut_down:
            self._shut_down = True
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                self.lose(now)
