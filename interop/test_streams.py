"""Streams, by pika."""

from typing import Any

import pika

from interop.broker import BrokerProcess
from interop.test_pika_blocking import connect

LATE_SECONDS = 30.0
COUNT = 500


def test_a_stream_is_read_from_any_offset(broker: BrokerProcess, name: str) -> None:
    """By several, as often as they like; with a filter, what it lets pass."""
    with connect(broker) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "stream", "x-max-age": "1D"})
        for number in range(COUNT):
            headers = {"x-stream-filter-value": "odd" if number % 2 else "even"}
            channel.basic_publish("", name, b"%d" % number, pika.BasicProperties(headers=headers))
        for arguments, expected in (
            ({"x-stream-offset": "first"}, range(COUNT)),
            ({"x-stream-offset": COUNT - 10}, range(COUNT - 10, COUNT)),
            ({"x-stream-offset": "1h", "x-stream-filter": ["odd"]}, range(1, COUNT, 2)),
        ):
            assert read(connection, name, arguments, len(expected)) == [
                (offset, b"%d" % offset) for offset in expected
            ]
        assert channel.queue_declare(name, passive=True).method.message_count == COUNT
        channel.queue_delete(name)


def read(
    connection: pika.BlockingConnection, name: str, arguments: dict[str, Any], count: int
) -> list[tuple[int, bytes]]:
    """So many (offset, body), on a channel of its own."""
    channel = connection.channel()
    channel.basic_qos(prefetch_count=100)
    found = []
    for method, properties, body in channel.consume(
        name, arguments=arguments, inactivity_timeout=LATE_SECONDS
    ):
        assert method is not None, "nothing came"
        found.append((properties.headers["x-stream-offset"], body))
        channel.basic_ack(method.delivery_tag)
        if len(found) == count:
            break
    channel.close()
    return found
