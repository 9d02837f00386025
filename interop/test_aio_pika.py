"""aio-pika: asyncio users, robust connections among them."""

import asyncio
from collections.abc import Awaitable, Callable

import aio_pika
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError

from interop.broker import BrokerProcess
from interop.conftest import own_broker_only

SECONDS = 30


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in a loop of its own, bounded in time."""
    asyncio.run(asyncio.wait_for(scenario(), SECONDS))


def test_publish_consume_acknowledge(broker: BrokerProcess, name: str) -> None:
    """Publish with confirms, iterate the queue, acknowledge each."""

    async def scenario() -> None:
        async with await aio_pika.connect_robust(broker.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(name, durable=True)
            for number in range(100):
                message = aio_pika.Message(b"%d" % number, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await channel.default_exchange.publish(message, name)
            got = []
            async with queue.iterator() as messages:
                async for message in messages:
                    async with message.process():
                        got.append(message.body)
                    if len(got) == 100:
                        break
            assert got == [b"%d" % number for number in range(100)]

    run(scenario)


def test_exchange_topology_and_headers(broker: BrokerProcess, name: str) -> None:
    """A topic exchange with bindings; headers of several types arrive as sent."""

    async def scenario() -> None:
        async with await aio_pika.connect(broker.url) as connection:
            channel = await connection.channel()
            exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, auto_delete=True)
            queue = await channel.declare_queue("", exclusive=True)
            await queue.bind(exchange, "orders.#")
            headers = {"amount": 12, "currency": "EUR", "live": True, "legs": [1, 2], "more": {"a": "b"}}
            await exchange.publish(aio_pika.Message(b"order", headers=headers), "orders.eu.new")
            await exchange.publish(aio_pika.Message(b"other"), "trades.eu")
            message = await queue.get(timeout=5)
            await message.ack()
            assert message.body == b"order"
            assert message.headers == headers
            assert await queue.get(fail=False) is None

    run(scenario)


def test_unroutable_and_missing(broker: BrokerProcess, name: str) -> None:
    """A mandatory message without a way comes back; a missing queue is 404 for its channel only."""

    async def scenario() -> None:
        async with await aio_pika.connect(broker.url) as connection:
            channel = await connection.channel(on_return_raises=True)
            with pytest.raises(DeliveryError):
                await channel.default_exchange.publish(
                    aio_pika.Message(b"x"), name + ".nowhere", mandatory=True
                )
            with pytest.raises(ChannelNotFoundEntity):
                await (await connection.channel()).declare_queue(name + ".nowhere", passive=True)
            assert (await connection.channel()).is_initialized

    run(scenario)


def test_transaction(broker: BrokerProcess, name: str) -> None:
    """A transaction shows its messages at the commit, and not after a rollback."""

    async def scenario() -> None:
        async with await aio_pika.connect(broker.url) as connection:
            channel = await connection.channel(publisher_confirms=False)
            queue = await channel.declare_queue(name, auto_delete=True)
            async with channel.transaction():
                await channel.default_exchange.publish(aio_pika.Message(b"in"), name)
            transaction = channel.transaction()
            await transaction.select()
            await channel.default_exchange.publish(aio_pika.Message(b"out"), name)
            await transaction.rollback()
            assert (await queue.get(no_ack=True)).body == b"in"
            assert await queue.get(fail=False) is None

    run(scenario)


def test_many_publishers_at_once(broker: BrokerProcess, name: str) -> None:
    """A thousand concurrent confirmed publishes all arrive, once each."""

    async def scenario() -> None:
        async with await aio_pika.connect(broker.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(name, durable=True)
            publish = channel.default_exchange.publish
            messages = [aio_pika.Message(b"%d" % n, delivery_mode=2) for n in range(1000)]
            await asyncio.gather(*[publish(message, name) for message in messages])
            got = [(await queue.get(no_ack=True)).body for _ in range(1000)]
            assert sorted(got) == sorted(message.body for message in messages)

    run(scenario)


def test_robust_connection_comes_back(broker: BrokerProcess, name: str) -> None:
    """After a restart of the broker a robust connection consumes on."""
    own_broker_only(broker)

    async def scenario() -> None:
        connection = await aio_pika.connect_robust(broker.url, reconnect_interval=0.2)
        channel = await connection.channel()
        queue = await channel.declare_queue(name, durable=True)
        got: asyncio.Queue[bytes] = asyncio.Queue()

        async def on_message(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            async with message.process():
                await got.put(message.body)

        await queue.consume(on_message)
        await channel.default_exchange.publish(aio_pika.Message(b"before", delivery_mode=2), name)
        assert await got.get() == b"before"
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.start)
        await connection.connected.wait()
        other = await aio_pika.connect(broker.url)
        await (await other.channel()).default_exchange.publish(aio_pika.Message(b"after"), name)
        assert await got.get() == b"after"
        await other.close()
        await connection.close()

    run(scenario)
