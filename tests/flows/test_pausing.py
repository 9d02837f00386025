"""Paused queues as clients feel them: nothing is delivered, everything else goes on."""

from typing import Any

import pytest
from pamqp import commands

from mambaamqp.broker.parameters import PAUSED
from tests.support.accounts import check_accounts
from tests.support.client import Client, World
from tests.support.desk import Operator
from tests.support.disk import SECTOR_BYTES

PERSISTENT = {"delivery_mode": 2}


@pytest.fixture
def operator(world: World) -> Operator:
    return Operator(world)


def state(operator: Operator) -> str:
    return str(next(row["state"] for row in operator.rows("queues") if row["name"] == "q"))


def fill(client: Client, count: int, **properties: Any) -> None:
    for number in range(count):
        client.publish(b"%d" % number, properties=PERSISTENT | properties)


def test_nothing_is_delivered_until_it_is_resumed(client: Client, operator: Operator) -> None:
    """The consumer stays; publishes are confirmed; then all of it comes in order."""
    client.queue("q", durable=True)
    client.confirm()
    client.consume()
    operator.ask("queue pause", name="q")
    fill(client, 3)
    assert client.of(commands.Basic.Ack)[-1].delivery_tag == 3
    assert client.bodies() == []
    assert (state(operator), operator.rows("queues")[0]["consumers"]) == ("paused", 1)
    assert client.count() == 3
    operator.ask("queue resume", name="q")
    assert client.bodies() == [b"0", b"1", b"2"]
    assert state(operator) == "running"


def test_a_get_finds_it_empty(client: Client, operator: Operator) -> None:
    """get-empty, and no error: clients that poll go on."""
    client.queue("q")
    fill(client, 1)
    operator.ask("queue pause", name="q")
    assert client.get() is None
    operator.ask("queue resume", name="q")
    assert client.get() is not None


def test_to_do_it_twice_is_fine(client: Client, operator: Operator) -> None:
    """Neither is a message delivered twice, nor a consumer in turn twice."""
    client.queue("q")
    client.consume()
    for _ in range(2):
        operator.ask("queue pause", name="q")
    fill(client, 2)
    for _ in range(2):
        operator.ask("queue resume", name="q")
    assert client.bodies() == [b"0", b"1"]


def test_what_is_outstanding_comes_back_and_waits(world: World, client: Client, operator: Operator) -> None:
    """It may be acknowledged; what is not comes back to its place."""
    client.queue("q", durable=True)
    fill(client, 3)
    client.consume()
    assert len(client.take()) == 3
    operator.ask("queue pause", name="q")
    client.ack(1)
    client.nack(2)
    client.call(1, commands.Basic.Recover(True))
    assert client.bodies() == []
    assert client.count() == 2
    check_accounts(world)
    operator.ask("queue resume", name="q")
    assert [(d.body, d.method.redelivered) for d in client.take()] == [(b"1", True), (b"2", True)]


def test_consumers_come_and_go_meanwhile(client: Client, other: Client, operator: Operator) -> None:
    """Who is there at the end gets its turn, and each as much as the others."""
    client.queue("q")
    client.consume(tag="goes")
    operator.ask("queue pause", name="q")
    client.call(1, commands.Basic.Cancel("goes"))
    client.consume(tag="a")
    other.consume(tag="b")
    fill(client, 6)
    operator.ask("queue resume", name="q")
    assert (len(client.take()), len(other.take())) == (3, 3)


def test_priorities_and_prefetch_count_afterwards(client: Client, other: Client, operator: Operator) -> None:
    """The stronger consumer first, as far as its prefetch goes."""
    client.queue("q")
    operator.ask("queue pause", name="q")
    client.consume(tag="weak")
    other.call(1, commands.Basic.Qos(0, 2, False))
    other.consume(tag="strong", arguments={"x-priority": 5})
    fill(client, 5)
    operator.ask("queue resume", name="q")
    assert other.bodies() == [b"0", b"1"]
    assert client.bodies() == [b"2", b"3", b"4"]


def test_messages_of_a_priority_queue_come_by_priority(client: Client, operator: Operator) -> None:
    """Those that arrived meanwhile too."""
    client.queue("q", arguments={"x-max-priority": 9})
    client.consume()
    operator.ask("queue pause", name="q")
    for priority in (1, 9, 5):
        client.publish(b"%d" % priority, properties={"priority": priority})
    operator.ask("queue resume", name="q")
    assert client.bodies() == [b"9", b"5", b"1"]


@pytest.mark.parametrize("goes", [False, True])
def test_the_active_consumer_is_the_active_one_again(
    client: Client, other: Client, operator: Operator, goes: bool
) -> None:
    """A pause is no reason to choose another one, unless it has gone."""
    client.queue("q", arguments={"x-single-active-consumer": True})
    client.consume(tag="first")
    operator.ask("queue pause", name="q")
    other.consume(tag="stronger", arguments={"x-priority": 5})
    if goes:
        client.call(1, commands.Basic.Cancel("first"))
    fill(client, 2)
    operator.ask("queue resume", name="q")
    assert (len(client.take()), len(other.take())) == ((0, 2) if goes else (2, 0))
    assert [row["active"] for row in operator.rows("consumers")].count(True) == 1


def test_a_single_active_consumer_that_comes_meanwhile_waits(client: Client, operator: Operator) -> None:
    """And is active afterwards, without anybody doing anything."""
    client.queue("q", arguments={"x-single-active-consumer": True})
    operator.ask("queue pause", name="q")
    client.consume()
    fill(client, 1)
    assert operator.rows("consumers")[0]["activity_status"] == "paused"
    operator.ask("queue resume", name="q")
    assert client.bodies() == [b"0"]


def test_expiry_and_dead_letters_go_on(world: World, client: Client, operator: Operator) -> None:
    """What is too old goes where it would have gone."""
    client.queue("dead")
    client.queue(
        "q",
        arguments={
            "x-message-ttl": 1000,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "dead",
        },
    )
    client.consume()
    operator.ask("queue pause", name="q")
    fill(client, 2)
    world.advance(0.5)
    fill(client, 1)
    world.advance(0.6)
    assert (client.count("q"), client.count("dead")) == (1, 2)
    client.publish(b"at once", properties={"expiration": "0"})
    assert client.count("dead") == 3
    operator.ask("queue resume", name="q")
    assert client.bodies() == [b"0"]


def test_length_limits_go_on(client: Client, operator: Operator) -> None:
    """The oldest are dropped although a consumer is there."""
    client.queue("q", arguments={"x-max-length": 2})
    client.consume()
    operator.ask("queue pause", name="q")
    fill(client, 4)
    operator.ask("queue resume", name="q")
    assert client.bodies() == [b"2", b"3"]


def test_who_publishes_is_not_held_back(world: World, client: Client, operator: Operator) -> None:
    """The pace of consumers that take nothing is nobody's pace; who was held back is let go."""
    consumer = world.connect().open()
    client.queue("q")
    consumer.call(1, commands.Basic.Qos(0, 1, False))
    consumer.consume()
    for number in range(4100):
        client.publish(b"%d" % number)
    assert client.session.paced
    operator.ask("queue pause", name="q")
    assert not client.session.paced
    fill(client, 10)
    assert not client.session.paced


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_durable_queue_is_paused_after_a_restart(
    world: World, client: Client, operator: Operator, clean: bool, checkpoint: bool
) -> None:
    """Until somebody resumes it, and that lasts too."""
    client.queue("q", durable=True)
    fill(client, 2)
    operator.ask("queue pause", name="q")
    if checkpoint:
        world.broker.checkpoint()
        world.commit()
    world = world.restart(clean=clean)
    operator = Operator(world)
    assert state(operator) == "paused"
    client = world.connect().open()
    client.consume()
    assert client.bodies() == []
    operator.ask("queue resume", name="q")
    assert client.bodies() == [b"0", b"1"]
    assert state(Operator(world.restart())) == "running"


@pytest.mark.parametrize("durable", [True, False])
def test_a_queue_of_the_same_name_is_not_paused(
    world: World, client: Client, operator: Operator, durable: bool
) -> None:
    """The pause goes with the queue."""
    client.queue("q", durable=durable)
    operator.ask("queue pause", name="q")
    client.call(1, commands.Queue.Delete(queue="q"))
    client.queue("q", durable=durable)
    assert state(operator) == "running"
    assert not [key for key in world.broker.parameters.values if key[0] == "paused"]


def states_after_a_cut(world: World) -> set[tuple[bool, bool]]:
    """Whether the queue is there, and one of its name paused, on each disk that a cut may leave."""
    outcomes = set()
    for disk in world.disks_after_a_cut():
        broker = World(disk, world.config).broker
        outcomes.add(("q" in broker.vhosts["/"].queues, (PAUSED, "/", "q") in broker.parameters.values))
    return outcomes


def test_a_paused_queue_goes_whole_or_not_at_all() -> None:
    """A crash in the middle of its deletion leaves a paused queue, or a name of which nothing is known."""
    outcomes: set[tuple[bool, bool]] = set()
    for octets in range(0, SECTOR_BYTES, 40):
        # Somewhere a sector ends between the records, of which each is a frame if it is in no atom.
        world = World()
        client, operator = world.connect().open(), Operator(world)
        client.queue("q", durable=True)
        operator.ask("queue pause", name="q")
        world.journal.frame_bytes_target = 1
        world.hold = True
        client.publish(bytes(octets), properties=PERSISTENT)
        client.call(1, commands.Queue.Delete(queue="q"))
        outcomes |= states_after_a_cut(world)

    assert outcomes == {(True, True), (False, False)}


def test_purge_and_delete_work(client: Client, operator: Operator) -> None:
    """The consumer is told."""
    client.queue("q", durable=True)
    client.consume()
    operator.ask("queue pause", name="q")
    fill(client, 3)
    assert operator.ask("queue purge", name="q") == {"messages": 3}
    operator.ask("queue delete", name="q")
    assert client.of(commands.Basic.Cancel)


def test_events_tell_of_it(client: Client, operator: Operator) -> None:
    """queue.paused and queue.resumed, with what the queue is."""
    client.queue("audit")
    client.bind("audit", "amq.rabbitmq.event", "queue.*")
    client.queue("q", durable=True)
    client.get("audit")
    operator.ask("queue pause", name="q")
    operator.ask("queue resume", name="q")
    told = [client.get("audit"), client.get("audit")]
    assert [delivery and delivery.method.routing_key for delivery in told] == [
        "queue.paused",
        "queue.resumed",
    ]
    assert told[0] is not None and told[0].properties.headers["name"] == "q"
    assert told[0].properties.headers["user_who_performed_action"] == "rmq-cli"
    assert client.get("audit") is None


def test_retries_come_due_and_wait(world: World, client: Client, operator: Operator) -> None:
    """A delayed retry whose time has come stands in the queue, and goes out afterwards."""
    client.queue("q", arguments={"x-delayed-retry-type": "all", "x-delayed-retry-min": 1000})
    fill(client, 1)
    client.consume()
    client.reject(client.take()[0].method.delivery_tag)
    operator.ask("queue pause", name="q")
    world.advance(2)
    assert (client.bodies(), client.count()) == ([], 1)
    operator.ask("queue resume", name="q")
    assert client.bodies() == [b"0"]
