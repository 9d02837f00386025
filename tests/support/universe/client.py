"""A client of the virtual network: publishes, consumes, settles, leaves; and tells the history all of it."""

from random import Random
from typing import Any, Final, Protocol

from pamqp import commands, frame

from tests.support.client import CAPABILITIES, publish_octets
from tests.support.universe.clock import Clock
from tests.support.universe.follower import CHANNEL, Follower
from tests.support.universe.history import HALL, PASSING, TOPOLOGY, Copy, History, Letter, Transaction
from tests.support.universe.link import Link, Reader
from tests.support.universe.log import Log

MODES: Final = ("confirm", "confirm", "tx", "plain")
CONTENT_TOO_LARGE: Final = 311
CONSUMED: Final = ("plain", "deadly", "brief", "dead", "capped", "quorum", PASSING)
THINK_SECONDS: Final = 0.03
RETRY_SECONDS: Final = 0.2
HEARTBEAT_SECONDS: Final = 2
FILLS: Final = (0, 0, 10, 100, 700, 2500)


def _hello() -> bytes:
    """The whole handshake, a channel and the topology, without waiting for any answer."""
    start = commands.Connection.StartOk(
        client_properties={"capabilities": CAPABILITIES}, mechanism="PLAIN", response="\0guest\0guest"
    )
    connection = [
        start,
        commands.Connection.TuneOk(2047, 131072, HEARTBEAT_SECONDS),
        commands.Connection.Open(virtual_host="/"),
    ]
    channel: list[Any] = [commands.Channel.Open()]
    channel += [
        commands.Queue.Declare(queue=name, durable=name != PASSING, nowait=True, arguments=arguments)
        for name, arguments in TOPOLOGY.items()
    ]
    channel.append(
        commands.Exchange.Declare(exchange="hall", exchange_type="fanout", durable=True, nowait=True)
    )
    channel += [
        commands.Queue.Bind(queue=name, exchange="hall", routing_key="", nowait=True) for name in HALL
    ]
    octets = b"".join(frame.marshal(method, 0) for method in connection)
    return b"AMQP\0\0\x09\1" + octets + b"".join(frame.marshal(method, 1) for method in channel)


HELLO: Final = _hello()
HEARTBEAT: Final = b"\x08\0\0\0\0\0\0\xce"
SELECT: Final = {"confirm": commands.Confirm.Select, "tx": commands.Tx.Select}


class Port(Protocol):
    """Where clients connect; None while nobody listens."""

    def connect(self, reader: Reader) -> Link | None: ...


class Connection:
    """What a client knows of one connection; the history takes it for the author of letters."""

    def __init__(self) -> None:
        self.unconfirmed: dict[int, Letter] = {}
        self.next_publish = 1
        self.held: dict[int, Copy] = {}
        self.gone: list[Copy] = []
        """Removed on this channel; its close-ok says that this is safe."""
        self.consuming: set[str] = set()
        self.used: set[str] = set()
        """Queues that it has had deliveries from, or may."""
        self.getting: list[str] = []
        self.transaction: Transaction | None = None
        self.settling: dict[int, Copy] = {}
        """Delivery tag → copy, of what the open transaction settles."""
        self.sent: list[Transaction] = []
        """Transactions whose commit or rollback has been sent."""
        self.closing = False
        self.last: dict[tuple[str, Any], int] = {}


class Client:
    """Connects again whenever its connection is gone."""

    def __init__(self, name: str, clock: Clock, rng: Random, history: History, port: Port, log: Log) -> None:
        self.name = name
        self.clock = clock
        self.rng = rng
        self.history = history
        self.port = port
        self.mode = rng.choice(MODES)
        self.publishes = rng.random() < 0.75
        self.consumes = not self.publishes or rng.random() < 0.4
        self.link: Link | None = None
        self.follower = Follower(rng, log)
        self.at = Connection()
        self.open = False
        self.busy = True
        """Still starts new things."""
        self.buffer = b""
        self.content: list[Any] = []
        clock.after(rng.random() * 0.01, self.connect)

    # The connection

    def connect(self) -> None:
        if self.link is not None or not self.busy:
            return
        self.at = Connection()
        self.open = False
        self.buffer, self.content = b"", []
        self.link = self.port.connect(self)
        if self.link is None:
            self.clock.after(RETRY_SECONDS, self.connect)
            return
        select = SELECT.get(self.mode)
        self.link.send(HELLO + (frame.marshal(select(), 1) if select else b""))
        self.follower.connected(self.link)
        if self.mode == "tx":
            self.at.transaction = self.history.begun()
        self.call(commands.Basic.Qos(prefetch_count=self.rng.choice((1, 4, 0))))
        self.clock.after(HEARTBEAT_SECONDS / 2, self.beat)

    def beat(self) -> None:
        """A heartbeat now and then; nothing goes through a frozen link."""
        link = self.link
        if link is not None:
            link.send(HEARTBEAT)
            self.clock.after(HEARTBEAT_SECONDS / 2, lambda: self.beat() if self.link is link else None)

    def hang_up(self) -> None:
        """The connection is gone, however that came."""
        if self.link is not None:
            self.link = self.follower.link = None
            self.history.left(self.at, self.at.used)
            self._forget_transaction()
            self.at = Connection()
            self.connect_later()

    def connect_later(self) -> None:
        """Soon; without hurry if it is to happen already."""
        self.clock.after(self.rng.random() * RETRY_SECONDS, self.connect)

    def _forget_transaction(self) -> None:
        transaction = self.at.transaction
        if transaction is not None and transaction.state == "open":
            transaction.state = "undone"

    def call(self, method: Any) -> None:
        if self.link is not None:
            self.link.send(frame.marshal(method, 1))

    # Doing things

    def think(self) -> None:
        """One thing, if it is a good moment for it."""
        if self.link is None or not self.open or self.at.closing:
            return
        if self.rng.random() < 0.2:
            self.follower.act()
            return
        chance = self.rng.random()
        if chance < 0.45 and self.publishes:
            for _ in range(self.rng.choice((1, 1, 2, 5))):
                self.publish()
        elif chance < 0.55 and self.mode == "tx":
            self.commit()
        elif chance < 0.65 and self.consumes:
            self.consume()
        elif chance < 0.72 and self.mode != "tx":
            self.get()
        elif chance < 0.96:
            self.settle()
        elif chance < 0.98:
            self.leave()
        elif self.link is not None:
            self._break()

    def publish(self) -> None:
        """To one queue, to two through the fanout exchange, or to none."""
        key = self.rng.choice((*(name for name in TOPOLOGY if name != "dead"), "hall", "nowhere"))
        if self.mode == "tx" and key in ("capped", PASSING):
            key = "plain"
        persistent = self.mode == "tx" or self.rng.random() < 0.85
        queues = HALL if key == "hall" else (key,) if key in TOPOLOGY else ()
        size = self.rng.choice(FILLS)
        body = b"%d:" % len(self.history.letters) + bytes((size % 251,)) * size
        letter = self.history.published(self.at, body, queues, persistent, self.at.transaction)
        if self.mode == "confirm":
            self.at.unconfirmed[self.at.next_publish] = letter
            self.at.next_publish += 1
        exchange, routing_key = ("hall", "") if key == "hall" else ("", key)
        properties = {"delivery_mode": 2 if persistent else 1}
        assert self.link is not None
        self.link.send(publish_octets(body, routing_key, exchange, 1, True, properties, 1000))

    def commit(self) -> None:
        """tx.commit, now and then tx.rollback: what follows is another transaction."""
        transaction = self.at.transaction
        if transaction is None or not (transaction.letters or transaction.settled):
            return
        if self.rng.random() < 0.15:
            transaction.state = "undone"
            self.history.count("rolled back")
            self.at.held.update(self.at.settling)
            self.call(commands.Tx.Rollback())
        else:
            transaction.state = "sent"
            self.call(commands.Tx.Commit())
        self.at.settling = {}
        self.at.sent.append(transaction)
        self.at.transaction = self.history.begun()

    def consume(self) -> None:
        names = [name for name in CONSUMED if name not in self.at.consuming]
        if names:
            name = self.rng.choice(names)
            self.at.consuming.add(name)
            self.at.used.add(name)
            self.call(commands.Basic.Consume(queue=name, consumer_tag=name))

    def get(self) -> None:
        name = self.rng.choice(CONSUMED)
        self.at.getting.append(name)
        self.at.used.add(name)
        self.call(commands.Basic.Get(queue=name))

    def settle(self) -> None:
        """ack, nack or reject, one or several."""
        if not self.at.held:
            return
        tag = self.rng.choice(list(self.at.held))
        multiple = self.rng.random() < 0.3
        how = self.rng.choice(("ack", "ack", "ack", "reject", "requeue"))
        if self.mode == "tx":
            how = "ack"
        taken = [number for number in self.at.held if number == tag or (multiple and number < tag)]
        for number in taken:
            self._settled(number, self.at.held.pop(number), how)
        if how == "ack":
            self.call(commands.Basic.Ack(tag, multiple))
        else:
            self.call(commands.Basic.Nack(tag, multiple, how == "requeue"))

    def _settled(self, tag: int, copy: Copy, how: str) -> None:
        if self.at.transaction is not None:
            self.at.settling[tag] = copy
            self.at.transaction.settled.append(copy)
            return
        self.history.settled(self.at, copy, how)
        if how == "ack":
            self.at.gone.append(copy)

    def leave(self) -> None:
        """connection.close: its answer says that the acknowledgements before it are safe."""
        if self.link is None or self.at.closing:
            return
        self.at.closing = True
        self.history.leaves(self.at, self.at.used)
        self._forget_transaction()
        self.link.send(frame.marshal(commands.Connection.Close(200, "", 0, 0), 0))

    def _break(self) -> None:
        """The connection breaks, or nothing comes through it any more."""
        assert self.link is not None
        if self.rng.random() < 0.3:
            self.history.count("frozen")
            self.history.leaves(self.at, self.at.used)
            self.at.closing = True
            self.link.frozen = True
            link = self.link
            # The client gives up early or late; the broker must find out by itself.
            self.clock.after(self.rng.random() * 3, lambda: self._give_up(link))
        else:
            self.history.count("broken")
            self.link.cut()
            self.hang_up()

    def is_given_up(self) -> None:
        if not self.at.closing:
            self.at.closing = True
            self.history.leaves(self.at, self.at.used)
            self._forget_transaction()

    def _refused(self, value: Any) -> None:
        """A large body came while the disk was full. Nothing is known of what was under way: begin anew."""
        assert "no room" in value.reply_text, value.reply_text
        self.history.count("no room")
        if self.link is not None:
            self.link.cut()
        self.hang_up()

    def _give_up(self, link: Link) -> None:
        if self.link is link:
            self.hang_up()

    # Being told

    def receive(self, data: bytes) -> None:
        """Octets from the broker."""
        self.buffer += data
        while len(self.buffer) >= 7 and self.link is not None:
            end = 8 + int.from_bytes(self.buffer[3:7], "big")
            if len(self.buffer) < end:
                return
            octets, self.buffer = self.buffer[:end], self.buffer[end:]
            self._take(octets)

    def _take(self, octets: bytes) -> None:
        kind = octets[0]
        if kind == 8:
            return
        _, channel, value = frame.unmarshal(octets)
        if kind == 1 and value.name not in ("Basic.Deliver", "Basic.GetOk", "Basic.Return"):
            if value.name == "Channel.Close" and value.reply_code == CONTENT_TOO_LARGE:
                self._refused(value)
            elif channel == CHANNEL:
                self.follower.answer(value)
            else:
                self._answer(value)
            return
        self.content.append(value)
        if kind != 1:
            head = self.content[1]
            if head.body_size == sum(len(part.value) for part in self.content[2:]):
                method, _, *parts = self.content
                self.content = []
                body = b"".join(part.value for part in parts)
                if channel == CHANNEL and method.name == "Basic.Deliver":
                    self.follower.message(method, head.properties, body)
                else:
                    self._message(method, body)

    def _message(self, method: Any, body: bytes) -> None:
        if method.name == "Basic.Return":
            self.history.returned(body)
            return
        queue = method.consumer_tag if method.name == "Basic.Deliver" else self.at.getting.pop(0)
        if self.at.closing:
            # Sent before the broker knew: it takes it back.
            letter = self.history.letter(body)
            self.history.seen.setdefault((letter.number, queue), []).append(self.history.life)
            return
        copy = self.history.received(self.at, queue, body, method.redelivered)
        self.at.held[method.delivery_tag] = copy
        if not method.redelivered and method.name == "Basic.Deliver" and queue != "dead":
            key = queue, self.history.letters[copy[0]].author
            assert self.at.last.get(key, -1) < copy[0], f"I4: {copy} comes after a later one"
            self.at.last[key] = copy[0]

    def _answer(self, value: Any) -> None:
        if isinstance(value, commands.Basic.Ack | commands.Basic.Nack):
            self._confirm(value)
        elif isinstance(value, commands.Basic.QosOk):
            self.open = True
        elif isinstance(value, commands.Basic.GetEmpty):
            self.at.getting.pop(0)
        elif isinstance(value, commands.Tx.CommitOk | commands.Tx.RollbackOk):
            transaction = self.at.sent.pop(0)
            if isinstance(value, commands.Tx.CommitOk):
                assert transaction.state == "sent", "commit-ok for a rollback"
                for copy in transaction.settled:
                    if self.history.held.get(copy) is self.at:
                        del self.history.held[copy]
                self.history.committed(transaction)
        elif isinstance(value, commands.Connection.CloseOk):
            self.history.left(self.at, self.at.used)
            self.history.removed_safely(self.at.gone)
            self.at.gone = []
        elif isinstance(value, commands.Connection.Close):
            assert value.reply_code in (320, 541), value.reply_text
            assert value.reply_code == 320 or "store" in value.reply_text, value.reply_text
            # A close-ok that comes after it only answers a close that crossed it, and promises nothing.
            self.at.gone = []
            if self.link is not None:
                self.link.send(frame.marshal(commands.Connection.CloseOk(), 0))
        else:
            assert not isinstance(value, commands.Channel.Close), value.reply_text

    def _confirm(self, value: Any) -> None:
        tags = [value.delivery_tag]
        if value.multiple:
            tags = [tag for tag in self.at.unconfirmed if tag <= value.delivery_tag]
        assert tags and set(tags) <= set(self.at.unconfirmed), f"I10: a confirm for nothing: {tags}"
        for tag in tags:
            letter = self.at.unconfirmed.pop(tag)
            if isinstance(value, commands.Basic.Ack):
                self.history.confirmed(letter)
            else:
                self.history.nacked(letter)
