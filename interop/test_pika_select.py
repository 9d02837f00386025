"""pika's SelectConnection: callbacks, many channels, many confirms in flight."""

from typing import Any

import pika

from interop.broker import BrokerProcess

MESSAGES = 2000
CHANNELS = 5


class Exchange:
    """Publishes with confirms on some channels and consumes on another, until all is through."""

    def __init__(self, url: str, queue: str) -> None:
        self.queue = queue
        self.received: list[bytes] = []
        self.confirmed = 0
        self.connection = pika.SelectConnection(
            pika.URLParameters(url), on_open_callback=self.opened, on_open_error_callback=self.failed
        )
        self.timeout = self.connection.ioloop.call_later(30, self.timed_out)
        self.error: object = None

    def run(self) -> None:
        self.connection.ioloop.start()
        assert self.error is None, self.error

    def failed(self, _connection: Any, error: object) -> None:
        self.error = error
        self.connection.ioloop.stop()

    def timed_out(self) -> None:
        self.failed(None, f"only {self.confirmed} confirmed and {len(self.received)} received in time")

    def opened(self, connection: Any) -> None:
        connection.channel(on_open_callback=self.declare)

    def declare(self, channel: Any) -> None:
        channel.queue_declare(self.queue, durable=True, callback=lambda _frame: self.declared(channel))

    def declared(self, channel: Any) -> None:
        channel.basic_qos(prefetch_count=100)
        channel.basic_consume(self.queue, self.got)
        for _ in range(CHANNELS):
            self.connection.channel(on_open_callback=self.publish)

    def publish(self, channel: Any) -> None:
        counted = {"tag": 0}

        def on_confirm(frame: Any) -> None:
            assert isinstance(frame.method, pika.spec.Basic.Ack)
            self.confirmed += frame.method.delivery_tag - counted["tag"] if frame.method.multiple else 1
            counted["tag"] = max(counted["tag"], frame.method.delivery_tag)
            self.check()

        channel.confirm_delivery(on_confirm)
        for number in range(MESSAGES // CHANNELS):
            channel.basic_publish("", self.queue, b"%d" % number, pika.BasicProperties(delivery_mode=2))

    def got(self, channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        self.received.append(body)
        channel.basic_ack(method.delivery_tag)
        self.check()

    def check(self) -> None:
        if self.confirmed == MESSAGES and len(self.received) == MESSAGES:
            self.connection.ioloop.remove_timeout(self.timeout)
            self.connection.add_on_close_callback(lambda *_: self.connection.ioloop.stop())
            self.connection.close()


def test_confirms_and_deliveries_over_many_channels(broker: BrokerProcess, name: str) -> None:
    """Every publish on five channels is confirmed once and delivered once."""
    exchange = Exchange(broker.url + "%2F", name)
    exchange.run()
    assert sorted(exchange.received) == sorted([b"%d" % n for n in range(MESSAGES // CHANNELS)] * CHANNELS)
