"""The firehose: copies of what passes, while a virtual host is traced."""

from typing import Any

import pytest
from pamqp import commands

from tests.support.client import Client, Delivery, World

TRACE = "amq.rabbitmq.trace"


@pytest.fixture
def world() -> World:
    found = World()
    found.broker.vhosts["/"].trace(True)
    return found


@pytest.fixture
def tracer(world: World) -> Client:
    """Reads all copies."""
    client = world.connect().open()
    client.queue("traces")
    client.bind("traces", TRACE, "#")
    client.consume("traces", no_ack=True)
    return client


@pytest.fixture
def client(world: World, tracer: Client) -> Client:
    """Whose traffic it is; with a queue q."""
    found = world.connect().open()
    found.queue()
    return found


def keys(deliveries: list[Delivery]) -> list[str]:
    return [delivery.method.routing_key for delivery in deliveries]


def test_a_publish_and_its_delivery(client: Client, tracer: Client) -> None:
    """With all that was said of the message, and its body."""
    client.exchange("x", "topic")
    client.bind("q", "x", "a.#")
    client.publish(
        b"body",
        "a.b",
        "x",
        properties={
            "content_type": "text/plain",
            "headers": {"n": 1},
            "delivery_mode": 2,
            "message_type": "t",
        },
    )
    client.consume("q", no_ack=True)
    published, delivered = tracer.take()
    assert keys([published, delivered]) == ["publish.x", "deliver.q"]
    assert (published.body, delivered.body) == (b"body", b"body")
    described = {"content_type": "text/plain", "headers": {"n": 1}, "delivery_mode": 2, "type": "t"}
    common = {
        "exchange_name": "x",
        "routing_keys": ["a.b"],
        "properties": described,
        "vhost": "/",
        "connection": client.session.peer.name,
        "channel": 1,
        "user": "guest",
    }
    assert published.properties.headers == {**common, "routed_queues": ["q"]}
    assert delivered.properties.headers == {**common, "redelivered": 0}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (commands.Basic.Ack(1), ["ack.q"]),
        (commands.Basic.Ack(0, multiple=True), ["ack.q"]),
        (commands.Basic.Reject(1, requeue=False), ["reject.q"]),
        (commands.Basic.Nack(1, requeue=True), ["requeue.q", "deliver.q"]),
    ],
)
def test_what_becomes_of_a_delivery(client: Client, tracer: Client, method: Any, expected: list[str]) -> None:
    """RabbitMQ does not show that; there is no body."""
    client.consume("q")
    client.publish(b"body")
    tracer.take()
    client.send(1, method)
    copies = tracer.take()
    assert keys(copies) == expected
    assert copies[0].body == b""
    assert copies[0].properties.headers["routing_keys"] == ["q"]


def test_a_get(client: Client, tracer: Client) -> None:
    """Is a delivery too."""
    client.publish(b"body")
    client.get()
    assert keys(tracer.take()) == ["publish.", "deliver.q"]


def test_a_transaction_shows_when_it_is_committed(client: Client, tracer: Client) -> None:
    """And nothing of what was rolled back."""
    client.publish(b"first")
    client.call(1, commands.Tx.Select())
    client.get(no_ack=False)
    tracer.take()
    client.publish(b"dropped")
    client.call(1, commands.Tx.Rollback())
    client.publish(b"kept")
    client.ack(1)
    assert tracer.take() == []
    client.call(1, commands.Tx.Commit())
    assert keys(tracer.take()) == ["ack.q", "publish."]


def test_copies_are_not_copied(client: Client, tracer: Client) -> None:
    """A queue that has copies and is read by another connection."""
    client.queue("more")
    client.bind("more", TRACE, "publish.#")
    client.publish(b"body")
    tracer.take()
    client.consume("more", tag="m")
    assert len(client.take()) == 1
    client.ack(1)
    assert tracer.take() == []


def test_a_queue_that_has_copies_of_itself_comes_to_rest(client: Client) -> None:
    """Bounded, so that each publish there drops something."""
    client.queue("both", arguments={"x-max-length": 2})
    client.bind("both", TRACE, "#")
    client.consume("both", no_ack=True)
    client.publish(b"body", "both")
    assert client.bodies() == [b"body", b"body", b"body"]


def test_large_bodies_and_carbon_copies(client: Client, tracer: Client) -> None:
    """A body in many frames is whole; every key is named, blind ones are not."""
    body = bytes(3_000_000)
    client.publish(body, "q", properties={"headers": {"CC": ["also"], "BCC": ["blind"]}})
    (copy,) = tracer.take()
    assert copy.body == body
    assert copy.properties.headers["routing_keys"] == ["q", "also"]
    assert "BCC" not in copy.properties.headers["properties"]["headers"]


def test_long_names_are_cut(client: Client, tracer: Client) -> None:
    """A routing key has 255 octets."""
    name = "n" * 250
    client.queue(name)
    client.publish(b"", name)
    client.get(name)
    assert keys(tracer.take()) == ["publish.", f"deliver.{name}"[:255]]


def test_headers_that_cannot_be_told_are_left_out(client: Client, tracer: Client) -> None:
    """Too deep, or too long for one frame beside the rest; the copy comes."""
    deep: dict[str, Any] = {}
    for _ in range(62):
        deep = {"d": deep}
    for headers in (deep, {"long": "x" * 110_000}):
        client.publish(b"body", properties={"headers": headers})
        (copy,) = tracer.take()
        assert copy.body == b"body"
        assert "properties" not in copy.properties.headers


def test_untraced(world: World, client: Client, tracer: Client) -> None:
    """Nothing is copied, neither before nor after."""
    world.broker.vhosts["/"].trace(False)
    client.publish(b"body")
    client.get()
    assert tracer.take() == []
