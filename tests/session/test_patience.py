"""mambaamqp/session/patience.py: deliveries that nobody acknowledges, in time and too late."""

from typing import Any

import pytest
from pamqp import commands

from tests.support.client import Client, World

TIMEOUT_MS = 16_000
TEXT = (
    "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 16000 ms."
    " This timeout value can be configured, see consumers doc guide to learn more"
)


def pass_seconds(world: World, seconds: int) -> None:
    """Second by second, so that everybody is ticked when it is due."""
    for _ in range(seconds):
        world.advance(1)


def busy(world: World, *, queue: Any = None, consumer: Any = None, **login: Any) -> Client:
    """A client that holds two messages of queue `q`."""
    client = world.connect(**login).open()
    client.queue("q", arguments=queue or {})
    client.publish(b"a")
    client.publish(b"b")
    client.consume("q", arguments=consumer or {})
    assert [delivery.body for delivery in client.deliveries] == [b"a", b"b"]
    return client


def waiting(world: World) -> int:
    return world.broker.vhosts["/"].queues["q"].ready.count


def last(client: Client) -> Any:
    return client.received[-1][1]


@pytest.mark.parametrize("where", ["queue", "consumer"])
def test_a_silent_consumer_is_cancelled(where: str) -> None:
    """Not before its time; what it held is back, uncounted and marked as redelivered."""
    world = World()
    client = busy(world, **{where: {"x-consumer-timeout": TIMEOUT_MS}})

    pass_seconds(world, 16)
    assert waiting(world) == 0
    pass_seconds(world, 2)

    assert isinstance(last(client), commands.Basic.Cancel)
    assert last(client).consumer_tag == "c"
    entries = world.broker.vhosts["/"].queues["q"].ready.entries()
    assert [(entry.message.body(), entry.redelivered, entry.delivery_count) for entry in entries] == [
        (b"a", True, 0),
        (b"b", True, 0),
    ]


def test_an_acknowledgement_that_comes_too_late_is_passed_over() -> None:
    """The channel goes on; a tag that was never given out is still an error."""
    world = World()
    client = busy(world, queue={"x-consumer-timeout": TIMEOUT_MS})
    pass_seconds(world, 18)

    assert client.ack(1) is None
    assert client.nack(2) is None
    assert client.ack(2, multiple=True) is None
    assert waiting(world) == 2
    assert client.ack(3).reply_text == "PRECONDITION_FAILED - unknown delivery tag 3"


def test_a_client_that_does_not_understand_loses_its_channel() -> None:
    """406 with RabbitMQ's text."""
    world = World()
    client = busy(world, queue={"x-consumer-timeout": TIMEOUT_MS}, capabilities={})

    pass_seconds(world, 18)

    assert isinstance(last(client), commands.Channel.Close)
    assert (last(client).reply_code, last(client).reply_text) == (406, TEXT)
    assert waiting(world) == 2


def test_a_message_that_was_got_has_nobody_to_be_cancelled() -> None:
    """basic.get: the channel is closed."""
    world = World()
    client = world.connect().open()
    client.queue("q", arguments={"x-consumer-timeout": TIMEOUT_MS})
    client.publish(b"a")
    client.send(1, commands.Basic.Get(queue="q"))

    pass_seconds(world, 18)

    assert last(client).reply_text == TEXT
    assert waiting(world) == 1


def test_a_consumer_that_acknowledges_stays() -> None:
    """Each delivery has a time of its own; other consumers of the channel are left alone too."""
    world = World()
    client = busy(world, queue={"x-consumer-timeout": TIMEOUT_MS})
    client.queue("other")
    client.publish(b"o", "other")
    client.consume("other", "d")
    for tag in range(4, 9):
        pass_seconds(world, 10)
        client.ack(2 if tag == 4 else tag - 1, multiple=tag == 4)
        client.publish(b"x")
    assert not [value for _, value in client.received if isinstance(value, commands.Basic.Cancel)]

    pass_seconds(world, 18)

    assert last(client).consumer_tag == "c"
    assert list(client.session.channels[1].consumers) == ["d"]


def test_without_a_limit_nobody_is_cancelled() -> None:
    """0 of a consumer goes before the queue's and the broker's."""
    world = World(consumer_timeout_seconds=10)
    client = busy(world, queue={"x-consumer-timeout": TIMEOUT_MS}, consumer={"x-consumer-timeout": 0})

    for _ in range(10):
        world.advance(1000)

    assert not [value for _, value in client.received if isinstance(value, commands.Basic.Cancel)]


def test_the_broker_has_a_timeout_of_its_own() -> None:
    """For queues that say nothing."""
    world = World(consumer_timeout_seconds=10)
    client = busy(world)

    pass_seconds(world, 12)

    assert isinstance(last(client), commands.Basic.Cancel)


def test_nothing_is_looked_for_where_nobody_acknowledges() -> None:
    """A connection that only publishes, or consumes without acknowledgement, has no such deadline."""
    world = World()
    client = world.connect().open()
    client.queue("q")
    client.consume("q", no_ack=True)
    client.publish(b"a")

    assert client.session.deadline == float("inf")
