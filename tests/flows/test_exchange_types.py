"""Exchange types beyond the specification, as clients see them."""

from typing import Any

import pytest
from pamqp import commands

from tests.support import expect
from tests.support.client import Client, World

PERSISTENT = {"delivery_mode": 2}


def bound(client: Client, exchange: str, *names: str, key: str = "") -> None:
    for name in names:
        client.queue(name, durable=True)
        client.call(1, commands.Queue.Bind(queue=name, exchange=exchange, routing_key=key))


def test_a_newcomer_is_given_recent_history(client: Client) -> None:
    """The last messages, in order, and what comes after them; whoever was there has had them."""
    client.exchange("news", "x-recent-history", arguments={"x-recent-history-length": 3})
    bound(client, "news", "early")
    for number in range(5):
        client.publish(b"%d" % number, "", "news", properties=PERSISTENT)
    bound(client, "news", "late")
    client.publish(b"5", "", "news")
    assert client.bodies_in("late") == [b"2", b"3", b"4", b"5"]
    assert client.bodies_in("early") == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_a_second_binding_of_the_same_is_no_newcomer(client: Client) -> None:
    """Nothing is given twice."""
    client.exchange("news", "x-recent-history")
    bound(client, "news", "q")
    client.publish(b"x", "", "news")
    bound(client, "news", "q")
    assert client.bodies_in("q") == [b"x"]


@pytest.mark.parametrize("kind", ["x-consistent-hash", "x-modulus-hash"])
def test_a_hash_is_the_same_after_a_restart(world: World, client: Client, kind: str) -> None:
    """Messages with one key stay together, whatever becomes of the broker."""
    client.exchange("hash", kind, durable=True)
    names = [f"q{number}" for number in range(5)]
    bound(client, "hash", *names, key="1")

    def places(client: Client) -> dict[str, list[bytes]]:
        for number in range(40):
            client.publish(b"%d" % number, f"key {number}", "hash")
        return {name: client.bodies_in(name) for name in names}

    before = places(client)
    assert sum(map(len, before.values())) == 40
    assert min(map(len, before.values())) > 0
    assert places(world.restart().connect().open()) == before


def test_a_random_exchange_is_asked_for_each_message(client: Client) -> None:
    """No route is remembered."""
    client.exchange("any", "x-random")
    bound(client, "any", "a", "b")
    for _ in range(100):
        client.publish(b"x", "k", "any")
    counts = [len(client.bodies_in(name)) for name in ("a", "b")]
    assert sum(counts) == 100
    assert min(counts) > 20


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("x-consistent-hash", {"hash-header": "a", "hash-property": "message_id"}),
        ("x-recent-history", {"x-recent-history-length": 0}),
    ],
)
def test_wrong_arguments_are_406_and_leave_nothing(client: Client, kind: str, arguments: Any) -> None:
    """The channel closes; nothing was declared."""
    answer = client.exchange("x", kind, arguments=arguments)
    assert answer.reply_code == 406
    assert "x" not in client.world.broker.vhosts["/"].exchanges


def test_a_weight_that_is_none_is_406(client: Client) -> None:
    """At the binding."""
    client.exchange("hash", "x-consistent-hash")
    client.queue("q")
    answer = client.call(1, commands.Queue.Bind(queue="q", exchange="hash", routing_key="heavy"))
    expect.channel_closed(
        answer,
        406,
        "PRECONDITION_FAILED - the binding key is the weight: an integer of at most 9 digits; got 'heavy'",
        commands.Queue.Bind,
    )
