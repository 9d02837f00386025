"""An AMQP client in memory: talks to a Session through its four verbs, without a socket.

`World` is a broker over a disk in memory with a clock that stands still; `Client` is a connection to it.
What goes out is packed by pamqp, and what comes in is unpacked by it, so that no mistake of ours can hide
behind its own reflection. Every octet that is fed is followed by all that follows from it (dispatch, commit,
delivery) unless `World.hold` keeps the journal from being synced.
"""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from random import Random
from typing import Any, Final

from pamqp import body, commands, frame, header, heartbeat

from mambaamqp.access import Access
from mambaamqp.broker.broker import Broker
from mambaamqp.config import Compatibility, Config, PermissionConfig, Secret, UserConfig, VhostConfig
from mambaamqp.session.connection import Session
from mambaamqp.session.peer import Peer
from mambaamqp.session.settings import SessionSettings
from mambaamqp.store.commit import Commit
from mambaamqp.store.journal import deaf_journal
from mambaamqp.store.recovery import open_store
from mambaamqp.store.spool import WHOLE_BYTES_MAX
from mambaamqp.wire.framing import FRAME_METHOD
from mambaamqp.wire.framing import frame as pack
from mambaamqp.wire.methods import encode
from tests.support.disk import MemoryDisk

WALL_SECONDS: Final = 1_699_999_000.0
"""The wall clock when the monotonic one is at zero."""

CAPABILITIES: Final = {
    "consumer_cancel_notify": True,
    "basic.nack": True,
    "connection.blocked": True,
    "authentication_failure_close": True,
}


def user_config(name: str, tags: Iterable[str] = ()) -> UserConfig:
    """A user whose password is the name; the hash is one that costs nothing to make."""
    octets = b"salt" + sha256(b"salt" + name.encode()).digest()
    return UserConfig(name=name, password_hash=Secret(b64encode(octets).decode()), tags=tuple(tags))


def default_config() -> Config:
    """guest with all rights in "/"; nobody else."""
    return Config(
        users=(user_config("guest", ["administrator"]),),
        vhosts=(VhostConfig(name="/"),),
        permissions=(PermissionConfig(user="guest", configure=".*", write=".*", read=".*"),),
    )


class World:
    """A broker over a disk in memory, with a clock that stands still until told.

    `limits` are attributes of SessionSettings to change. While `hold` is set the disk is busy with a commit,
    and what is appended meanwhile is the next one; `commit` gets them all done.
    """

    def __init__(
        self,
        disk: MemoryDisk | None = None,
        config: Config | None = None,
        segment_bytes: int = 1 << 20,
        sync: bool = True,
        now: float = 1000.0,
        drowsy: int = 0,
        whole_bytes_max: int = WHOLE_BYTES_MAX,
        **limits: int,
    ) -> None:
        """`drowsy`: all that waits behind so many messages of a queue sleeps, in blocks of so many.
        Larger bodies than `whole_bytes_max` are on the disk only."""
        self.hold = False
        self.disk = MemoryDisk() if disk is None else disk
        self.config = default_config() if config is None else config
        self.now = now
        ways = Compatibility(self.config.compatibility)
        self.settings = SessionSettings(self.config.protocol, self.config.limits, ways)
        for name, value in limits.items():
            assert hasattr(self.settings, name), name
            setattr(self.settings, name, value)
        self.access = Access.from_config(self.config)
        self.whole_bytes_max = whole_bytes_max
        self.store = open_store("/store", self.disk)
        self.store.decoder.whole_bytes_max = whole_bytes_max
        deaf = deaf_journal("/store", self.disk)
        deaf.spool.whole_bytes_max = whole_bytes_max
        self.broker = Broker(
            self.access, deaf, now, WALL_SECONDS + now, limits=self.config.limits, compatibility=ways
        )
        if drowsy:
            self.broker.pager.budget_bytes = 0
            self.broker.pager.block_size = drowsy
            self.broker.pager.head_blocks = 1
        self.drowsy = drowsy
        for vhost in self.access.vhosts:
            self.broker.put_vhost(vhost)
        self.broker.recover(self.store.records())
        self.journal = self.store.journal(segment_bytes=segment_bytes, sync=sync)
        self.journal.spool.whole_bytes_max = whole_bytes_max
        if whole_bytes_max < WHOLE_BYTES_MAX:
            self.journal.spool.chunk_bytes = whole_bytes_max
            self.journal.spool.file_bytes = 4 * whole_bytes_max
        self.broker.go_on_with(self.journal)
        self.in_flight: Commit | None = None
        self.commit()
        self.clients: list[Client] = []

    def commit(self) -> None:
        """Sync the journal and tell whoever waits."""
        while (commit := self.in_flight or self.journal.seal()) is not None:
            self.in_flight = commit
            commit.execute(self.disk)
            self.in_flight = None
            self.journal.committed(commit)
            self.broker.durable(self.journal.durable, self.now)

    def disks_after_a_cut(self) -> list[MemoryDisk]:
        """Commit, and every disk that a power cut just before one of its syncs may leave."""
        left: list[MemoryDisk] = []

        def power_cut(what: str) -> None:
            if what == "sync":
                left.extend(self.disk.crash_states(Random(1)))

        self.disk.before = power_cut
        self.commit()
        return left

    def settle(self) -> None:
        """End of a batch: dispatch, commit, read everything that came out."""
        for _ in range(50):
            self.broker.flush(self.now)
            if not self.hold:
                self.commit()
            elif self.in_flight is None:
                self.in_flight = self.journal.seal()
            moved = [client.pump() for client in self.clients]
            if not any(moved) and not self.broker.dirty:
                return

    def advance(self, seconds: float) -> None:
        """Let time pass; everything that was due happens."""
        end = self.now + seconds
        while self.broker.deadline <= end:
            self.now = max(self.now, self.broker.deadline)
            self.broker.tick(self.now)
            self.settle()
        self.now = end
        self.broker.tick(end)
        for client in list(self.clients):
            if client.session.deadline <= end:
                client.session.tick(end)
        self.settle()

    def verify(self, login: Any) -> Any:
        """The user of a login, as Access would find it in its cache; see `user_config` for the password."""
        name, password = login.credentials
        user = self.access.users.get(name)
        return user if user is not None and password.reveal() == name.encode() else None

    def connect(self, **options: Any) -> "Client":
        """A client that has logged in."""
        client = Client(self)
        client.log_in(**options)
        return client

    def restart(self, *, clean: bool = True) -> "World":
        """Another broker over the same disk, at once: after a stop in good order or a death."""
        for client in list(self.clients):
            client.session.connection_lost(self.now)
        if clean:
            self.broker.stop(self.now)
            self.commit()
        self.store.close()
        return World(
            self.disk,
            self.config,
            now=self.now,
            drowsy=self.drowsy,
            whole_bytes_max=self.whole_bytes_max,
        )


class Delivery:
    """A message as a client sees it; `method` is deliver, get-ok or return."""

    def __init__(self, channel: int, method: Any, properties: Any, data: bytes) -> None:
        self.channel = channel
        self.method = method
        self.properties = properties
        self.body = data

    def __repr__(self) -> str:
        return f"Delivery({self.method.name}, {self.body!r})"


class Client:
    """One connection. What comes in is decoded by pamqp and kept in `received`, oldest first."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.session = Session(
            world.broker,
            Peer("127.0.0.1", 50000 + len(world.clients), "127.0.0.1", 5672),
            world.settings,
            lambda session: None,
            world.now,
        )
        self.buffer = b""
        self.received: list[tuple[int, Any]] = []
        self.deliveries: list[Delivery] = []
        self._content: dict[int, list[Any]] = {}
        world.clients.append(self)

    # Octets

    def feed(self, data: bytes) -> None:
        """Octets to the broker, and everything that follows from them."""
        self.session.receive_data(data, self.world.now)
        login = self.session.login
        if login is not None:
            self.session.login_verified(self.world.verify(login), self.world.now)
        self.world.settle()

    def pump(self) -> bool:
        """Take what the broker has to send; True if there was anything."""
        moved = False
        while data := self.session.data_to_send():
            moved = True
            self.buffer += data
        self._decode()
        return moved

    def _decode(self) -> None:
        while self.buffer and not self.buffer.startswith(b"AMQP"):
            size, channel, value = frame.unmarshal(self.buffer)
            self.buffer = self.buffer[size:]
            self._take(channel, value)

    def _take(self, channel: int, value: Any) -> None:
        if isinstance(value, heartbeat.Heartbeat):
            self.received.append((channel, value))
        elif isinstance(value, commands.Basic.Deliver | commands.Basic.GetOk | commands.Basic.Return):
            self._content[channel] = [value]
        elif isinstance(value, header.ContentHeader | body.ContentBody):
            self._content[channel].append(value)
            self._complete(channel)
        else:
            self.received.append((channel, value))

    def _complete(self, channel: int) -> None:
        method, head, *bodies = self._content[channel]
        data = b"".join(part.value for part in bodies)
        if len(data) == head.body_size:
            del self._content[channel]
            delivery = Delivery(channel, method, head.properties, data)
            self.deliveries.append(delivery)
            self.received.append((channel, delivery))

    # Methods

    def send(self, channel: int, method: Any) -> None:
        """A method without waiting for anything."""
        self.feed(frame.marshal(method, channel))

    def call(self, channel: int, method: Any) -> Any:
        """A method and the next thing that comes back on its channel (or on channel 0)."""
        before = len(self.received)
        self.send(channel, method)
        for number, value in self.received[before:]:
            if number in (channel, 0) and not isinstance(value, Delivery | heartbeat.Heartbeat):
                return value
        return None

    def log_in(
        self,
        user: str = "guest",
        password: str = "guest",
        vhost: str = "/",
        frame_max: int = 131072,
        heartbeat_seconds: int = 0,
        capabilities: dict[str, bool] | None = None,
    ) -> Any:
        """The whole handshake; returns the last answer."""
        if capabilities is None:
            capabilities = CAPABILITIES
        self.feed(b"AMQP\x00\x00\x09\x01")
        response = f"\0{user}\0{password}"
        answer = self.call(
            0,
            commands.Connection.StartOk(
                client_properties={"capabilities": capabilities}, mechanism="PLAIN", response=response
            ),
        )
        if not isinstance(answer, commands.Connection.Tune):
            return answer
        self.send(0, commands.Connection.TuneOk(2047, frame_max, heartbeat_seconds))
        return self.call(0, commands.Connection.Open(virtual_host=vhost))

    def raw(self, channel: int, cls: Any, **fields: Any) -> Any:
        """As `call`, for names that pamqp does not let pass: packed by our own encoder."""
        method = cls()
        for name, value in fields.items():
            setattr(method, name, value)
        before = len(self.received)
        self.feed(pack(FRAME_METHOD, channel, encode(method)))
        answers = [value for number, value in self.received[before:] if number in (channel, 0)]
        return answers[0] if answers else None

    def open(self, channel: int = 1) -> "Client":
        """Open a channel; returns self for chaining."""
        assert self.call(channel, commands.Channel.Open()) is not None
        return self

    def queue(self, name: str = "q", channel: int = 1, **options: Any) -> Any:
        """Declare a queue; returns the answer (declare-ok or a close)."""
        return self.call(channel, commands.Queue.Declare(queue=name, **options))

    def publish(
        self,
        data: bytes,
        routing_key: str = "q",
        exchange: str = "",
        channel: int = 1,
        mandatory: bool = False,
        properties: dict[str, Any] | None = None,
        frame_size: int = 131064,
    ) -> None:
        """A publish in one go."""
        self.feed(publish_octets(data, routing_key, exchange, channel, mandatory, properties, frame_size))

    def consume(self, queue: str = "q", tag: str = "c", channel: int = 1, **options: Any) -> Any:
        """basic.consume; returns the answer (consume-ok or a close)."""
        return self.call(channel, commands.Basic.Consume(queue=queue, consumer_tag=tag, **options))

    def ack(self, tag: int, multiple: bool = False, channel: int = 1) -> Any:
        """basic.ack; returns a close, if that is the answer."""
        return self.call(channel, commands.Basic.Ack(tag, multiple))

    def nack(self, tag: int, multiple: bool = False, requeue: bool = True, channel: int = 1) -> Any:
        """basic.nack; returns a close, if that is the answer."""
        return self.call(channel, commands.Basic.Nack(tag, multiple, requeue))

    def reject(self, tag: int, requeue: bool = True, channel: int = 1) -> Any:
        """basic.reject; returns a close, if that is the answer."""
        return self.call(channel, commands.Basic.Reject(tag, requeue))

    def confirm(self, channel: int = 1) -> "Client":
        """confirm.select; returns self for chaining."""
        assert isinstance(self.call(channel, commands.Confirm.Select()), commands.Confirm.SelectOk)
        return self

    def exchange(self, name: str = "x", kind: str = "direct", channel: int = 1, **options: Any) -> Any:
        """Declare an exchange; returns the answer."""
        return self.call(channel, commands.Exchange.Declare(exchange=name, exchange_type=kind, **options))

    def bind(self, queue: str, exchange: str, key: str = "", channel: int = 1, **options: Any) -> Any:
        """Bind a queue; returns the answer."""
        return self.call(
            channel, commands.Queue.Bind(queue=queue, exchange=exchange, routing_key=key, **options)
        )

    def count(self, queue: str = "q", channel: int = 1) -> int:
        """Messages ready in a queue, as a passive declare says."""
        return int(self.queue(queue, channel, passive=True).message_count)

    def bodies_in(self, queue: str = "q", channel: int = 1) -> list[bytes]:
        """What is ready in a queue, taken out one by one."""
        bodies = []
        while (delivery := self.get(queue, channel)) is not None:
            bodies.append(delivery.body)
        return bodies

    def get(self, queue: str = "q", channel: int = 1, no_ack: bool = True) -> Delivery | None:
        """basic.get: the message, or None for an empty queue."""
        before = len(self.received)
        self.send(channel, commands.Basic.Get(queue=queue, no_ack=no_ack))
        for _, value in self.received[before:]:
            if isinstance(value, Delivery):
                self.deliveries.remove(value)
                return value
            if isinstance(value, commands.Basic.GetEmpty):
                return None
        raise AssertionError(f"no answer to basic.get but {self.received[before:]}")

    def take(self) -> list[Delivery]:
        """The deliveries since the last call."""
        taken = self.deliveries
        self.deliveries = []
        return taken

    def bodies(self) -> list[bytes]:
        """The bodies of the deliveries since the last call."""
        return [delivery.body for delivery in self.take()]

    def of(self, kind: type) -> list[Any]:
        """Everything received of a method class, oldest first."""
        return [value for _, value in self.received if isinstance(value, kind)]

    def disconnect(self) -> None:
        """The socket breaks."""
        self.world.clients.remove(self)
        self.session.connection_lost(self.world.now)
        self.world.settle()


def publish_octets(
    data: bytes,
    routing_key: str = "q",
    exchange: str = "",
    channel: int = 1,
    mandatory: bool = False,
    properties: dict[str, Any] | None = None,
    frame_size: int = 131064,
) -> bytes:
    """basic.publish with its content as octets."""
    method = commands.Basic.Publish()
    method.exchange = exchange
    method.routing_key = routing_key
    method.mandatory = mandatory
    head = header.ContentHeader(0, len(data), commands.Basic.Properties(**(properties or {})))
    octets = frame.marshal(method, channel) + frame.marshal(head, channel)
    for at in range(0, len(data), frame_size):
        octets += frame.marshal(body.ContentBody(data[at : at + frame_size]), channel)
    return octets
