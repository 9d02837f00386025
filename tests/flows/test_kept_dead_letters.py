"""At-least-once dead lettering: what nobody takes stays in its queue until somebody does."""

from typing import Any

import pytest
from pamqp import commands

from mambaamqp.broker.kept import FAILURES_MAX, RETRY_SECONDS, RETRY_SECONDS_MAX
from mambaamqp.broker.queue import Queue
from tests.support.accounts import check_accounts
from tests.support.client import Client, World
from tests.support.desk import Operator

PERSISTENT = {"delivery_mode": 2}
PROMISE = {
    "x-queue-type": "quorum",
    "x-overflow": "reject-publish",
    "x-dead-letter-strategy": "at-least-once",
    "x-dead-letter-exchange": "dlx",
}


def declare(client: Client, **arguments: Any) -> Any:
    given = PROMISE | {key.replace("_", "-"): value for key, value in arguments.items()}
    answer = client.queue("q", durable=True, arguments={key: value for key, value in given.items() if value})
    assert isinstance(answer, commands.Queue.DeclareOk), answer
    return answer


def queue_of(world: World, name: str = "q") -> Queue:
    return world.broker.vhosts["/"].queues[name]


def kill(client: Client, *bodies: bytes) -> None:
    """Publish, get and reject."""
    for body in bodies:
        client.publish(body, properties=PERSISTENT)
        delivery = client.get(no_ack=False)
        assert delivery is not None
        client.reject(delivery.method.delivery_tag, requeue=False)


def open_grave(client: Client, **arguments: Any) -> None:
    """The dead-letter exchange and a queue behind it."""
    client.exchange("dlx", "fanout", durable=True)
    client.queue(
        "dead", durable=True, arguments={key.replace("_", "-"): value for key, value in arguments.items()}
    )
    client.bind("dead", "dlx")


def test_with_a_target_they_go_at_once(world: World, client: Client) -> None:
    """As with the other strategy."""
    open_grave(client)
    declare(client)
    kill(client, b"a")
    assert client.bodies_in("dead") == [b"a"]
    assert not queue_of(world).kept.letters


@pytest.mark.parametrize("missing", ["exchange", "binding"])
def test_without_a_target_they_stay_until_there_is_one(world: World, client: Client, missing: str) -> None:
    """In the order of their deaths, with one x-death; nobody is given them meanwhile."""
    if missing == "binding":
        client.exchange("dlx", "fanout", durable=True)
    declare(client)
    kill(client, b"a", b"b")
    assert client.get() is None
    [row] = Operator(world).rows("queues")
    assert (row["messages"], row["messages_ready"], row["messages_dlx"]) == (2, 0, 2)
    check_accounts(world)
    open_grave(client)
    world.advance(RETRY_SECONDS_MAX)
    first = client.get("dead")
    assert first is not None and first.body == b"a"
    [death] = first.properties.headers["x-death"]
    assert (death["count"], death["reason"]) == (1, "rejected")
    assert client.bodies_in("dead") == [b"b"]
    check_accounts(world)


def test_a_full_target_gets_them_when_it_has_room(world: World, client: Client) -> None:
    """One at a time, as it empties."""
    open_grave(client, x_max_length=1, x_overflow="reject-publish")
    declare(client)
    kill(client, b"a", b"b", b"c")
    found = []
    for _ in range(3):
        found += client.bodies_in("dead")
        world.advance(RETRY_SECONDS_MAX)
    assert found == [b"a", b"b", b"c"]
    assert not queue_of(world).kept.letters


def test_of_several_targets_none_gets_it_before_all_can(world: World, client: Client) -> None:
    """So that no target gets it twice."""
    open_grave(client)
    client.queue("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    client.bind("full", "dlx")
    declare(client)
    kill(client, b"a")
    world.advance(5)
    assert client.bodies_in("dead") == []
    client.call(1, commands.Queue.Delete(queue="full"))
    world.advance(RETRY_SECONDS_MAX)
    assert client.bodies_in("dead") == [b"a"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"x_dead_letter_strategy": "at-most-once"},
        {"x_dead_letter_strategy": None},
        {"x_overflow": "drop-head"},
        {"x_overflow": None},
    ],
)
def test_without_the_promise_they_are_lost(world: World, client: Client, arguments: dict[str, Any]) -> None:
    """At most once; and RabbitMQ falls back to that, without reject-publish."""
    declare(client, **arguments)
    kill(client, b"a")
    assert not queue_of(world).kept.letters
    open_grave(client)
    world.advance(10)
    assert client.bodies_in("dead") == []
    check_accounts(world)


def test_a_classic_queue_cannot_promise_it(client: Client) -> None:
    """406: the argument is for another type of queue."""
    arguments = {key: value for key, value in PROMISE.items() if key != "x-queue-type"}
    assert client.queue("q", durable=True, arguments=arguments).reply_code == 406


def test_an_unknown_strategy_is_refused(client: Client) -> None:
    """406."""
    answer = client.queue("q", durable=True, arguments=PROMISE | {"x-dead-letter-strategy": "maybe"})
    assert (answer.reply_code, "invalid_dlx_strategy" in answer.reply_text) == (406, True)


def test_expired_and_worn_out_messages_stay_too(world: World, client: Client) -> None:
    """Each keeps the reason of its death."""
    declare(client, x_delivery_limit=1)
    client.publish(b"old", properties=PERSISTENT | {"expiration": "1000"})
    world.advance(1.1)
    client.publish(b"worn", properties=PERSISTENT)
    for _ in range(2):
        delivery = client.get(no_ack=False)
        assert delivery is not None
        client.reject(delivery.method.delivery_tag)
    assert len(queue_of(world).kept) == 2
    open_grave(client)
    world.advance(RETRY_SECONDS_MAX)
    reasons = []
    for _ in range(2):
        found = client.get("dead")
        assert found is not None
        reasons.append(found.properties.headers["x-death"][0]["reason"])
    assert reasons == ["expired", "delivery_limit"]


def test_they_count_towards_the_length_of_their_queue(client: Client) -> None:
    """So what nobody takes is bounded, if the queue is."""
    client.confirm()
    declare(client, x_max_length=2)
    kill(client, b"a", b"b")
    client.publish(b"c", properties=PERSISTENT)
    assert client.of(commands.Basic.Nack)
    assert client.get() is None


@pytest.mark.parametrize("clean", [True, False])
def test_a_restart_loses_none(world: World, client: Client, clean: bool) -> None:
    """They stand in their queue again, as before they died: who rejected them does so again."""
    declare(client)
    kill(client, b"a", b"b")
    client.publish(b"old", properties=PERSISTENT | {"expiration": "1000"})
    world.advance(2)
    world = world.restart(clean=clean)
    client = world.connect().open()
    open_grave(client)
    world.advance(RETRY_SECONDS_MAX)
    assert client.bodies_in("dead") == [b"old"]
    assert client.bodies_in("q") == [b"a", b"b"]


def test_what_was_moved_is_not_moved_again(world: World, client: Client) -> None:
    """The move is one atom of the journal."""
    open_grave(client)
    declare(client)
    kill(client, b"a")
    world = world.restart(clean=False)
    client = world.connect().open()
    assert (client.bodies_in("q"), client.bodies_in("dead")) == ([], [b"a"])


def test_a_purge_leaves_them_and_a_delete_does_not(world: World, client: Client) -> None:
    """As in RabbitMQ: they are dead, and promised. The journal keeps nothing of a deleted queue."""
    declare(client)
    kill(client, b"a", b"b")
    client.publish(b"c", properties=PERSISTENT)
    assert client.call(1, commands.Queue.Purge(queue="q")).message_count == 1
    check_accounts(world)
    assert len(queue_of(world).kept) == 2
    kill(client, b"d")
    assert client.call(1, commands.Queue.Delete(queue="q")).message_count == 0
    check_accounts(world)
    world.advance(20)
    world.restart()


def test_attempts_become_rarer_and_are_bounded(world: World, client: Client) -> None:
    """A backlog that nobody takes costs little; when it moves, all of it goes in order."""
    declare(client)
    count = FAILURES_MAX + 50
    kill(client, *[b"%d" % number for number in range(count)])
    world.advance(60)
    kept = queue_of(world).kept
    assert kept.pause_seconds == RETRY_SECONDS_MAX
    assert len(kept) == count
    open_grave(client)
    world.advance(RETRY_SECONDS_MAX)
    assert client.bodies_in("dead") == [b"%d" % number for number in range(count)]
    assert kept.pause_seconds == RETRY_SECONDS


def test_a_policy_makes_and_takes_the_promise(world: World, client: Client) -> None:
    """At once; what is kept goes the other way when the promise has gone."""
    operator = Operator(world)
    declare(client, x_dead_letter_strategy=None, x_overflow=None)
    definition = {"dead-letter-strategy": "at-least-once", "overflow": "reject-publish"}
    operator.ask("policy set", name="p", policy={"pattern": "^q$", "definition": definition})
    kill(client, b"a")
    assert len(queue_of(world).kept) == 1
    operator.ask("policy clear", name="p")
    world.advance(RETRY_SECONDS_MAX)
    assert not queue_of(world).kept.letters
    check_accounts(world)


def test_compaction_moves_them(world: World, client: Client) -> None:
    """What is kept stands in the journal as long as it takes."""
    declare(client)
    kill(client, b"kept")
    client.queue("other", durable=True)
    for _ in range(60):
        client.publish(b"x" * 100_000, "other", properties=PERSISTENT)
    client.call(1, commands.Queue.Purge(queue="other"))
    while world.broker.compact(world.now):
        for _ in range(200):
            world.advance(0.1)
        world.broker.checkpoint()
        world.commit()
        world.journal.drop_dead_segments()
        break
    check_accounts(world)
    again = world.restart(clean=False)
    assert again.connect().open().bodies_in("q") == [b"kept"]
