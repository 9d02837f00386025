"""One client of a simulated life: what it holds, what it waits for, and what it has been promised."""

from typing import TYPE_CHECKING, Any

from pamqp import commands

from mambaamqp.broker.queue import Queue
from tests.support.client import Client, Delivery

if TYPE_CHECKING:
    from tests.support.lives import Simulation


class Held:
    """A delivery that a client has not settled; `incarnation` is the queue object that it came from."""

    def __init__(self, tag: int, queue: Queue, body: bytes) -> None:
        self.tag = tag
        self.queue = queue
        self.body = body


class Seat:
    """A client on one channel, in confirm mode, in tx mode, or neither."""

    def __init__(self, simulation: "Simulation", mode: str) -> None:
        self.simulation = simulation
        self.mode = mode
        self.client: Client = simulation.world.connect().open()
        if mode == "confirm":
            self.client.confirm()
        elif mode == "tx":
            self.client.call(1, commands.Tx.Select())
        self.client.call(1, commands.Basic.Qos(prefetch_count=4))
        self.held: dict[int, Held] = {}
        self.consuming: dict[str, Queue] = {}
        """Consumer tag → queue; the tag is the queue's name."""
        self.next_publish = 1
        self.unconfirmed: dict[int, int] = {}
        """Publish number → the moment that its confirm promises."""
        self.awaited: list[tuple[type, int | None]] = []
        """Replies to come, and the moment that each promises."""
        self.got: list[bytes] = []
        """Bodies that basic.get is to bring."""
        self.tx_publishes: list[tuple[bytes, list[Queue]]] = []
        self.tx_settled: list[tuple[Held, str]] = []
        self.read = len(self.client.received)

    def listen(self) -> None:
        """Read what has come in: promises, deliveries, and nothing that was not asked for."""
        received = self.client.received[self.read :]
        self.read = len(self.client.received)
        for _, value in received:
            if isinstance(value, Delivery) and isinstance(value.method, commands.Basic.Deliver):
                self._deliver(value)
            elif isinstance(value, commands.Basic.Ack):
                self._confirmed(value)
            elif isinstance(value, commands.Basic.Cancel):
                self.consuming.pop(value.consumer_tag)
            else:
                self._answered(value)

    def _answered(self, value: Any) -> None:
        expected, moment = self.awaited.pop(0)
        if isinstance(value, Delivery):
            assert value.body == self.got.pop(0)
            value = value.method
        assert isinstance(value, expected), f"{value} instead of {expected}"
        if moment is not None:
            self.simulation.model.promise(moment)

    def _deliver(self, delivery: Delivery) -> None:
        tag = delivery.method.delivery_tag
        queue = self.consuming[delivery.method.consumer_tag]
        self.held[tag] = Held(tag, queue, delivery.body)

    def _confirmed(self, ack: Any) -> None:
        tags = [tag for tag in self.unconfirmed if tag == ack.delivery_tag]
        if ack.multiple:
            tags = [tag for tag in self.unconfirmed if tag <= ack.delivery_tag]
        assert tags, "a confirm for nothing"
        for tag in tags:
            self.simulation.model.promise(self.unconfirmed.pop(tag))
