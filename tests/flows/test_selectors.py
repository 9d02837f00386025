"""x-jms-topic as clients see it: what RabbitMQ's JMS client declares for topics with selectors."""

from typing import Any

import pytest
from pamqp import commands

from mambaamqp.broker.definitions import Import, exported
from tests.broker.selectors import terms
from tests.support import expect
from tests.support.client import Client, World

KIND = "x-jms-topic"
BLUE = {"rjms_erlang_selector": terms.text(("=", ("ident", "colour"), "blue")), "rjms_version": "3.0"}


@pytest.fixture
def subscribed(client: Client) -> Client:
    """The topic exchange in front, the selector exchange bound to it, the queue `q` behind it."""
    client.exchange("front", "topic", durable=True)
    client.exchange("choice", KIND, durable=True, auto_delete=True, arguments={"rjms_version": "3.0"})
    client.queue("q", durable=True)
    client.call(1, commands.Exchange.Bind(destination="choice", source="front", routing_key="news"))
    client.bind("q", "choice", "news", arguments=BLUE)
    return client


def send(client: Client, body: bytes, exchange: str = "front", key: str = "news", **headers: Any) -> None:
    client.publish(body, key, exchange, properties={"headers": headers, "delivery_mode": 2})


def test_a_subscriber_gets_what_it_selects(subscribed: Client) -> None:
    """Of its topic alone, though a session has one exchange for all its topics."""
    send(subscribed, b"1", colour="blue")
    send(subscribed, b"2", colour="red")
    send(subscribed, b"3")
    send(subscribed, b"4", "choice", "other", colour="blue")
    send(subscribed, b"5", colour="blue")
    assert subscribed.bodies_in("q") == [b"1", b"5"]


def test_it_is_recovered(world: World, subscribed: Client) -> None:
    """Bindings and selectors, after a death."""
    client = world.restart(clean=False).connect().open()
    send(client, b"1", colour="blue")
    send(client, b"2", colour="red")
    assert client.bodies_in("q") == [b"1"]


def test_unbinding_takes_the_same_arguments(subscribed: Client) -> None:
    """And the exchange goes with its last binding, as it was declared."""
    unbind = commands.Queue.Unbind(queue="q", exchange="choice", routing_key="news", arguments=BLUE)
    assert isinstance(subscribed.call(1, unbind), commands.Queue.UnbindOk)
    assert "choice" not in subscribed.world.broker.vhosts["/"].exchanges


def test_what_nobody_selects_goes_to_the_alternate(client: Client) -> None:
    """Or back to the publisher who asked for that."""
    client.exchange("lost", "fanout")
    client.queue("found")
    client.bind("found", "lost")
    client.exchange("choice", KIND, arguments={"alternate-exchange": "lost"})
    client.queue("q")
    client.bind("q", "choice", "news", arguments=BLUE)
    send(client, b"blue", "choice", colour="blue")
    send(client, b"red", "choice", colour="red")
    assert (client.bodies_in("q"), client.bodies_in("found")) == ([b"blue"], [b"red"])
    client.exchange("strict", KIND)
    client.publish(b"x", "news", "strict", mandatory=True)
    assert [found.method.reply_code for found in client.take()] == [312]


def test_a_bad_selector_closes_the_channel_only(client: Client) -> None:
    """406, and there is no binding."""
    client.exchange("choice", KIND)
    client.queue("q")
    answer = client.bind("q", "choice", "news", arguments={"rjms_erlang_selector": "{'foo',1}."})
    text = "PRECONDITION_FAILED - invalid JMS selector pattern: there is no operator 'foo' with 1 operands"
    expect.channel_closed(answer, 406, text, commands.Queue.Bind)
    assert not client.world.broker.vhosts["/"].exchanges["choice"].is_bound


def test_another_version_of_the_client_declares_the_same(client: Client) -> None:
    """`rjms_version` is no difference."""
    client.exchange("choice", KIND, arguments={"rjms_version": "2.13.0"})
    answer = client.exchange("choice", KIND, arguments={"rjms_version": "3.7.0"})
    assert isinstance(answer, commands.Exchange.DeclareOk)


def test_a_delay_before_the_selection(world: World, client: Client) -> None:
    """x-delayed-message decides as this type when the delay is over."""
    client.exchange("later", "x-delayed-message", arguments={"x-delayed-type": KIND})
    client.queue("q")
    client.bind("q", "later", "news", arguments=BLUE)
    send(client, b"blue", "later", colour="blue", **{"x-delay": 1000})
    send(client, b"red", "later", colour="red", **{"x-delay": 1000})
    assert client.count("q") == 0
    world.advance(1)
    assert client.bodies_in("q") == [b"blue"]


def moved(client: Client, selector: str | None = None) -> tuple[list[str], World]:
    """The topology of a client's broker in another one, and what was told of it."""
    document = exported(client.world.broker, "4.2.0")
    for binding in document["bindings"]:
        if selector is not None and binding["source"] == "choice":
            binding["arguments"]["rjms_erlang_selector"] = selector
    world = World()
    names = ("exchanges", "queues", "bindings")
    return Import(world.broker).take({name: document[name] for name in names}), world


def test_definitions_keep_it(subscribed: Client) -> None:
    """Out of one broker and into another."""
    told, world = moved(subscribed)
    assert told == []
    client = world.connect().open()
    send(client, b"1", colour="blue")
    send(client, b"2", colour="red")
    assert client.bodies_in("q") == [b"1"]


def test_a_bad_selector_in_definitions_is_told(subscribed: Client) -> None:
    """And everything else is taken over."""
    told, world = moved(subscribed, "colour")
    assert len(told) == 1
    assert "invalid JMS selector pattern: the end at 6 where '.' should be" in told[0]
    assert [binding.routing_key for binding in world.broker.vhosts["/"].exchanges["front"].bindings] == [
        "news"
    ]
