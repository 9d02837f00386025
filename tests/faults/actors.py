"""Real clients with sockets: each a thread that works until the broker dies, and reports what it saw.

The publisher speaks for itself (a window of publishes, packed by pamqp), to be fast; all others are pika.
"""

import random
import socket
import threading
from collections.abc import Iterator

import pika
from pamqp import commands, frame, heartbeat
from pamqp.exceptions import UnmarshalingException
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from tests.faults.history import History, Name, pack
from tests.support.client import publish_octets
from tests.support.violation import Violation

SIZES = (0, 1, 10, 100, 100, 1000, 1000, 4096, 20_000, 131_064, 131_065)
"""Of payloads: one to several frames."""
WINDOW = 40
CONNECT_SECONDS = 20
FANOUT = "hall"
PERSISTENT, TRANSIENT = 2, 1
GONE = (AMQPError, OSError, EOFError)
"""What a client sees of a broker that dies."""


class Actor(threading.Thread):
    """One client. `fault` is what went wrong with it other than the broker's death."""

    def __init__(self, history: History, port: int, name: str, seed: int, queues: tuple[str, ...]) -> None:
        super().__init__(name=f"{name}-{history.life}", daemon=True)
        self.history = history
        self.port = port
        self.rng = random.Random(f"{seed} {self.name}")
        self.queues = queues
        self.fault: Exception | None = None
        self.stopping = False

    def run(self) -> None:
        try:
            self.work()
        except GONE:
            pass
        except Exception as fault:
            self.fault = fault

    def work(self) -> None:
        """Until the broker is gone, or `stopping`."""
        raise NotImplementedError

    def payload(self) -> bytes:
        """Random octets of a random size."""
        return self.rng.randbytes(self.rng.choice(SIZES))

    def connect(self) -> BlockingChannel:
        """A channel of pika's."""
        parameters = pika.ConnectionParameters(port=self.port, socket_timeout=CONNECT_SECONDS, heartbeat=0)
        return pika.BlockingConnection(parameters).channel()

    def destination(self) -> tuple[str, str, tuple[str, ...]]:
        """(exchange, routing key, queues that it reaches)"""
        if self.rng.random() < 0.3:
            return FANOUT, "", self.queues
        queue = self.rng.choice(self.queues)
        return "", queue, (queue,)


class Wire:
    """A plain connection: methods out, frames in."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.expect(commands.Connection.Start)
        self.send(0, commands.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US"))
        tune = self.expect(commands.Connection.Tune)
        self.send(0, commands.Connection.TuneOk(tune.channel_max, tune.frame_max, 0))
        self.call(0, commands.Connection.Open("/"), commands.Connection.OpenOk)
        self.call(1, commands.Channel.Open(), commands.Channel.OpenOk)

    def send(self, channel: int, method: frame.FrameTypes) -> None:
        self.socket.sendall(frame.marshal(method, channel))

    def call(self, channel: int, method: frame.FrameTypes, answer: type) -> frame.FrameTypes:
        self.send(channel, method)
        return self.expect(answer)

    def expect(self, kind: type) -> frame.FrameTypes:
        """The next frame, which must be of a kind; EOFError when the broker has closed."""
        found = self.receive()
        if isinstance(found, commands.Connection.Close):
            raise EOFError(found.reply_text)
        assert isinstance(found, kind), f"{found} instead of {kind}"
        return found

    def receive(self) -> frame.FrameTypes:
        """The next frame but heartbeats."""
        while True:
            try:
                size, _, found = frame.unmarshal(self.buffer)
            except UnmarshalingException:
                data = self.socket.recv(65_536)
                if not data:
                    raise EOFError("closed") from None
                self.buffer += data
                continue
            self.buffer = self.buffer[size:]
            if not isinstance(found, heartbeat.Heartbeat):
                return found


class Publisher(Actor):
    """Publishes with confirms, a window at a time; now and then a transient message."""

    number = 0

    def work(self) -> None:
        wire = Wire(self.port)
        wire.call(1, commands.Confirm.Select(), commands.Confirm.SelectOk)
        waiting: set[int] = set()
        while not self.stopping:
            octets = b"".join(self.next_publish(waiting) for _ in range(self.rng.randint(1, WINDOW)))
            wire.socket.sendall(octets)
            while waiting:
                self.take(wire.receive(), waiting)

    def next_publish(self, waiting: set[int]) -> bytes:
        self.number += 1
        waiting.add(self.number)
        name, (exchange, key, queues) = Name(self.name, self.number), self.destination()
        persistent = self.rng.random() < 0.95
        self.history.send(name, queues, persistent=persistent)
        properties = {"delivery_mode": PERSISTENT if persistent else TRANSIENT}
        return publish_octets(pack(name, self.payload()), key, exchange, properties=properties)

    def take(self, found: frame.FrameTypes, waiting: set[int]) -> None:
        """A confirm, for one or for all up to a number: brokers confirm in any order."""
        if isinstance(found, commands.Connection.Close):
            raise EOFError(found.reply_text)
        assert isinstance(found, commands.Basic.Ack | commands.Basic.Nack), found
        numbers = [number for number in waiting if number <= found.delivery_tag] if found.multiple else []
        numbers = numbers or [found.delivery_tag]
        waiting.difference_update(numbers)
        self.history.confirm(self.name, numbers, accepted=isinstance(found, commands.Basic.Ack))


class Transactor(Actor):
    """Publishes to several queues in transactions."""

    def work(self) -> None:
        channel = self.connect()
        channel.tx_select()
        number = count = 0
        while not self.stopping:
            count += 1
            transaction = f"{self.name}.{count}"
            for _ in range(self.rng.randint(1, 8)):
                number += 1
                name, (exchange, key, queues) = Name(self.name, number), self.destination()
                self.history.send(name, queues, transaction=transaction)
                body = pack(name, self.payload())
                channel.basic_publish(exchange, key, body, pika.BasicProperties(delivery_mode=PERSISTENT))
            channel.tx_commit()
            self.history.commit(transaction)


class Consumer(Actor):
    """Takes from one queue and acknowledges some at a time; a confirm afterwards says that this is safe."""

    marker = "marker"

    def work(self) -> None:
        channel = self.connect()
        channel.confirm_delivery()
        channel.basic_qos(prefetch_count=self.rng.choice((1, 10, 100)))
        queue = self.rng.choice(self.queues)
        for tags, names in self.batches(channel, queue):
            if self.rng.random() < 0.2:
                channel.basic_nack(tags[-1], multiple=True, requeue=True)
                continue
            for name in names:
                self.history.acknowledge(queue, name)
            channel.basic_ack(tags[-1], multiple=True)
            channel.basic_publish("", self.marker, b"", pika.BasicProperties(delivery_mode=PERSISTENT))
            self.history.settle([(queue, name) for name in names])

    def batches(self, channel: BlockingChannel, queue: str) -> Iterator[tuple[list[int], list[Name]]]:
        tags: list[int] = []
        names: list[Name] = []
        size = self.rng.randint(1, 10)
        for method, _, body in channel.consume(queue, inactivity_timeout=0.2):
            if self.stopping:
                return
            if method is not None:
                names.append(self.history.deliver(queue, body, method.redelivered))
                tags.append(method.delivery_tag)
            if len(tags) >= size or (method is None and tags):
                yield tags, names
                tags, names, size = [], [], self.rng.randint(1, 10)


class Poller(Actor):
    """basic.get with automatic acknowledgement: what it took may be gone, and may come again."""

    def work(self) -> None:
        channel = self.connect()
        while not self.stopping:
            queue = self.rng.choice(self.queues)
            self.history.ask(queue)
            method, _, body = channel.basic_get(queue, auto_ack=True)
            self.history.answered(queue)
            if method is not None:
                self.history.acknowledge(queue, self.history.deliver(queue, body, method.redelivered))


def declare(port: int, queues: tuple[str, ...], arguments: dict[str, str | int] | None = None) -> None:
    """The topology that all lives share."""
    with pika.BlockingConnection(pika.ConnectionParameters(port=port)) as connection:
        channel = connection.channel()
        channel.exchange_declare(FANOUT, "fanout", durable=True)
        channel.queue_declare(Consumer.marker, durable=True)
        for queue in queues:
            channel.queue_declare(queue, durable=True, arguments=arguments)
            channel.queue_bind(queue, FANOUT)


def drain(
    port: int, history: History, queues: tuple[str, ...], patience_seconds: float | None = None
) -> dict[str, list[Name]]:
    """Everything that is left, in order; Violation when a queue is not there any more.

    As many as the broker counts; with `patience_seconds` until nothing more has come for so long, for
    brokers that count late.
    """
    found: dict[str, list[Name]] = {}
    with pika.BlockingConnection(pika.ConnectionParameters(port=port)) as connection:
        channel = connection.channel()
        for queue in queues:
            try:
                count = channel.queue_declare(queue, passive=True).method.message_count
            except ChannelClosedByBroker as closed:
                raise Violation("I7", f"the queue {queue} is gone: {closed}") from None
            names = found[queue] = []
            if count or patience_seconds:
                for method, _, body in channel.consume(
                    queue, auto_ack=True, inactivity_timeout=patience_seconds
                ):
                    if method is None:
                        break
                    names.append(history.deliver(queue, body, method.redelivered))
                    if len(names) == count and not patience_seconds:
                        break
                channel.cancel()
    return found


def cast(history: History, port: int, seed: int, queues: tuple[str, ...]) -> list[Actor]:
    """Everybody who plays in one life."""
    kinds: list[tuple[type[Actor], str]] = [
        (Publisher, "publisher"),
        (Publisher, "press"),
        (Transactor, "transactor"),
        (Consumer, "consumer"),
        (Consumer, "reader"),
        (Poller, "poller"),
    ]
    return [kind(history, port, name, seed, queues) for kind, name in kinds]
