"""Delayed retries as clients feel them: on every type of queue, with limits, dead letters and a restart."""

from typing import Any

import pytest
from pamqp import commands

from mambaamqp.broker.queue import Queue
from tests.support.accounts import check_accounts
from tests.support.client import Client, World

PERSISTENT = {"delivery_mode": 2}
LINEAR = {"x-delayed-retry-type": "all", "x-delayed-retry-min": 1000, "x-delayed-retry-max": 2500}


def queue_of(world: World) -> Queue:
    return world.broker.vhosts["/"].queues["q"]


def with_messages(client: Client, *bodies: bytes, **arguments: Any) -> Client:
    given = LINEAR | {key.replace("_", "-"): value for key, value in arguments.items()}
    client.queue("q", durable=True, arguments=given)
    for body in bodies:
        client.publish(body, properties=PERSISTENT)
    return client


def get(client: Client) -> Any:
    """The next delivery by basic.get, None from an empty queue."""
    before = len(client.deliveries)
    client.send(1, commands.Basic.Get(queue="q"))
    return client.deliveries[before] if len(client.deliveries) > before else None


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_a_rejected_message_waits_longer_each_time(world: World, client: Client, queue_type: str) -> None:
    """min × delivery count, up to max; then it stands where it was."""
    with_messages(client, b"a", b"b", x_queue_type=queue_type, x_delivery_limit=9)
    for wait in (1.0, 2.0, 2.5):
        delivery = get(client)
        assert delivery.body == b"a"
        client.reject(delivery.method.delivery_tag)
        assert len(queue_of(world).delayed) == 1
        world.advance(wait - 0.01)
        assert queue_of(world).ready.count == 1
        check_accounts(world)
        world.advance(0.02)
        assert queue_of(world).ready.count == 2
    assert get(client).properties.headers == {"x-acquired-count": 3, "x-delivery-count": 3}


def test_only_what_the_type_names_is_delayed(world: World, client: Client) -> None:
    """failed: basic.nack does not count, and comes back at once."""
    with_messages(client, b"a", x_delayed_retry_type="failed")
    client.nack(get(client).method.delivery_tag)
    delivery = get(client)
    assert delivery.body == b"a"

    client.reject(delivery.method.delivery_tag)

    assert get(client) is None


def test_beyond_the_delivery_limit_it_is_dead_at_once(world: World, client: Client) -> None:
    """With the reason delivery_limit."""
    client.queue("dead", durable=True)
    with_messages(
        client,
        b"a",
        x_delivery_limit=1,
        x_dead_letter_exchange="",
        x_dead_letter_routing_key="dead",
    )
    client.reject(get(client).method.delivery_tag)
    world.advance(1.1)
    client.reject(get(client).method.delivery_tag)

    assert len(queue_of(world).delayed) == 0
    entries = world.broker.vhosts["/"].queues["dead"].ready.entries()
    assert [entry.message.body() for entry in entries] == [b"a"]


def test_a_time_to_live_goes_on(world: World, client: Client) -> None:
    """A message whose time is up does not wait for the end of its delay."""
    with_messages(client, b"a", x_message_ttl=500)
    client.reject(get(client).method.delivery_tag)

    world.advance(0.6)

    assert len(queue_of(world).delayed) == queue_of(world).ready.count == 0
    check_accounts(world)


def test_what_is_delayed_is_beyond_the_length_limit(world: World, client: Client) -> None:
    """Until it is ready again: then the oldest goes."""
    with_messages(client, b"a", x_max_length=1)
    client.reject(get(client).method.delivery_tag)
    client.publish(b"b", properties=PERSISTENT)
    assert queue_of(world).ready.count == 1

    world.advance(1.1)

    assert [entry.message.body() for entry in queue_of(world).ready.entries()] == [b"b"]
    check_accounts(world)


def test_purge_takes_what_is_delayed_too(world: World, client: Client) -> None:
    """It is counted, and gone for good; before that the queue is not empty."""
    with_messages(client, b"a")
    client.reject(get(client).method.delivery_tag)

    answer = client.call(1, commands.Queue.Purge(queue="q"))

    assert answer.message_count == 1
    assert client.call(1, commands.Queue.Delete(queue="q", if_empty=True)).message_count == 0


def test_a_queue_with_delayed_messages_is_not_empty(client: Client) -> None:
    """queue.delete with if-empty: 406."""
    with_messages(client, b"a")
    client.reject(get(client).method.delivery_tag)

    answer = client.call(1, commands.Queue.Delete(queue="q", if_empty=True))

    assert answer.reply_code == 406


def test_deletion_releases_what_is_delayed(world: World, client: Client) -> None:
    """Nothing of it lives in the journal any more."""
    with_messages(client, b"a")
    client.reject(get(client).method.delivery_tag)
    client.call(1, commands.Queue.Delete(queue="q"))

    world.advance(5)

    check_accounts(world)
    assert sum(segment.live for segment in world.journal.segments) == 0


@pytest.mark.parametrize("clean", [True, False])
def test_a_restart_keeps_the_count_and_not_the_delay(world: World, client: Client, clean: bool) -> None:
    """It is ready at once, and waits as long as the second time when it comes back again."""
    with_messages(client, b"a", x_delivery_limit=9)
    client.reject(get(client).method.delivery_tag)

    after = world.restart(clean=clean)

    client = after.connect().open()
    delivery = get(client)
    counts = {"x-acquired-count": 1, "x-delivery-count": 1}
    assert (delivery.method.redelivered, delivery.properties.headers) == (True, counts)
    client.reject(delivery.method.delivery_tag)
    after.advance(1.9)
    assert get(client) is None
    after.advance(0.2)
    assert get(client).body == b"a"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            {"x-delayed-retry-type": "all"},
            "'x-delayed-retry-type' for {}: delayed_retry_type_but_no_min_defined",
        ),
        ({"x-delayed-retry-type": "some"}, "'x-delayed-retry-type' for {}: invalid_delayed_retry_type"),
        ({"x-delayed-retry-min": -1}, "'x-delayed-retry-min' for {}: {{value_negative,-1}}"),
        ({"x-delayed-retry-backoff": "x"}, "'x-delayed-retry-backoff' for {}: invalid_delayed_retry_backoff"),
        ({"x-delayed-retry-jitter": 101}, "'x-delayed-retry-jitter' for {}: {{max_value_exceeded,101}}"),
    ],
)
def test_arguments_that_cannot_be(client: Client, arguments: dict[str, Any], problem: str) -> None:
    """406, in the manner of RabbitMQ's other arguments."""
    answer = client.queue("q", arguments=arguments)

    where = "queue 'q' in vhost '/'"
    expected = f"PRECONDITION_FAILED - invalid arg {problem.format(where)}"
    assert (answer.reply_code, answer.reply_text) == (406, expected)
