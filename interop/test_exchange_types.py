"""Exchange types beyond the specification, by pika."""

import time

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.broker import BrokerProcess
from interop.test_pika_blocking import PERSISTENT, connect, drain

DELAY_SECONDS = 0.3
LATE_SECONDS = 30.0


def test_a_delayed_message_comes_when_its_delay_is_over(broker: BrokerProcess, name: str) -> None:
    """Not before, and after what was published later with none."""
    with connect(broker) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.exchange_declare(
            name, "x-delayed-message", durable=True, arguments={"x-delayed-type": "topic"}
        )
        channel.queue_declare(name, durable=True)
        channel.queue_bind(name, name, "orders.#")
        delay = pika.BasicProperties(delivery_mode=2, headers={"x-delay": int(DELAY_SECONDS * 1000)})
        began = time.monotonic()
        channel.basic_publish(name, "orders.later", b"later", delay)
        channel.basic_publish(name, "orders.now", b"now", PERSISTENT)
        found = []
        for method, properties, body in channel.consume(name, inactivity_timeout=LATE_SECONDS):
            assert method is not None, "nothing came"
            found.append((body, (properties.headers or {}).get("x-delay")))
            channel.basic_ack(method.delivery_tag)
            if len(found) == 2:
                break
        assert time.monotonic() - began >= DELAY_SECONDS
        assert found == [(b"now", None), (b"later", -int(DELAY_SECONDS * 1000))]


@pytest.mark.parametrize("argument", [{}, {"hash-header": "customer"}])
def test_a_customers_messages_stay_together(
    broker: BrokerProcess, name: str, argument: dict[str, str]
) -> None:
    """By the routing key, or by a header; all queues have their share."""
    exchange = f"{name}.{len(argument)}"
    queues = [f"{exchange}.{number}" for number in range(3)]
    with connect(broker) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange, "x-consistent-hash", arguments=argument)
        for queue in queues:
            channel.queue_declare(queue)
            channel.queue_bind(queue, exchange, "10")
        for number in range(90):
            customer = f"customer {number % 30}"
            key = "any" if argument else customer
            properties = pika.BasicProperties(headers={"customer": customer})
            channel.basic_publish(exchange, key, customer.encode(), properties)
        places = [drain(channel, queue) for queue in queues]
    assert sum(map(len, places)) == 90
    assert min(map(len, places)) > 0
    for one in places:
        assert all(one.count(customer) == 3 for customer in one)


def test_a_newcomer_hears_the_recent_history(broker: BrokerProcess, name: str) -> None:
    """The last of it."""
    with connect(broker) as connection:
        channel = connection.channel()
        channel.exchange_declare(name, "x-recent-history", arguments={"x-recent-history-length": 2})
        for number in range(5):
            channel.basic_publish(name, "", b"%d" % number)
        channel.queue_declare(name)
        channel.queue_bind(name, name)
        assert drain(channel, name) == [b"3", b"4"]


def test_what_is_published_twice_comes_once(broker: BrokerProcess, name: str) -> None:
    """By an exchange and by a queue; every publish is confirmed, and a kill -9 forgets nothing."""
    if broker.foreign:
        pytest.skip("a foreign broker is not killed, and knows this by a plug-in only")
    arguments = {"x-cache-size": 1000, "x-cache-ttl": 600_000}
    with connect(broker) as connection:
        channel = connection.channel()
        channel.exchange_declare(name, "x-message-deduplication", durable=True, arguments=arguments)
        channel.queue_declare(name, durable=True)
        channel.queue_bind(name, name)
        channel.queue_declare(f"{name}.u", durable=True, arguments={"x-message-deduplication": True})
        publish_keyed(channel, name, range(20))
        assert drain(channel, name) == [b"%d" % number for number in range(10)]
        publish_keyed(channel, name, range(10, 12))
    broker.kill()
    broker.start()
    with connect(broker) as connection:
        channel = connection.channel()
        publish_keyed(channel, name, range(20))
        assert drain(channel, name) == []
        assert drain(channel, f"{name}.u") == [b"%d" % number for number in range(10)]


def publish_keyed(channel: BlockingChannel, name: str, numbers: range) -> None:
    """Persistent, confirmed and mandatory; of ten keys."""
    channel.confirm_delivery()
    for number in numbers:
        headers = {"x-deduplication-header": f"key {number % 10}"}
        properties = pika.BasicProperties(delivery_mode=2, headers=headers)
        channel.basic_publish(name, "", b"%d" % number, properties, mandatory=True)
        channel.basic_publish("", f"{name}.u", b"%d" % number, properties, mandatory=True)
