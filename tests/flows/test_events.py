"""The exchange of events: what a listener learns of what others do."""

from typing import Any

import pytest
from pamqp import commands

from mambaamqp.access.permissions import Actor
from mambaamqp.broker import administration
from tests.support.client import Client, Delivery, World

EVENT = "amq.rabbitmq.event"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def listener(world: World) -> Client:
    """Bound to all events, with nothing to read yet."""
    client = world.connect().open()
    client.queue("events", durable=True)
    client.bind("events", EVENT, "#")
    client.consume("events", no_ack=True)
    client.take()
    return client


def told(listener: Client) -> list[tuple[str, dict[str, Any]]]:
    """(routing key, headers) of what has come since."""
    return [(delivery.method.routing_key, delivery.properties.headers) for delivery in listener.take()]


def kinds(listener: Client) -> list[str]:
    return [kind for kind, _ in told(listener)]


def admin(world: World) -> Actor:
    user = world.access.users.get("guest")
    assert user is not None
    return world.access.actor(user, "/")


def test_an_event_is_a_message_without_a_body(world: World, listener: Client) -> None:
    """Persistent, with a time; who did it stands in the headers."""
    other = world.connect().open()
    listener.take()
    other.queue("q", durable=True, arguments={"x-max-length": 5})
    (delivery,) = listener.take()
    assert isinstance(delivery, Delivery)
    assert (delivery.method.exchange, delivery.method.routing_key) == (EVENT, "queue.created")
    assert (delivery.body, delivery.properties.delivery_mode) == (b"", 2)
    headers = delivery.properties.headers
    assert int(delivery.properties.timestamp.timestamp()) == headers.pop("timestamp_in_ms") // 1000
    assert headers == {
        "name": "q",
        "vhost": "/",
        "type": "classic",
        "durable": True,
        "auto_delete": False,
        "exclusive": False,
        "arguments": {"x-max-length": 5},
        "user_who_performed_action": "guest",
    }


def test_a_connection_from_its_login_to_its_end(world: World, listener: Client) -> None:
    """With its channel, its consumer and its exclusive queue."""
    other = world.connect().open()
    other.queue("mine", exclusive=True)
    other.consume("mine", tag="c")
    assert kinds(listener) == [
        "user.authentication.success",
        "connection.created",
        "channel.created",
        "queue.created",
        "consumer.created",
    ]
    other.disconnect()
    found = told(listener)
    assert [kind for kind, _ in found] == [
        "connection.closed",
        "consumer.deleted",
        "channel.closed",
        "queue.deleted",
    ]
    headers = dict(found)
    assert headers["consumer.deleted"]["consumer_tag"] == "c"
    assert headers["connection.closed"]["name"] == other.session.peer.name


def test_a_failed_login_names_who_was_claimed(world: World, listener: Client) -> None:
    """And nothing of the password."""
    Client(world).log_in(user="mallory", password="secret")
    ((kind, headers),) = told(listener)
    assert kind == "user.authentication.failure"
    assert (headers["name"], headers["auth_mechanism"]) == ("mallory", "PLAIN")
    assert "secret" not in str(headers)


def test_topology(world: World, listener: Client) -> None:
    """Exchanges and bindings, also those that go with something else."""
    listener.queue("q")
    listener.exchange("x", auto_delete=True)
    listener.bind("q", "x", "k", arguments={"a": 1})
    assert kinds(listener) == ["queue.created", "exchange.created", "binding.created"]
    listener.call(1, commands.Queue.Delete(queue="q"))
    found = told(listener)
    assert [kind for kind, _ in found] == ["queue.deleted", "binding.deleted", "exchange.deleted"]
    binding = found[1][1]
    assert (binding["source_name"], binding["destination_name"]) == ("x", "q")
    assert (binding["destination_kind"], binding["routing_key"]) == ("queue", "k")
    assert binding["arguments"] == {"a": 1}


def test_a_binding_taken_off(listener: Client) -> None:
    """Once, and not when there was none."""
    listener.queue("q")
    listener.bind("q", "amq.direct", "k")
    listener.take()
    for _ in range(2):
        listener.call(1, commands.Queue.Unbind(queue="q", exchange="amq.direct", routing_key="k"))
    assert kinds(listener) == ["binding.deleted"]


def test_what_nobody_did(world: World, listener: Client) -> None:
    """A queue that expires goes by itself."""
    listener.queue("q", arguments={"x-expires": 1000})
    listener.take()
    world.advance(2)
    ((kind, headers),) = told(listener)
    assert kind == "queue.deleted"
    assert headers["user_who_performed_action"] == "rmq-internal"


def test_what_administrators_set(world: World, listener: Client) -> None:
    """Policies, limits, virtual hosts."""
    vhost, actor = world.broker.vhosts["/"], admin(world)
    administration.set_policy(vhost, actor, "p", {"pattern": "", "definition": {"max-length": 5}})
    administration.clear_policy(vhost, actor, "p")
    administration.set_vhost_limits(vhost, actor, {"max-queues": 50})
    administration.set_vhost(world.broker, actor, "other", {"description": "another"})
    administration.set_topic_permissions(vhost, actor, "guest", {"x": {"write": "", "read": ""}})
    world.settle()
    found = [event for event in told(listener) if event[0] != "exchange.created"]
    assert [kind for kind, _ in found] == [
        "policy.set",
        "policy.cleared",
        "vhost.limits.set",
        "vhost.created",
        "topic.permission.created",
    ]
    assert found[0][1]["arguments"]["definition"] == {"max-length": 5}


def test_no_secret_is_told(world: World, listener: Client) -> None:
    """Not even a hash."""
    world.broker.parameters.put("user", "", "kim", {"password_hash": "", "tags": ["management"]})
    world.settle()
    ((kind, headers),) = told(listener)
    assert (kind, headers["arguments"]) == ("user.created", {"tags": ["management"]})


def test_alarms(world: World, listener: Client) -> None:
    """Each once."""
    world.broker.set_alarm(True, False, world.now)
    world.broker.set_alarm(True, True, world.now)
    world.broker.set_alarm(False, True, world.now)
    world.settle()
    assert [(kind, headers["source"]) for kind, headers in told(listener)] == [
        ("alarm.set", "memory"),
        ("alarm.set", "disk"),
        ("alarm.cleared", "memory"),
    ]


def test_a_start_is_no_news(world: World, listener: Client) -> None:
    """What comes back with a restart was there; what waited to be read is still there."""
    listener.queue("q", durable=True)
    listener.take()
    listener.disconnect()
    before = world.broker.vhosts["/"].queues["events"].ready.count
    world = world.restart(clean=False)
    assert world.broker.vhosts["/"].queues["events"].ready.count == before > 0


def test_an_argument_too_deep_to_be_told_is_left_out(listener: Client) -> None:
    """The event comes all the same."""
    deep: dict[str, Any] = {}
    for _ in range(62):
        deep = {"d": deep}
    listener.queue("q", arguments={"deep": deep})
    ((kind, headers),) = told(listener)
    assert (kind, headers["name"]) == ("queue.created", "q")
    assert "arguments" not in headers


def test_it_is_for_the_broker_alone_to_publish(listener: Client) -> None:
    """And stands in the virtual host "/" only."""
    listener.publish(b"", "queue.created", EVENT)
    (close,) = listener.of(commands.Channel.Close)
    assert close.reply_code == 403
    assert EVENT not in listener.world.broker.put_vhost("other").exchanges


def test_answers_and_delays_have_no_queues_to_tell_of(listener: Client) -> None:
    """What is behind direct reply-to and delayed messages is nobody's business."""
    listener.consume("amq.rabbitmq.reply-to", tag="r", no_ack=True)
    listener.exchange("later", "x-delayed-message", arguments={"x-delayed-type": "direct"})
    assert kinds(listener) == ["exchange.created"]
