"""Limits of virtual hosts and users, default types of queues, topic permissions: what clients are told.

The texts are those that RabbitMQ 3.10 gave, but for the right in front of "access to topic", which 4 adds.
"""

from typing import Any

import pytest
from pamqp import commands

from mambaamqp.access.permissions import Actor
from mambaamqp.broker import administration
from mambaamqp.broker.vhost import VirtualHost
from tests.support.client import Client, World


@pytest.fixture
def admin(world: World) -> Actor:
    user = world.access.users.get("guest")
    assert user is not None
    return world.access.actor(user, "/")


@pytest.fixture
def vhost(world: World) -> VirtualHost:
    return world.broker.vhosts["/"]


def refusal(client: Client) -> tuple[int, str]:
    """The connection.close that a client got."""
    (close,) = client.of(commands.Connection.Close)
    return close.reply_code, close.reply_text


def try_in(world: World) -> Client:
    client = Client(world)
    client.log_in()
    return client


def test_a_virtual_host_is_full(world: World, vhost: VirtualHost, admin: Actor) -> None:
    """530; who goes makes room, however it goes."""
    administration.set_vhost_limits(vhost, admin, {"max-connections": 2})
    first, second = world.connect(), world.connect()
    text = "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (2) is reached"
    assert refusal(try_in(world)) == (530, text)
    first.disconnect()
    third = world.connect().open()
    assert refusal(try_in(world)) == (530, text)
    second.call(0, commands.Connection.Close(200, "", 0, 0))
    world.connect().open()
    assert third.queue() is not None
    administration.clear_vhost_limits(vhost, admin)
    for _ in range(5):
        world.connect().open()


@pytest.mark.parametrize(("limit", "open_to"), [(0, 0), (-1, 3), (1, 1)])
def test_a_limit_may_be_none_or_nobody(
    world: World, vhost: VirtualHost, admin: Actor, limit: int, open_to: int
) -> None:
    """0 keeps everybody out; a negative one nobody."""
    administration.set_vhost_limits(vhost, admin, {"max-connections": limit})
    clients = [try_in(world) for _ in range(3)]
    assert sum(not client.of(commands.Connection.Close) for client in clients) == open_to


def test_a_user_has_enough_connections(world: World, admin: Actor) -> None:
    """530, in whichever virtual host."""
    administration.set_user_limits(world.broker, admin, "guest", {"max-connections": 1})
    world.connect()
    text = "NOT_ALLOWED - connection refused for user 'guest': user connection limit (1) is reached"
    assert refusal(try_in(world)) == (530, text)


def test_a_user_has_enough_channels(world: World, admin: Actor) -> None:
    """530, over all of its connections; channels that closed count no more, whoever closed them."""
    administration.set_user_limits(world.broker, admin, "guest", {"max-channels": 2})
    first, second = world.connect().open(1), world.connect().open(1)
    first.call(1, commands.Channel.Close(200, "", 0, 0))
    first.open(1)
    first.queue("nope", passive=True)
    first.send(1, commands.Channel.CloseOk())
    first.open(2)
    second.call(2, commands.Channel.Open())
    text = "number of channels opened for user 'guest' has reached the maximum allowed user limit of (2)"
    assert refusal(second) == (530, f"NOT_ALLOWED - {text}")
    assert world.broker.admission.channels_of_users == {"guest": 1}
    first.disconnect()
    assert world.broker.admission.channels_of_users == {}


def test_a_virtual_host_has_enough_queues(vhost: VirtualHost, admin: Actor, client: Client) -> None:
    """406; what is there may be declared again."""
    administration.set_vhost_limits(vhost, admin, {"max-queues": 1})
    client.queue("a")
    assert client.queue("a").name == "Queue.DeclareOk"
    close = client.queue("b")
    assert (close.reply_code, close.reply_text) == (
        406,
        "PRECONDITION_FAILED - cannot declare queue 'b': queue limit in vhost '/' (1) is reached",
    )


def test_limits_stand_after_a_restart(world: World, vhost: VirtualHost, admin: Actor) -> None:
    """As everything that is set."""
    administration.set_vhost_limits(vhost, admin, {"max-connections": 0})
    world.commit()
    assert refusal(try_in(world.restart()))[0] == 530


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"durable": True}, "quorum"),
        ({"durable": True, "arguments": {"x-queue-type": "undefined"}}, "quorum"),
        ({"durable": True, "arguments": {"x-queue-type": "classic"}}, "classic"),
        ({"durable": True, "exclusive": True}, "classic"),
        ({"durable": True, "auto_delete": True}, "classic"),
        ({"durable": False}, "classic"),
    ],
)
def test_a_virtual_host_has_a_default_type(
    world: World, admin: Actor, client: Client, options: dict[str, Any], kind: str
) -> None:
    """Of queues that can be of it; and the same declaration again is the same."""
    administration.set_vhost(world.broker, admin, "/", {"default_queue_type": "quorum"})
    for _ in range(2):
        assert client.queue("q", **options).name == "Queue.DeclareOk"
    assert world.broker.vhosts["/"].queues["q"].arguments.queue_type == kind


def test_a_new_virtual_host_can_be_opened(world: World, admin: Actor) -> None:
    """By whom it is permitted, also after a restart."""
    administration.set_vhost(world.broker, admin, "new", {"description": "for tests"})
    world.broker.parameters.put("user", "", "kim", {"password_hash": "", "tags": []})
    world.broker.parameters.put("permission", "new", "kim", {"configure": ".*", "write": "", "read": ""})
    world.commit()
    user = world.restart().access.users.get("kim")
    assert user is not None
    assert world.access.actor(user, "new").allowed("configure", "queue", "q")


TOPICS = {"amq.topic": {"write": "^{username}\\.", "read": "^{vhost}"}}


def test_topic_permissions_bound_publishes(vhost: VirtualHost, admin: Actor, client: Client) -> None:
    """403 for a key outside; other exchanges have none."""
    client.publish(b"", "other", "amq.topic")
    administration.set_topic_permissions(vhost, admin, "guest", TOPICS)
    client.publish(b"", "guest.a", "amq.topic")
    client.publish(b"", "other", "amq.direct")
    assert not client.of(commands.Channel.Close)
    client.publish(b"", "other", "amq.topic")
    (close,) = client.of(commands.Channel.Close)
    assert (close.reply_code, close.reply_text) == (
        403,
        "ACCESS_REFUSED - write access to topic 'other' in exchange 'amq.topic' in vhost '/' "
        "refused for user 'guest'",
    )


def test_topic_permissions_bound_carbon_copies(vhost: VirtualHost, admin: Actor, client: Client) -> None:
    """CC and BCC are routing keys too."""
    administration.set_topic_permissions(vhost, admin, "guest", TOPICS)
    client.publish(b"", "guest.a", "amq.topic", properties={"headers": {"BCC": ["other"]}})
    (close,) = client.of(commands.Channel.Close)
    assert "access to topic 'other'" in close.reply_text


def test_topic_permissions_bound_bindings(vhost: VirtualHost, admin: Actor, client: Client) -> None:
    """403 for a key outside; lifted, all are open again."""
    administration.set_topic_permissions(vhost, admin, "guest", TOPICS)
    client.queue()
    assert client.bind("q", "amq.topic", "/.a").name == "Queue.BindOk"
    close = client.bind("q", "amq.topic", "x")
    assert (close.reply_code, close.reply_text) == (
        403,
        "ACCESS_REFUSED - read access to topic 'x' in exchange 'amq.topic' in vhost '/' "
        "refused for user 'guest'",
    )
    client.send(1, commands.Channel.CloseOk())
    client.open()
    administration.set_topic_permissions(vhost, admin, "guest", {})
    assert client.bind("q", "amq.topic", "x").name == "Queue.BindOk"
