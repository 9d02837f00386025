"""mambaamqp/broker/remains.py: a deletion is done at once, and what it leaves goes little by little."""

import pytest
from pamqp import commands

from mambaamqp.access.operator import Operator
from mambaamqp.broker import enrolment
from mambaamqp.broker.entry import NEVER
from mambaamqp.broker.walk import EVERYTHING, Walk
from tests.support.accounts import check_accounts
from tests.support.client import Client, World

COUNT = 60
SLICE = 8
PERSISTENT = {"delivery_mode": 2}


@pytest.fixture(params=[0, 4], ids=["awake", "drowsy"])
def world(request: pytest.FixtureRequest) -> World:
    """With small slices; nothing sleeps, or everything that may, in blocks of four."""
    made = World(drowsy=request.param)
    made.broker.remains.slice_messages = SLICE
    return made


@pytest.fixture
def client(world: World) -> Client:
    """With the durable queue q."""
    made = world.connect().open()
    made.queue("q", durable=True)
    return made


def fill(client: Client, key: str = "q", exchange: str = "", mode: int = 2) -> None:
    for number in range(COUNT):
        client.publish(b"%d" % number, key, exchange, properties={"delivery_mode": mode})
    client.world.settle()
    client.world.settle()  # what was synced may sleep at the end of the next batch


def delete(client: Client, name: str = "q") -> int:
    """How many messages the broker says are gone."""
    return int(client.call(1, commands.Queue.Delete(queue=name)).message_count)


def left(world: World) -> int:
    return sum(ready.count for ready in world.broker.remains.ready)


def test_what_is_left_goes_in_slices(world: World, client: Client) -> None:
    """The answer does not wait for it, and while there is some the broker wants to be called again."""
    fill(client)
    assert delete(client) == COUNT
    before = left(world)
    assert before >= COUNT // 2
    assert world.broker.deadline <= world.now
    while before:
        check_accounts(world)
        world.broker.tick(world.now)
        assert before - SLICE - 4 < left(world) < before
        before = left(world)
    assert not world.broker.remains.ready
    assert world.broker.deadline == NEVER
    assert world.journal.live_bytes == 0
    assert world.broker.pager.awake_bytes == 0
    assert world.broker.pager.woken == 0


def test_the_name_is_free_at_once(world: World, client: Client) -> None:
    """A queue that is declared again has nothing to do with what is left of the one before."""
    fill(client)
    delete(client)
    client.queue("q", durable=True)
    client.publish(b"new", properties=PERSISTENT)
    world.advance(1)
    assert client.count("q") == 1
    assert client.bodies_in("q") == [b"new"]
    check_accounts(world)


def test_a_death_meanwhile_makes_no_difference(world: World, client: Client) -> None:
    """The log says that the queue is gone, and that is all there is to it."""
    fill(client)
    delete(client)
    assert left(world)
    again = world.restart(clean=False)
    assert "q" not in again.broker.vhosts["/"].queues
    assert again.journal.live_bytes == 0


def test_another_queue_keeps_its_share(world: World, client: Client) -> None:
    """Of messages of several queues nothing is lost, before or after."""
    client.queue("other", durable=True)
    for name in ("q", "other"):
        client.call(1, commands.Queue.Bind(queue=name, exchange="amq.fanout"))
    fill(client, "", "amq.fanout")
    delete(client)
    check_accounts(world)
    world.advance(1)
    assert not world.broker.remains.ready
    check_accounts(world)
    assert client.bodies_in("other") == [b"%d" % number for number in range(COUNT)]


def test_scratch_is_given_back(world: World, client: Client) -> None:
    """That of transient messages."""
    fill(client, mode=1)
    delete(client)
    world.advance(1)
    assert sum(world.journal.scratch._live.values()) == 0


def test_a_walk_passes_over_it(world: World, client: Client) -> None:
    """One that was in the middle of the queue goes on with the others, and wakes nothing."""
    fill(client)
    walk = Walk(world.broker, EVERYTHING)
    while not walk.step():
        pass
    delete(client)
    woken = world.broker.pager.woken
    while not walk.over:
        assert walk.step() == []
    assert world.broker.pager.woken == woken
    world.advance(1)
    check_accounts(world)


def test_nothing_of_it_falls_asleep(world: World, client: Client) -> None:
    """It would only be work."""
    world.broker.pager.budget_bytes = 1 << 30
    fill(client)
    slept = world.broker.pager.slept
    world.broker.remains.slice_messages = 1
    delete(client)
    world.broker.pager.budget_bytes = 0
    world.advance(1)
    assert world.broker.pager.slept == slept


def test_a_virtual_host_goes_at_once(world: World) -> None:
    """With all that is in it; its connections are told."""
    operator = Operator("", world.access)
    enrolment.add_vhost(world.broker, operator, "big", {})
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    enrolment.set_permissions(world.broker.vhosts["big"], operator, "guest", rights)
    client = world.connect(vhost="big").open()
    for name in ("a", "b", "c"):
        client.queue(name, durable=True)
        fill(client, name)
    enrolment.delete_vhost(world.broker, operator, "big")
    assert left(world) == 3 * COUNT
    assert "big" not in world.broker.vhosts
    world.advance(1)
    assert left(world) == 0
    assert world.journal.live_bytes == 0
