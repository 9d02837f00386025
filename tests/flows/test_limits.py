"""Time to live, length limits and priorities: what leaves a queue without having been consumed."""

from typing import Any

import pytest
from pamqp import commands

from tests.support.client import Client, World, publish_octets

PERSISTENT = {"delivery_mode": 2}


def fill(client: Client, *bodies: bytes, **options: Any) -> None:
    for body in bodies:
        client.publish(body, **options)


def lasting(milliseconds: int, **more: Any) -> dict[str, Any]:
    return {"properties": {"expiration": str(milliseconds), **more}}


# Time to live


def test_a_message_expires_after_the_queues_ttl(world: World, client: Client) -> None:
    """To the millisecond, without anybody asking."""
    client.queue("q", arguments={"x-message-ttl": 1000})
    client.publish(b"a")
    world.advance(0.999)
    assert client.count("q") == 1
    world.advance(0.001)

    assert world.broker.vhosts["/"].queues["q"].ready.count == 0


def test_a_message_expires_after_its_own_expiration(world: World, client: Client) -> None:
    """Behind one that does not, too; consumers see the property."""
    client.queue("q")
    client.publish(b"patient")
    client.publish(b"hasty", **lasting(500))
    client.publish(b"slow", **lasting(5000))
    world.advance(0.5)
    found = [client.get(), client.get()]

    assert [delivery.body for delivery in found if delivery] == [b"patient", b"slow"]
    assert found[1] is not None
    assert found[1].properties.expiration == "5000"


@pytest.mark.parametrize(("queue_ms", "own_ms"), [(1000, 5000), (5000, 1000)])
def test_the_shorter_time_counts(world: World, client: Client, queue_ms: int, own_ms: int) -> None:
    """The queue's or the message's."""
    client.queue("q", arguments={"x-message-ttl": queue_ms})
    client.publish(b"a", **lasting(own_ms))
    world.advance(1)

    assert client.count("q") == 0


@pytest.mark.parametrize("by_queue", [True, False])
def test_a_ttl_of_0_is_now_or_never(client: Client, by_queue: bool) -> None:
    """Delivered to a consumer that waits, or expired."""
    client.queue("q", arguments={"x-message-ttl": 0} if by_queue else {})
    options = {} if by_queue else lasting(0)
    client.publish(b"never", **options)
    assert client.count("q") == 0
    client.consume("q", no_ack=True)
    client.publish(b"now", **options)

    assert client.bodies() == [b"now"]


def test_an_unacknowledged_message_does_not_expire(world: World, client: Client) -> None:
    """It is with its consumer; only when it comes back is it too late."""
    client.queue("q", arguments={"x-message-ttl": 1000})
    client.publish(b"a")
    client.get(no_ack=False)
    world.advance(5)
    assert client.nack(1) is None

    assert client.count("q") == 0


def test_a_requeue_does_not_renew_the_time(world: World, client: Client) -> None:
    """It counts from the publish."""
    client.queue("q", arguments={"x-message-ttl": 1000})
    client.publish(b"a")
    client.get(no_ack=False)
    world.advance(0.6)
    client.nack(1)
    assert client.count("q") == 1
    world.advance(0.4)

    assert client.count("q") == 0


def test_a_consumer_is_never_given_what_has_expired(world: World, client: Client) -> None:
    """Though the timer has not come round yet."""
    client.queue("q", arguments={"x-message-ttl": 1000})
    client.publish(b"old")
    world.now += 2
    assert client.get() is None
    client.publish(b"old")
    world.now += 2
    client.consume("q")

    assert client.bodies() == []


@pytest.mark.parametrize("clean", [True, False])
def test_time_goes_on_while_the_broker_is_down(world: World, client: Client, clean: bool) -> None:
    """The publish's wall-clock time is kept with the message."""
    client.queue("q", durable=True, arguments={"x-message-ttl": 10_000})
    client.publish(b"a", properties=PERSISTENT)
    world.advance(6)
    client.publish(b"b", properties=PERSISTENT)
    again = world.restart(clean=clean)
    again.broker.at(again.now)
    client = again.connect().open()
    assert client.count("q") == 2
    again.advance(60)

    assert client.count("q") == 0


def test_many_messages_expire_at_once(world: World, client: Client) -> None:
    """Each once, and the counts are right."""
    client.queue("q", arguments={"x-message-ttl": 1000})
    client.feed(publish_octets(b"m") * 5000)
    world.advance(0.5)
    client.feed(publish_octets(b"n") * 10)
    world.advance(0.5)

    assert client.count("q") == 10
    assert client.bodies_in("q") == [b"n"] * 10


# Lengths


def test_the_oldest_is_dropped_for_the_newest(client: Client) -> None:
    """drop-head, the default."""
    client.queue("q", arguments={"x-max-length": 2})
    fill(client, b"a", b"b", b"c", b"d")

    assert client.bodies_in("q") == [b"c", b"d"]


def test_octets_count_bodies_only(client: Client) -> None:
    """Of what is ready."""
    client.queue("q", arguments={"x-max-length-bytes": 10})
    fill(client, b"12345", b"12345", properties={"message_id": "x" * 200})
    assert client.count("q") == 2
    client.publish(b"1")

    assert client.bodies_in("q") == [b"12345", b"1"]


def test_a_message_larger_than_the_limit_leaves_nothing(client: Client) -> None:
    """It pushes everything out, itself last."""
    client.queue("q", arguments={"x-max-length-bytes": 10})
    fill(client, b"12345", b"12345678901")

    assert client.count("q") == 0


def test_both_limits_hold(client: Client) -> None:
    """Whichever is reached first."""
    client.queue("q", arguments={"x-max-length": 3, "x-max-length-bytes": 10})
    fill(client, b"1234567", b"1", b"1", b"1")
    assert client.count("q") == 3
    client.publish(b"12345678")

    assert client.bodies_in("q") == [b"1", b"1", b"12345678"]


def test_what_is_unacknowledged_does_not_count(client: Client) -> None:
    """It may come back: then the head goes."""
    client.queue("q", arguments={"x-max-length": 2})
    fill(client, b"a", b"b")
    client.get(no_ack=False)
    client.get(no_ack=False)
    fill(client, b"c", b"d")
    client.nack(2, multiple=True)

    assert client.bodies_in("q") == [b"c", b"d"]


def test_a_length_of_0_keeps_nothing(client: Client) -> None:
    """But hands over to a consumer that waits."""
    client.queue("q", arguments={"x-max-length": 0})
    client.publish(b"a")
    assert client.count("q") == 0
    client.consume("q")
    client.publish(b"b")

    assert client.bodies() == [b"b"]


@pytest.mark.parametrize("overflow", ["reject-publish", "reject-publish-dlx"])
def test_the_newest_is_refused(client: Client, overflow: str) -> None:
    """Silently without confirms; and taken when there is room again."""
    client.queue("q", arguments={"x-max-length": 2, "x-overflow": overflow})
    fill(client, b"a", b"b", b"c")
    assert client.get() is not None
    client.publish(b"d")

    assert client.bodies_in("q") == [b"b", b"d"]


def test_a_consumer_makes_room_within_a_batch(client: Client) -> None:
    """What can be delivered at once is no overflow."""
    client.queue("q", arguments={"x-max-length": 1})
    client.consume("q", no_ack=True)
    client.feed(publish_octets(b"m") * 100)

    assert len(client.bodies()) == 100


@pytest.mark.parametrize("clean", [True, False])
def test_dropped_messages_stay_dropped(world: World, client: Client, clean: bool) -> None:
    """After a restart as well."""
    client.queue("q", durable=True, arguments={"x-max-length": 2})
    fill(client, b"a", b"b", b"c", b"d", properties=PERSISTENT)

    assert world.restart(clean=clean).connect().open().bodies_in("q") == [b"c", b"d"]


# Priorities


@pytest.fixture
def ranked(client: Client) -> Client:
    client.queue("q", arguments={"x-max-priority": 5})
    return client


def urgent(client: Client, *ranks: int | None) -> None:
    """Publish with these priorities; the body says priority and place."""
    for place, rank in enumerate(ranks):
        values = {} if rank is None else {"priority": rank}
        client.publish(f"{rank}-{place}".encode(), properties=values)


def test_the_highest_priority_goes_first(ranked: Client) -> None:
    """Within one, the oldest; none means 0; above the maximum is the maximum."""
    urgent(ranked, 1, 5, None, 3, 5, 9, 0, 1)

    assert ranked.bodies_in("q") == [b"5-1", b"5-4", b"9-5", b"3-3", b"1-0", b"1-7", b"None-2", b"0-6"]


def test_a_requeued_message_keeps_its_rank(ranked: Client) -> None:
    """In front of its level."""
    urgent(ranked, 1, 1, 3)
    for _ in range(3):
        ranked.get(no_ack=False)
    urgent(ranked, 1, 3, 5)
    ranked.nack(3, multiple=True)

    assert ranked.bodies_in("q") == [b"5-2", b"3-2", b"3-1", b"1-0", b"1-1", b"1-0"]


def test_without_the_argument_priorities_mean_nothing(client: Client) -> None:
    """First in, first out."""
    client.queue("q")
    urgent(client, 1, 5, 3)

    assert client.bodies_in("q") == [b"1-0", b"5-1", b"3-2"]


def test_an_overflow_drops_the_head_of_the_highest_priority(client: Client) -> None:
    """A surprise that RabbitMQ documents: the head is what would be delivered next."""
    client.queue("q", arguments={"x-max-priority": 5, "x-max-length": 2})
    urgent(client, 1, 5, 3)

    assert client.bodies_in("q") == [b"3-2", b"1-0"]


def test_priorities_and_expiry_together(world: World, ranked: Client) -> None:
    """Expired in the middle of a level, and the counts are right."""
    ranked.publish(b"a", properties={"priority": 1})
    ranked.publish(b"b", properties={"priority": 1, "expiration": "100"})
    ranked.publish(b"c", properties={"priority": 5, "expiration": "100"})
    ranked.publish(b"d", properties={"priority": 1})
    world.advance(0.1)

    assert ranked.count("q") == 2
    assert ranked.bodies_in("q") == [b"a", b"d"]


@pytest.mark.parametrize("clean", [True, False])
def test_priorities_survive(world: World, client: Client, clean: bool) -> None:
    """The order after a restart is the order before it."""
    client.queue("q", durable=True, arguments={"x-max-priority": 5})
    for rank in (1, 5, 3):
        client.publish(b"%d" % rank, properties={**PERSISTENT, "priority": rank})

    assert world.restart(clean=clean).connect().open().bodies_in("q") == [b"5", b"3", b"1"]


# Quorum queues, as far as they differ here


@pytest.fixture
def quorum(client: Client) -> Client:
    client.queue("q", durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 2})
    return client


def test_a_quorum_queue_keeps_transient_messages(world: World, quorum: Client) -> None:
    """Everything in it is durable."""
    quorum.publish(b"a", properties={"delivery_mode": 1})

    assert world.restart().connect().open().bodies_in("q") == [b"a"]


@pytest.mark.parametrize("how", ["reject", "channel"])
def test_the_delivery_limit_drops_what_comes_back_too_often(quorum: Client, how: str) -> None:
    """reject(requeue) and lost consumers count; the count is told from the first redelivery on."""
    quorum.publish(b"a")
    counts = []
    for _ in range(3):
        delivery = quorum.get(no_ack=False)
        assert delivery is not None
        counts.append((delivery.properties.headers or {}).get("x-delivery-count"))
        if how == "reject":
            quorum.reject(delivery.method.delivery_tag)
        else:
            quorum.call(1, commands.Channel.Close(200, "", 0, 0))
            quorum.open()

    assert counts == [None, 1, 2]
    assert quorum.count("q") == 0


@pytest.mark.parametrize("how", ["get", "consume"])
def test_every_return_is_told(quorum: Client, how: str) -> None:
    """x-acquired-count counts nack and recover too: a JMS client makes its JMSXDeliveryCount of it."""
    quorum.publish(b"a")
    if how == "consume":
        quorum.consume()
    told = []
    for again in ("nack", "recover", "reject", ""):
        delivery = quorum.take()[0] if how == "consume" else quorum.get(no_ack=False)
        assert delivery is not None
        told.append(delivery.properties.headers or {})
        if again == "recover":
            quorum.call(1, commands.Basic.Recover(requeue=True))
        elif again:
            getattr(quorum, again)(delivery.method.delivery_tag)
    assert told == [
        {},
        {"x-acquired-count": 1},
        {"x-acquired-count": 2},
        {"x-acquired-count": 3, "x-delivery-count": 1},
    ]


def test_a_classic_queue_tells_no_counts(client: Client) -> None:
    """It keeps none, and its messages go out as they came in."""
    client.queue("q")
    client.publish(b"a")
    for _ in range(3):
        delivery = client.get(no_ack=False)
        assert delivery is not None
        assert delivery.properties.headers is None
        client.nack(delivery.method.delivery_tag)


def test_nack_with_requeue_does_not_count(quorum: Client) -> None:
    """As in RabbitMQ 4.3."""
    quorum.publish(b"a")
    for _ in range(10):
        delivery = quorum.get(no_ack=False)
        assert delivery is not None
        quorum.nack(delivery.method.delivery_tag)

    assert quorum.count("q") == 1


def test_a_quorum_queue_knows_no_shared_prefetch(quorum: Client) -> None:
    """540 at consume."""
    quorum.call(1, commands.Basic.Qos(0, 1, True))
    answer = quorum.consume("q")

    assert answer.reply_code == 540
    assert answer.reply_text == ("NOT_IMPLEMENTED - queue 'q' in vhost '/' does not support global qos")


def test_a_quorum_queue_is_deleted_without_conditions(quorum: Client) -> None:
    """540 for if-unused and if-empty."""
    answer = quorum.call(1, commands.Queue.Delete(queue="q", if_unused=True))

    assert answer.reply_code == 540
    assert answer.reply_text == (
        "NOT_IMPLEMENTED - cannot delete queue 'q' in vhost '/'. queue.delete operations with if-unused "
        "flag set are not supported by quorum queues"
    )
