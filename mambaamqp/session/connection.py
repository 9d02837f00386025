"""One AMQP connection: octets in, octets out, in four verbs.

`receive_data`, `data_to_send`, `tick` before `deadline`, `closing`; the shell does nothing else with a
session but tell it about the journal (`durable`), a verified login and the end of its socket. No clock,
no socket, no task.

Theory of operation. `receive_data` splits frames in a loop written for a compiler: a publish whose method,
header and body all stand in the buffer is taken in one step; any other frame goes its way by type and
state. Faults end here, at the one boundary: a ChannelFault closes its channel and the loop goes on behind
the frame that caused it; a ConnectionFault closes the connection with its code; any other exception is our
bug, is logged, and is a 541 whose text tells the peer nothing. Replies to durable changes wait in the outbox
behind a hold until the journal has been synced; what is written after them waits too, so order holds.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from mypy_extensions import i64

from mambaamqp.broker.broker import Broker
from mambaamqp.broker.entry import NEVER, Entry
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.broker.waiter import Waiter
from mambaamqp.errors import (
    ChannelError,
    ChannelFault,
    ConnectionFault,
    ConnectionForced,
    Fault,
    FrameFault,
    InternalFault,
    UnexpectedFrame,
)
from mambaamqp.session import batch, channels, frames, lost, reporting
from mambaamqp.session.channel import Channel
from mambaamqp.session.handshake import PROTOCOL_HEADER_BYTES as HEADER_BYTES
from mambaamqp.session.handshake import Handshake, is_partial_header, unexpected_method
from mambaamqp.session.heartbeat import Heartbeat
from mambaamqp.session.outbox import Outbox
from mambaamqp.session.patience import Patience
from mambaamqp.session.peer import Peer
from mambaamqp.session.publishing import Plan
from mambaamqp.session.settings import SessionSettings
from mambaamqp.wire.framing import FRAME_METHOD, HEARTBEAT_FRAME, frame, u32
from mambaamqp.wire.methods import Connection, Method, decode, encode

log = logging.getLogger("mambaamqp.session")

OPENING: Final = 0
OPEN: Final = 1
CLOSING: Final = 2
"""connection.close has been sent; only close and close-ok are read."""
CLOSED: Final = 3

CLOSE_SECONDS: Final = 5.0
"""How long a peer may take to answer our connection.close before the socket goes."""


class Session(Waiter):
    """The broker's side of one connection."""

    def __init__(
        self,
        broker: Broker,
        peer: Peer,
        settings: SessionSettings,
        wake: "Callable[[Session], None]",
        now: float,
    ) -> None:
        super().__init__()
        self.broker = broker
        self.peer = peer
        self.settings = settings
        self.wake = wake
        self.handshake = Handshake(settings, peer, broker.access, now)
        self.heartbeat = Heartbeat(0, now)
        self.patience = Patience()
        self.taken_at = now
        """When the socket last took something."""
        self.state = OPENING
        self.greeted = self.closing = False
        self.close_by = NEVER
        self.pending = b""
        self.at: i64 = 0
        """Where in `pending` the next frame starts."""
        self.received_bytes = self.opened_ms = 0
        self.frame_bytes_max: int = settings.pre_login_frame_bytes_max
        self.channel_max = 0
        self.vhost: VirtualHost | None = None
        self.channels: dict[int, Channel] = {}
        self.channel_number = self.method_index = 0
        """Channel and method at work, for the close that names them."""
        self.outbox = Outbox()
        self.outbox_bytes_max = settings.outbox_bytes_max
        self.outbox_full = False
        """A consumer was held back because the outbox was over its mark."""
        self.woken = False
        self.rights = broker.access.generation
        self.plan: Plan | None = None
        """How the last whole publish went, if the next one may go the same way."""
        self.publishers: list[Channel] = []
        self.parked: list[Channel] = []
        """Channels whose confirms wait for the journal."""
        self.published = self.congested = False
        self.paced = False
        """Paused until the consumers of a queue published to have caught up."""
        self.reached: list[Queue] = []
        """The queues that the last publish of this batch went to."""
        self.blocked = False
        self.exclusive_queues: dict[str, Queue] = {}
        self.exclusive_tidy_at = 64
        """With so many, look which of them have been deleted."""

    # The four verbs

    def receive_data(self, data: bytes, now: float) -> None:
        """Take octets from the socket; never raises."""
        self.broker.at(now)
        self.heartbeat.received(now)
        if self.state == CLOSED:
            return
        self.received_bytes += len(data)
        self.pending = self.pending + data if self.pending else data
        self._consume_batch()

    def data_to_send(self) -> bytes:
        """The next chunk for the socket; empty when nothing may go now."""
        self.woken = False
        data = self.outbox.take() if not self.outbox.spooled else lost.take(self)
        if data:
            self.taken_at = self.broker.now
            self.heartbeat.sent(self.taken_at)
        if self.outbox_full and self.outbox.size * 2 < self.outbox_bytes_max:
            self.outbox_full = False
            for channel in self.channels.values():
                channel.wake_consumers()
        return data

    @property
    def is_spooling(self) -> bool:
        """Whether large bodies leave, which are read for that."""
        return bool(self.outbox.spooled)

    @property
    def has_data(self) -> bool:
        """Whether `data_to_send` would give anything."""
        return self.outbox.ready

    @property
    def deadline(self) -> float:
        """When `tick` must be called at the latest; infinite for never."""
        if self.state == OPENING:
            return self.handshake.deadline
        if self.state == CLOSED:
            return NEVER
        return min(self.close_by, self.heartbeat.deadline, self.patience.look_at)

    def tick(self, now: float) -> None:
        """Time has passed: handshake time-out, heartbeats, a close that is not answered."""
        self.broker.at(now)
        if self.state == OPENING:
            self._run_guarded_tick(now)
            return
        if now >= self.close_by:
            self._finish()
            return
        if self.heartbeat.dead(now):
            if self.wants_read or not self._is_deaf_by_choice():
                log.warning(
                    "%s: missed heartbeats from client, timeout: %ss",
                    self.peer.name,
                    self.heartbeat.interval_seconds,
                )
                self.connection_lost(now)
                return
            self.heartbeat.received(now)
        if self.heartbeat.due_to_send(now):
            # What waits already is sign enough; and in front of a full socket heartbeats would pile up.
            if not self.outbox.ready:
                self.outbox.interject(HEARTBEAT_FRAME)
            self.heartbeat.sent(now)
            self.touch()
        if now >= self.patience.look_at:
            self.patience.look(self, now)

    def _is_deaf_by_choice(self) -> bool:
        """Whether silence proves nothing: we do not read, and what we write is still being taken."""
        return self.blocked or self.congested or self.taken_at > self.heartbeat.received_at

    @property
    def wants_read(self) -> bool:
        """Whether the shell should read now. What restrains publishers ends with the connection."""
        if self.state == OPEN:
            restrained = self.blocked or self.congested or self.paced
            return not (restrained or self.outbox.size >= self.outbox_bytes_max)
        return not self.login_pending

    # What else the shell tells

    @property
    def login(self) -> Any:
        """Credentials that wait to be verified outside (hashing is slow), or None."""
        return self.handshake.login

    @property
    def login_pending(self) -> bool:
        """Reading stops while credentials are being verified."""
        return self.handshake.login is not None

    def login_verified(self, user: Any, now: float) -> None:
        """The outcome of a login: the user, or None when it was refused."""
        self.broker.at(now)
        reporting.login(self, user is not None)
        answer = self.handshake.login_verified(user, now)
        if self.state != OPENING:
            return
        self._send_all(answer)
        # The client may have sent its next methods without waiting.
        self._consume_batch()

    def durable(self, position: int, now: float) -> None:
        """The journal is safe up to `position`: let held replies and confirms go."""
        self.congested = False
        self.outbox.release(position)
        parked = self.parked
        self.parked = []
        for channel in parked:
            if channel.confirms is not None and channel.confirms.durable(position):
                self.parked.append(channel)
        if self.parked or self.outbox.holding:
            self.broker.await_durable(self)
        self.touch()

    def proceed(self, now: float) -> None:
        """Consumers have caught up: publish on."""
        self.paced = False
        self.touch()

    def unblocked(self, now: float) -> None:
        """The alarm is over: publish on."""
        if self.blocked:
            self.blocked = False
            if self.understands("connection.blocked"):
                self.send(0, Connection.Unblocked())
            self.heartbeat.received(now)
            # The publish that has waited, and what came with it.
            self._consume_batch()

    def shutdown(self, text: str, now: float) -> None:
        """The broker stops or an operator closes the connection: 320 with `text`."""
        self._end(ConnectionForced(text), now)

    def fail(self, now: float) -> None:
        """The broker cannot keep its promises any more: 541."""
        if self.state == OPEN:
            self.outbox.drop_held()
        self._end(InternalFault("the message store has failed"), now)

    def _end(self, fault: Fault, now: float) -> None:
        self.broker.at(now)
        self.channel_number = self.method_index = 0
        if self.state == OPEN:
            self.close_connection(fault)
        elif self.state == OPENING:
            self._finish()

    def connection_lost(self, now: float) -> None:
        """The socket is gone: everything goes back, nobody reads any more."""
        self.broker.at(now)
        reporting.act(self)
        self._release()
        self.outbox.clear()
        self._finish()

    def touch(self) -> None:
        """Something to send, or another deadline, or reading may go on: tell the shell once."""
        if not self.woken:
            self.woken = True
            self.wake(self)

    def belongs_to(self, user_name: str, vhost: str) -> bool:
        """Whether its user has that name, or it is into that virtual host."""
        actor = self.handshake.actor
        return actor is not None and (actor.user.name == user_name or actor.vhost == vhost)

    def outstanding(self) -> list[Entry]:
        """Everything that this connection has not acknowledged, or only in an open transaction."""
        return channels.outstanding(self)

    @property
    def is_open(self) -> bool:
        """Past the handshake and not being closed."""
        return self.state == OPEN

    def log_closing(self, text: str) -> None:
        """Note why something of this connection is being closed by the broker."""
        log.info("%s: closing %s", self.peer.name, text)

    def understands(self, capability: str) -> bool:
        """Whether the client announced a capability in its client-properties."""
        return capability in self.handshake.capabilities

    # Frames

    def _consume_batch(self) -> None:
        reporting.act(self)
        self.at = 0
        if self.state == OPENING and not self._may_listen():
            self.pending = b""
            self.touch()
            return
        self._consume_guarded()
        self.pending = self.pending[self.at :] if self.state != CLOSED else b""
        batch.end(self)

    def _may_listen(self) -> bool:
        """Before open-ok: a stranger may say so much only, and nothing after a refused login."""
        if self.handshake.refused:
            return False
        if self.received_bytes <= self.settings.pre_login_bytes_max:
            return True
        if self.greeted:
            self.close_connection(FrameFault("too much data before the connection is open"))
        else:
            self._finish()
        return False

    def _consume_guarded(self) -> None:
        """Work through `pending`; the boundary at which faults become closes."""
        while True:
            try:
                frames.consume(self)
                return
            except ChannelFault as fault:
                channels.close_channel(self, fault)
            except ConnectionFault as fault:
                self.close_connection(fault)
            except Exception:
                log.exception("%s: unexpected error; the connection is closed", self.peer.name)
                self.close_connection(InternalFault("an unexpected error occurred in the broker"))

    def _run_guarded_tick(self, now: float) -> None:
        self.method_index = 0
        try:
            self._send_all(self.handshake.tick(now))
        except ConnectionFault as fault:
            self.close_connection(fault)
        if self.handshake.closing:
            self._finish()
        self.touch()

    def greet(self) -> bool:
        """The protocol header; True when it has been taken and frames follow."""
        if is_partial_header(self.pending):
            return False
        self.greeted = True
        answer = self.handshake.header(self.pending[:HEADER_BYTES])
        self.at = min(HEADER_BYTES, len(self.pending))
        if answer is not None:
            # Not our protocol: the answer names the one that is, and the socket is closed.
            self.outbox.write(answer)
            self._finish()
            return False
        self._send_all(self.handshake.greeting())
        return True

    # The connection

    def connection_frame(self, kind: i64, payload: bytes) -> None:
        """Method frames on channel 0, or of a connection that is not open."""
        if self.state == CLOSING:
            self._closing_connection_method(kind, payload)
            return
        if kind != FRAME_METHOD:
            raise UnexpectedFrame("expected method frame, got non method frame instead")
        if self.state == OPENING:
            self._opening_method(payload)
            return
        method = decode(payload)
        self.method_index = method.index
        if method.index == Connection.Close.index:
            self._client_closes_connection()
        elif method.index == Connection.UpdateSecret.index:
            self._send_all(self.handshake.update_secret(method))
        else:
            raise unexpected_method(self.handshake.state)

    def _opening_method(self, payload: bytes) -> None:
        if self.channel_number:
            raise ChannelError("expected channel 0 before connection.open")
        method = decode(payload)
        self.method_index = method.index
        if method.index == Connection.Close.index:
            self._client_closes_connection()
            return
        answer = self.handshake.receive(method, self.broker.now)
        if self.handshake.tuned:
            self.frame_bytes_max = self.handshake.frame_bytes_max
        if self.handshake.open:
            self._open()
        self._send_all(answer)

    def _open(self) -> None:
        """connection.open-ok follows: from here on it is a connection. 530 without such a virtual host."""
        handshake = self.handshake
        assert handshake.actor is not None
        self.vhost = self.broker.vhost(handshake.vhost)
        self.broker.admission.enter(handshake.actor, self.vhost)
        self.state = OPEN
        self.opened_ms = self.broker.wall_ms
        self.broker.holders[self] = None
        self.channel_max = handshake.channel_max
        self.heartbeat = Heartbeat(handshake.heartbeat_seconds, self.broker.now)
        reporting.connection(self, "connection.created")

    def _client_closes_connection(self) -> None:
        mark = self.outbox.mark
        self._release()
        self.send(0, Connection.CloseOk())
        self.hold_for_settlements(mark)
        self._finish()

    def _closing_connection_method(self, kind: i64, payload: bytes) -> None:
        """After our connection.close: close-ok ends it, a crossing close is answered, the rest is dropped."""
        if kind != FRAME_METHOD or self.channel_number or len(payload) < frames.INDEX_BYTES:
            return
        index = u32(payload, 0)
        if index == Connection.CloseOk.index:
            self._finish()
        elif index == Connection.Close.index:
            self.send(0, Connection.CloseOk())
            self._finish()

    def close_connection(self, fault: Fault) -> None:
        """The connection is over: connection.close with the fault's code, and everything goes back."""
        if self.state >= CLOSING:
            self._finish()
            return
        log.warning("%s: closing: %s", self.peer.name, fault.reply_text)
        opening = self.state == OPENING
        self._release()
        self.state = CLOSING
        self.close_by = self.broker.now + CLOSE_SECONDS
        if opening and not self.handshake.may_close:
            self._finish()
        else:
            self.send(0, channels.close_method(Connection.Close, fault, self.method_index))
        self.touch()

    def _release(self) -> None:
        """Give everything back to the broker: channels first, then exclusive queues."""
        if self in self.broker.holders and self.handshake.actor is not None:
            del self.broker.holders[self]
            self.broker.admission.leave(self.handshake.actor)
            reporting.connection(self, "connection.closed")
        self.patience.look_at = NEVER
        for channel in self.publishers:
            channel.end_batch(self.broker.journal.durable)
        self.publishers = []
        self.parked = []
        self.congested = False
        if self.blocked:
            self.blocked = False
            self.broker.blocked.remove(self)
        channels = list(self.channels.values())
        self.channels.clear()
        for channel in channels:
            channel.closing = True
            channel.release()
        queues = list(self.exclusive_queues.values())
        self.exclusive_queues.clear()
        for queue in queues:
            queue.vhost.drop_queue(queue)

    def _finish(self) -> None:
        self.state = CLOSED
        self.closing = True
        self.close_by = NEVER
        self.touch()

    def hold_for_settlements(self, mark: int) -> None:
        """A close-ok also says that the acknowledgements before it are safe."""
        self.broker.catch_up()
        self.broker.write_settlements()
        journal = self.broker.journal
        if journal.position > journal.durable:
            self.outbox.hold(mark, journal.position)
            self.broker.await_durable(self)

    # Writing

    def send(self, number: int, method: Method) -> None:
        self.outbox.write(frame(FRAME_METHOD, number, encode(method)))

    def _send_all(self, methods: list[Method]) -> None:
        for method in methods:
            self.send(0, method)
