"""Dead letters: why they died, what is written on them, and where they go."""

from typing import Any

import pytest
from pamqp import commands

from mambaamqp.wire import properties
from mambaamqp.wire.table import Table
from tests.support.client import Client, Delivery, World, publish_octets

PERSISTENT = {"delivery_mode": 2}
BOTH = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}


def declare(client: Client, name: str = "q", **arguments: Any) -> None:
    """A queue that sends its dead to the queue `dead`; underscores stand for dashes."""
    given = {key.replace("_", "-"): value for key, value in arguments.items()}
    client.queue(name, arguments={**BOTH, **given})


@pytest.fixture
def grave(client: Client) -> Client:
    """With the queue dead."""
    client.queue("dead")
    return client


def the_dead(client: Client, queue: str = "dead") -> Delivery:
    delivery = client.get(queue)
    assert delivery is not None
    return delivery


def kill(client: Client, queue: str = "q") -> None:
    """Get and reject."""
    delivery = client.get(queue, no_ack=False)
    assert delivery is not None
    client.reject(delivery.method.delivery_tag, requeue=False)


def deaths(delivery: Delivery) -> list[tuple[str, str, int]]:
    return [
        (death["queue"], death["reason"], death["count"]) for death in delivery.properties.headers["x-death"]
    ]


# Reasons


@pytest.mark.parametrize("how", ["reject", "nack"])
def test_rejected(grave: Client, how: str) -> None:
    """Body, properties and delivery mode stay; exchange and key are the new ones."""
    declare(grave)
    grave.publish(b"m", properties={"message_id": "id", "delivery_mode": 2, "headers": {"mine": 1}})
    grave.get(no_ack=False)
    if how == "reject":
        grave.reject(1, requeue=False)
    else:
        grave.nack(1, requeue=False)
    delivery = the_dead(grave)

    assert delivery.body == b"m"
    assert (delivery.properties.message_id, delivery.properties.delivery_mode) == ("id", 2)
    assert (delivery.method.exchange, delivery.method.routing_key) == ("", "dead")
    assert not delivery.method.redelivered
    assert delivery.properties.headers["mine"] == 1
    assert deaths(delivery) == [("q", "rejected", 1)]


def test_requeued_is_not_rejected(grave: Client) -> None:
    """It lives."""
    declare(grave)
    grave.publish(b"m")
    grave.get(no_ack=False)
    grave.nack(1, requeue=True)

    assert grave.count("dead") == 0


def test_expired(world: World, grave: Client) -> None:
    """By the queue's time or its own; the message's own expiration is taken off, or it would die again."""
    declare(grave, x_message_ttl=1000)
    grave.publish(b"m", properties={"expiration": "500"})
    world.advance(0.5)
    delivery = the_dead(grave)

    [death] = delivery.properties.headers["x-death"]
    assert (death["reason"], death["original-expiration"]) == ("expired", "500")
    assert delivery.properties.expiration is None


def test_expired_by_the_queue_alone_has_no_original_expiration(world: World, grave: Client) -> None:
    """There was none."""
    declare(grave, x_message_ttl=1000)
    grave.publish(b"m")
    world.advance(1)

    [death] = the_dead(grave).properties.headers["x-death"]
    assert "original-expiration" not in death


def test_maxlen(grave: Client) -> None:
    """What a length limit drops."""
    declare(grave, x_max_length=1)
    grave.publish(b"old")
    grave.publish(b"new")
    delivery = the_dead(grave)

    assert delivery.body == b"old"
    assert deaths(delivery) == [("q", "maxlen", 1)]


def test_maxlen_of_the_newest(grave: Client) -> None:
    """reject-publish-dlx: refused, nacked, and dead."""
    declare(grave, x_max_length=1, x_overflow="reject-publish-dlx")
    grave.confirm()
    grave.publish(b"old")
    grave.publish(b"new")

    assert the_dead(grave).body == b"new"
    assert [nack.delivery_tag for nack in grave.of(commands.Basic.Nack)] == [2]


def test_reject_publish_alone_leaves_nothing(grave: Client) -> None:
    """The publisher has been told."""
    declare(grave, x_max_length=1, x_overflow="reject-publish")
    grave.publish(b"old")
    grave.publish(b"new")

    assert grave.count("dead") == 0


def test_delivery_limit(grave: Client) -> None:
    """Came back too often."""
    arguments = {**BOTH, "x-queue-type": "quorum", "x-delivery-limit": 1}
    grave.queue("q", durable=True, arguments=arguments)
    grave.publish(b"m")
    for tag in (1, 2):
        grave.get(no_ack=False)
        grave.reject(tag)

    assert deaths(the_dead(grave)) == [("q", "delivery_limit", 1)]


def test_purged_deleted_and_acknowledged_messages_are_not_dead_letters(grave: Client) -> None:
    """Somebody wanted them gone."""
    declare(grave)
    for _ in range(3):
        grave.publish(b"m")
    grave.get(no_ack=False)
    grave.ack(1)
    grave.call(1, commands.Queue.Purge(queue="q"))
    grave.publish(b"m")
    grave.call(1, commands.Queue.Delete(queue="q"))

    assert grave.count("dead") == 0


# What is written on it


def test_the_history_is_written_as_rabbitmq_does(grave: Client) -> None:
    """Type by type and key by key, in its order."""
    declare(grave)
    grave.exchange("x", "fanout")
    grave.bind("q", "x")
    grave.publish(b"m", "k", "x", properties={"expiration": "60000"})
    kill(grave)
    headers = the_dead(grave).properties.headers

    [death] = headers["x-death"]
    assert list(death) == [
        "original-expiration",
        "count",
        "reason",
        "queue",
        "time",
        "exchange",
        "routing-keys",
    ]
    assert death["routing-keys"] == ["k"]
    assert death["exchange"] == "x"
    assert death["time"].timestamp() == 1_700_000_000
    assert {name: value for name, value in headers.items() if name != "x-death"} == {
        "x-first-death-reason": "rejected",
        "x-first-death-queue": "q",
        "x-first-death-exchange": "x",
        "x-last-death-reason": "rejected",
        "x-last-death-queue": "q",
        "x-last-death-exchange": "x",
    }


def test_the_count_is_a_long(world: World, grave: Client) -> None:
    """Java casts it without asking."""
    declare(grave)
    grave.publish(b"m")
    kill(grave)
    entry = world.broker.vhosts["/"].queues["dead"].ready.peek()
    assert entry is not None
    headers = properties.get(entry.message.header(), "headers")

    assert isinstance(headers, Table)
    assert headers.code("x-death") == "A"
    assert b"\x05countl\x00\x00\x00\x00\x00\x00\x00\x01" in headers.raw


def test_the_same_death_again_is_counted(world: World, grave: Client) -> None:
    """A retry loop through a waiting room: latest death first, the first one's time kept."""
    grave.queue("work", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "wait"})
    grave.queue(
        "wait",
        arguments={
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "work",
            "x-message-ttl": 1000,
        },
    )
    grave.publish(b"m", "work")
    for _ in range(3):
        kill(grave, "work")
        world.advance(1)
    delivery = the_dead(grave, "work")

    assert deaths(delivery) == [("wait", "expired", 3), ("work", "rejected", 3)]
    headers = delivery.properties.headers
    assert (headers["x-first-death-queue"], headers["x-first-death-reason"]) == ("work", "rejected")
    assert (headers["x-last-death-queue"], headers["x-last-death-reason"]) == ("wait", "expired")
    assert headers["x-death"][1]["time"].timestamp() == 1_700_000_000


def test_a_clients_own_history_means_nothing(grave: Client) -> None:
    """It is replaced by the broker's (RabbitMQ since 4.0)."""
    declare(grave)
    fake = {"x-death": [{"queue": "q", "reason": "rejected", "count": 41}], "x-first-death-queue": "fake"}
    grave.publish(b"m", properties={"headers": fake})
    kill(grave)
    delivery = the_dead(grave)

    assert deaths(delivery) == [("q", "rejected", 1)]
    assert delivery.properties.headers["x-first-death-queue"] == "q"


def test_a_history_survives_a_restart(world: World, client: Client) -> None:
    """The broker's own is known to be its own."""
    client.queue(
        "dead", durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"}
    )
    client.queue("q", durable=True, arguments=BOTH)
    client.publish(b"m", properties=PERSISTENT)
    kill(client)
    client = world.restart(clean=False).connect().open()
    kill(client, "dead")
    kill(client)

    assert deaths(the_dead(client)) == [("q", "rejected", 2), ("dead", "rejected", 1)]


# Where it goes


def test_without_a_key_of_its_own_the_old_keys_are_used(grave: Client) -> None:
    """CC included, BCC never seen."""
    grave.exchange("dlx", "direct")
    grave.queue("q", arguments={"x-dead-letter-exchange": "dlx"})
    for name, key in (("dead", "q"), ("a", "cc"), ("b", "bcc")):
        grave.queue(name)
        grave.bind(name, "dlx", key)
    grave.publish(b"m", "q", properties={"headers": {"CC": ["cc"], "BCC": ["bcc"]}})
    kill(grave)

    assert grave.count("b") == 0
    for name in ("dead", "a"):
        delivery = the_dead(grave, name)
        assert delivery.method.routing_key == "q"
        assert delivery.properties.headers["x-death"][0]["routing-keys"] == ["q", "cc"]


def test_with_a_key_of_its_own_cc_is_ignored(grave: Client) -> None:
    """Only the new key counts."""
    grave.exchange("dlx", "direct")
    grave.queue("q", arguments={"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "new"})
    grave.queue("a")
    grave.bind("dead", "dlx", "new")
    grave.bind("a", "dlx", "cc")
    grave.publish(b"m", "q", properties={"headers": {"CC": ["cc"]}})
    kill(grave)

    assert the_dead(grave).method.routing_key == "new"
    assert grave.count("a") == 0


def test_a_missing_exchange_drops_it_silently(grave: Client) -> None:
    """And one that is declared later takes the later ones."""
    grave.queue("q", arguments={"x-dead-letter-exchange": "later"})
    grave.publish(b"1")
    kill(grave)
    grave.exchange("later", "fanout")
    grave.bind("dead", "later")
    grave.publish(b"2")
    kill(grave)

    assert grave.bodies_in("dead") == [b"2"]


def test_it_may_go_to_several_queues_and_through_a_headers_exchange(grave: Client) -> None:
    """The dead-letter exchange is an exchange like any other; it may look at the history."""
    grave.queue("q", arguments={"x-dead-letter-exchange": "amq.headers"})
    for name in ("dead", "a"):
        grave.queue(name)
        grave.bind(
            name, "amq.headers", arguments={"x-match": "all-with-x", "x-first-death-reason": "rejected"}
        )
    grave.publish(b"m")
    kill(grave)

    assert grave.bodies_in("dead") == grave.bodies_in("a") == [b"m"]


def test_many_dead_keep_their_order(world: World, grave: Client) -> None:
    """Expired together, rejected together, dropped together."""
    declare(grave, x_message_ttl=1000)
    grave.feed(b"".join(publish_octets(b"%d" % place) for place in range(500)))
    world.advance(1)

    assert grave.bodies_in("dead") == [b"%d" % place for place in range(500)]


# Circles


def test_a_queue_that_is_its_own_grave_drops_what_expires(world: World, client: Client) -> None:
    """Without a rejection in between it would circle for ever."""
    client.queue("q", arguments={"x-dead-letter-exchange": "", "x-message-ttl": 100})
    client.publish(b"m")
    world.advance(10)

    assert client.count("q") == 0


def test_a_circle_of_expiries_ends(world: World, client: Client) -> None:
    """At the second visit."""
    for name, other in (("a", "b"), ("b", "a")):
        client.queue(
            name,
            arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": other,
                "x-message-ttl": 1000,
            },
        )
    client.publish(b"m", "a")
    world.advance(1)
    assert client.count("b") == 1
    world.advance(1)

    assert client.count("a") == client.count("b") == 0


def test_a_full_circle_within_one_batch_ends(client: Client) -> None:
    """Two queues of length 0 that send to each other."""
    for name, other in (("a", "b"), ("b", "a")):
        client.queue(
            name,
            arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": other, "x-max-length": 0},
        )
    client.publish(b"m", "a")

    assert client.count("a") == client.count("b") == 0


def test_a_rejection_lets_it_go_round_again(client: Client) -> None:
    """Somebody has seen it: a deliberate retry."""
    client.queue("q", arguments={"x-dead-letter-exchange": ""})
    client.publish(b"m")
    for _ in range(5):
        kill(client)

    assert deaths(the_dead(client, "q")) == [("q", "rejected", 5)]


# Safety


def test_a_dead_letter_is_moved_in_one_atom(world: World, client: Client) -> None:
    """After a crash it is in the old queue or in the new one, never in both or neither."""
    client.queue("dead", durable=True)
    client.queue("q", durable=True, arguments=BOTH)
    client.publish(b"m", properties=PERSISTENT)
    client.get(no_ack=False)
    world.hold = True
    client.reject(1, requeue=False)
    outcomes = set()
    for disk in world.disks_after_a_cut():
        again = World(disk, world.config).connect().open()
        outcomes.add((again.count("q"), again.count("dead")))

    assert outcomes == {(1, 0), (0, 1)}


@pytest.mark.parametrize("clean", [True, False])
def test_a_dead_letter_survives(world: World, client: Client, clean: bool) -> None:
    """With its history."""
    client.queue("dead", durable=True)
    client.queue("q", durable=True, arguments=BOTH)
    client.publish(b"m", properties=PERSISTENT)
    kill(client)
    again = world.restart(clean=clean).connect().open()

    assert deaths(the_dead(again)) == [("q", "rejected", 1)]
    assert again.count("q") == 0


def test_permission_is_asked_at_declare_not_at_death(world: World, grave: Client) -> None:
    """Whoever may declare it has decided; nobody's rights are needed when a message dies."""
    declare(grave)
    grave.publish(b"m")
    grave.get(no_ack=False)
    world.access.clear_permission("guest", "/")
    grave.reject(1, requeue=False)

    assert world.broker.vhosts["/"].queues["dead"].ready.count == 1
