"""A sync that takes seconds: whoever waits for it waits, and nobody else does."""

import os
from pathlib import Path

import pika

from tests.faults.slow_broker import GATE
from tests.support.process import BrokerProcess

ROOT = Path(__file__).parents[2]
HEARTBEAT_SECONDS = 1
HEARTBEATS = 3
"""One a second at most: the gate stays closed for two."""
ROUND_TRIPS = 50


class SlowBroker(BrokerProcess):
    """Its syncs wait at the gate while it is closed."""

    module = "tests.faults.slow_broker"

    def __init__(self, directory: Path) -> None:
        self.gate = directory / "gate"
        os.mkfifo(self.gate)
        super().__init__(directory / "data", **{GATE: str(self.gate), "PYTHONPATH": str(ROOT)})

    def close_gate(self) -> None:
        Path(f"{self.gate}.closed").touch()

    def open_gate(self) -> None:
        """Whoever waits goes on; returns when there was somebody."""
        Path(f"{self.gate}.closed").unlink()
        with self.gate.open("w"):
            pass


def test_a_slow_sync_disturbs_nobody_else(tmp_path: Path) -> None:
    """While a confirm waits for the disk heartbeats come, and another queue's messages go through."""
    with SlowBroker(tmp_path) as broker:
        publisher, other = broker.connect(), broker.connect()
        watched = watch(broker.port)
        channel = publisher.channel()
        channel.queue_declare("durable", durable=True)
        confirmed: list[int] = []
        broker.close_gate()
        publish_with_confirm(channel, confirmed)
        publisher.process_data_events(time_limit=0)
        assert round_trips(other) == [b"%d" % number for number in range(ROUND_TRIPS)]
        assert beats(watched) == HEARTBEATS
        publisher.process_data_events(time_limit=0)
        assert confirmed == []
        broker.open_gate()
        while not confirmed:
            publisher.process_data_events(time_limit=5)
        assert confirmed == [1]


def watch(port: int) -> pika.BlockingConnection:
    """A connection that wants heartbeats."""
    parameters = pika.ConnectionParameters(port=port, heartbeat=HEARTBEAT_SECONDS, socket_timeout=10)
    return pika.BlockingConnection(parameters)


def publish_with_confirm(channel: object, confirmed: list[int]) -> None:
    """Without waiting for it, as pika's blocking channel would."""
    inner = channel._impl  # type: ignore[attr-defined]
    inner.confirm_delivery(lambda found: confirmed.append(found.method.delivery_tag))
    inner.basic_publish("", "durable", b"", pika.BasicProperties(delivery_mode=2))


def round_trips(connection: pika.BlockingConnection) -> list[bytes]:
    """Transient messages through a queue of this connection's own, one after the other."""
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    bodies = []
    messages = channel.consume(queue, auto_ack=True)
    for number in range(ROUND_TRIPS):
        channel.basic_publish("", queue, b"%d" % number)
        bodies.append(next(messages)[2])
    return bodies


def beats(connection: pika.BlockingConnection) -> int:
    """How many heartbeats have come, waiting for as many as are wanted."""
    checker = connection._impl._heartbeat_checker
    while checker._heartbeat_frames_received < HEARTBEATS:
        connection.process_data_events(time_limit=1)
    return min(int(checker._heartbeat_frames_received), HEARTBEATS)
