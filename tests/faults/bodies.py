"""Large bodies on a disk that is slow, or changes under a living broker: clients are given what was sent.

Messages come, some of them transient, some large, for queues that share them. While the disk is busy with a
commit, others are delivered and acknowledged already; at rest, octets of what is on the disk change. Whoever
takes messages gets whole bodies that were sent, each once, and all of those that nothing has happened to.
"""

import random
from typing import Final

from pamqp import commands

from mambaamqp.errors import StoreError
from tests.support.client import Client, World
from tests.support.violation import Violation

WHOLE_BYTES_MAX: Final = 200
MESSAGES: Final = 12
QUEUES: Final = ("one", "two")


class Rotten:
    """One broker, whose disk loses octets of large bodies."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.world = World(whole_bytes_max=WHOLE_BYTES_MAX, drowsy=self.rng.choice((0, 2)))
        self.sent: list[bytes] = []
        self.hurt: set[bytes] = set()

    def run(self) -> None:
        """Publish, lose octets, take what is left."""
        try:
            self._publish()
            for body in self.rng.sample(self.sent, 4):
                self._hurt(body)
            for name in QUEUES:
                self._judge(name, self._take_all(name))
        except StoreError as failure:
            raise Violation("I13", f"the store fails by itself: {failure}") from failure

    def _publish(self) -> None:
        publishers = [self.world.connect().open() for _ in range(MESSAGES)]
        for name in QUEUES:
            publishers[0].queue(name, durable=True)
            publishers[0].bind(name, "amq.fanout")
        publishers[0].queue("busy", durable=True)
        publishers[0].bind("busy", "amq.fanout")
        busy = self.world.connect().open()
        busy.consume("busy")
        for publisher in publishers:
            self.world.hold = self.rng.random() < 0.7
            body = self.rng.randbytes(self.rng.choice((50, 900, 3000)))
            self.sent.append(body)
            mode = {"delivery_mode": self.rng.choice((1, 2))}
            publisher.publish(body, "", "amq.fanout", properties=mode)
        self._judge("busy", self._acknowledged(busy))
        self.world.hold = False
        self.world.settle()

    def _hurt(self, body: bytes) -> None:
        """An octet of a large body changes, wherever it stands."""
        at = self.rng.randrange(len(body) - 20)
        for file in self.world.disk.files.values():
            found = file.data.find(body[at : at + 20])
            if found >= 0 and len(body) > WHOLE_BYTES_MAX:
                file.data[found] ^= 1 << self.rng.randrange(8)
                self.hurt.add(body)

    def _take_all(self, name: str) -> list[bytes]:
        """By consumers one after the other: a connection that meets damage is closed."""
        taken: list[bytes] = []
        for _ in range(MESSAGES + 1):
            client = self.world.connect().open()
            client.send(1, commands.Basic.Qos(prefetch_count=1))
            client.consume(name)
            taken += self._acknowledged(client)
            if not client.of(commands.Connection.Close):
                break
            client.disconnect()
        return taken

    def _acknowledged(self, client: Client) -> list[bytes]:
        bodies: list[bytes] = []
        while deliveries := client.take():
            for delivery in deliveries:
                bodies.append(delivery.body)
                client.ack(delivery.method.delivery_tag)
        return bodies

    def _judge(self, name: str, taken: list[bytes]) -> None:
        if not set(taken) <= set(self.sent):
            raise Violation("I2", f"{name}: a body has changed on the way")
        expected = [body for body in self.sent if body not in self.hurt]
        if taken != expected:
            raise Violation("I1", f"{name}: {len(taken)} bodies instead of {len(expected)}")
