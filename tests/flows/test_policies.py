"""Policies as clients feel them: at once, on what is there already, and again after a restart."""

from typing import Any

import pytest
from pamqp import commands

from mambaamqp.access.permissions import Actor
from mambaamqp.broker import administration
from mambaamqp.broker.queue import Queue
from tests.support.accounts import check_accounts
from tests.support.client import Client, World

PERSISTENT = {"delivery_mode": 2}
FILLED = [b"0", b"1", b"2", b"3", b"4"]


def admin(world: World) -> Actor:
    user = world.access.users.get("guest")
    assert user is not None
    return world.access.actor(user, "/")


def lay(world: World, name: str = "p", *, operator: bool = False, **given: Any) -> None:
    """Set a policy; underscores stand for dashes, `pattern`, `priority` and `apply_to` for themselves."""
    definition = {key.replace("_", "-"): value for key, value in given.items() if key not in NOT_DEFINITION}
    value = {key.replace("_", "-"): given[key] for key in NOT_DEFINITION if key in given}
    operation = administration.set_operator_policy if operator else administration.set_policy
    operation(world.broker.vhosts["/"], admin(world), name, {"pattern": "", "definition": definition} | value)
    world.settle()


NOT_DEFINITION = ("pattern", "priority", "apply_to")


def lift(world: World, name: str = "p", *, operator: bool = False) -> None:
    operation = administration.clear_operator_policy if operator else administration.clear_policy
    operation(world.broker.vhosts["/"], admin(world), name)
    world.settle()


def queue_of(world: World, name: str = "q") -> Queue:
    return world.broker.vhosts["/"].queues[name]


def filled(client: Client, name: str = "q", **arguments: Any) -> Client:
    """A durable queue with five persistent messages."""
    given = {key.replace("_", "-"): value for key, value in arguments.items()}
    client.queue(name, durable=True, arguments=given)
    for body in FILLED:
        client.publish(body, name, properties=PERSISTENT)
    return client


@pytest.fixture(params=[0, 2], ids=["awake", "asleep"])
def world(request: pytest.FixtureRequest) -> World:
    """Also with all sleeping on disk that may."""
    return World(drowsy=request.param)


def settled(world: World) -> World:
    """What was synced may sleep at the end of the next batch."""
    world.settle()
    world.settle()
    return world


def test_a_shorter_length_drops_the_oldest_at_once(world: World, client: Client) -> None:
    """And they stay dropped over a restart; a longer one brings nothing back."""
    filled(client)
    lay(settled(world), max_length=2)
    assert client.count() == 2
    lay(world, max_length=100)
    check_accounts(world)
    client = world.restart(clean=False).connect().open()
    assert client.bodies_in("q") == FILLED[3:]


def test_a_shorter_size_drops_too_and_to_the_dead_letter_exchange(world: World, client: Client) -> None:
    """Of the same policy, as if both had always been there."""
    client.queue("dead")
    filled(client)
    lay(
        settled(world),
        pattern="^q$",
        max_length_bytes=1,
        dead_letter_exchange="",
        dead_letter_routing_key="dead",
    )
    assert client.bodies_in("q") == FILLED[4:]
    assert client.bodies_in("dead") == FILLED[:4]


def test_delayed_retries_come_and_go_with_a_policy(world: World, client: Client) -> None:
    """On the next return; what waits already waits as long as it was told to."""
    client.queue("q")
    client.publish(b"m")
    lay(world, delayed_retry_type="all", delayed_retry_min=1000)
    client.reject(client.get(no_ack=False).method.delivery_tag)  # type: ignore[union-attr]
    assert client.get() is None
    world.broker.parameters.clear("policy", "/", "p")
    world.advance(0.9)
    assert client.get() is None
    world.advance(0.2)
    delivery = client.get(no_ack=False)
    assert delivery is not None
    client.reject(delivery.method.delivery_tag)
    assert client.get() is not None


def test_a_backlog_of_any_depth_is_cut(world: World, client: Client) -> None:
    """More than are buried at a time."""
    filled(client)
    for number in range(3000):
        client.publish(b"%d" % number, properties=PERSISTENT)
    lay(settled(world), max_length=3)
    assert client.bodies_in("q") == [b"2997", b"2998", b"2999"]
    check_accounts(world)


def test_a_time_to_live_counts_from_the_publish(world: World, client: Client) -> None:
    """What has waited that long goes at once, the rest when its time comes."""
    filled(client)
    settled(world).advance(10)
    client.publish(b"young", properties=PERSISTENT)
    lay(world, message_ttl=5000)
    world.advance(0)
    assert client.count() == 1
    world.advance(4.9)
    assert client.bodies_in("q") == [b"young"]
    client.publish(b"late", properties=PERSISTENT)
    world.advance(5)
    assert client.count() == 0
    check_accounts(world)


def test_a_time_to_live_that_is_lifted_spares_what_waits(world: World, client: Client) -> None:
    """But for what has one of its own."""
    client.queue(durable=True)
    lay(world, message_ttl=5000)
    filled(client)
    client.publish(b"own", properties=PERSISTENT | {"expiration": "7000"})
    settled(world)
    lift(world)
    world.advance(6)
    assert client.count() == 6
    world.advance(1)
    assert client.bodies_in("q") == FILLED


def test_what_is_unacknowledged_is_bound_by_it_when_it_returns(world: World, client: Client) -> None:
    """And so is what came back before."""
    filled(client)
    delivery = client.get("q", no_ack=False)
    assert delivery is not None
    client.nack(1)
    client.get("q", no_ack=False)
    lay(world, message_ttl=5000)
    world.advance(6)
    assert client.count() == 0
    client.nack(2)
    assert client.count() == 0


def test_what_came_back_lives_longer_when_it_may(world: World, client: Client) -> None:
    """Its first deadline does not count any more."""
    lay(world, message_ttl=5000)
    filled(client)
    client.get("q", no_ack=False)
    client.nack(1)
    lay(world, message_ttl=9000)
    world.advance(6)
    assert client.count() == 5
    world.advance(3)
    assert client.count() == 0


def test_a_time_to_live_counts_after_a_restart(world: World, client: Client) -> None:
    """For what was published before the policy came."""
    filled(client)
    lay(settled(world), message_ttl=5000)
    world.advance(2)
    for clean in (False, True):
        world = world.restart(clean=clean)
        world.advance(1)
        assert world.connect().open().count() == 5
    world.advance(1)
    assert world.connect().open().count() == 0


def test_it_counts_for_what_sleeps_since_before_the_restart(world: World, client: Client) -> None:
    """Whole chunks that replay has let sleep before it came to the policy."""
    client.queue(durable=True)
    for _ in range(600):
        client.publish(b"m", properties=PERSISTENT)
    lay(world, message_ttl=5000)
    world = world.restart()
    world.advance(5)
    assert world.connect().open().count() == 0
    check_accounts(world)


def test_a_queue_expires_by_policy(world: World, client: Client) -> None:
    """Its time begins with the policy."""
    client.queue()
    world.advance(100)
    lay(world, expires=5000)
    world.advance(4)
    assert "q" in world.broker.vhosts["/"].queues
    world.advance(1)
    assert "q" not in world.broker.vhosts["/"].queues


def test_the_lesser_of_policy_and_argument_counts(world: World, client: Client) -> None:
    """Whichever it is; and the redeclare compares what was declared, not what has come of it."""
    filled(client, x_max_length=3)
    lay(world, max_length=4)
    assert client.count() == 3
    lay(world, max_length=1)
    assert client.count() == 1
    assert client.queue(durable=True, arguments={"x-max-length": 3}).message_count == 1
    lift(world)
    for body in FILLED:
        client.publish(body, properties=PERSISTENT)
    assert client.count() == 3


def test_an_operator_policy_bounds_the_rest(world: World, client: Client) -> None:
    """A policy cannot lift it, nor can an argument."""
    lay(world, "o", operator=True, max_length=2)
    lay(world, max_length=4)
    filled(client, x_max_length=10)
    assert client.count() == 2
    lift(world, "o", operator=True)
    filled(client, x_max_length=10)
    assert client.count() == 4


def test_a_full_queue_refuses_by_policy(world: World, client: Client) -> None:
    """basic.nack, from the next publish on."""
    filled(client.confirm())
    lay(world, max_length=5, overflow="reject-publish")
    client.publish(b"more")
    assert [nack.delivery_tag for nack in client.of(commands.Basic.Nack)] == [6]
    lift(world)
    client.publish(b"more")
    assert client.count() == 6


def test_an_alternate_exchange_by_policy(world: World, client: Client) -> None:
    """Routes that a channel remembers are found again."""
    client.exchange("x")
    client.queue()
    client.bind("q", "amq.fanout")
    client.publish(b"lost", "k", "x")
    lay(world, alternate_exchange="amq.fanout", apply_to="exchanges", pattern="^x$")
    client.publish(b"found", "k", "x")
    lift(world)
    client.publish(b"lost", "k", "x")
    assert client.bodies_in("q") == [b"found"]


def test_an_alternate_exchange_of_its_own_goes_before(world: World, client: Client) -> None:
    """And stays when the policy goes."""
    client.exchange("x", arguments={"alternate-exchange": "amq.fanout"})
    client.queue()
    client.bind("q", "amq.fanout")
    lay(world, alternate_exchange="amq.direct", apply_to="exchanges")
    client.publish(b"1", "k", "x")
    lift(world)
    client.publish(b"2", "k", "x")
    assert client.bodies_in("q") == [b"1", b"2"]


def test_a_delivery_limit_by_policy(world: World, client: Client) -> None:
    """What has come back more often goes."""
    filled(client)
    lay(world, delivery_limit=1)
    for tag, waiting in ((1, 5), (2, 4)):
        client.get("q", no_ack=False)
        client.reject(tag)
        assert client.count() == waiting


def test_the_next_policy_counts_when_the_first_goes(world: World, client: Client) -> None:
    """By priority; and what is declared later is under them from the start."""
    lay(world, "low", max_length=4)
    lay(world, "high", priority=1, max_length=2)
    filled(client)
    assert (client.count(), queue_of(world).rule.policy) == (2, "high")
    lift(world, "high")
    filled(client)
    assert (client.count(), queue_of(world).rule.policy) == (4, "low")


def test_policies_stand_after_a_restart(world: World, client: Client) -> None:
    """Also when the log has been begun anew by a checkpoint."""
    filled(client)
    lay(world, max_length=3)
    world.broker.checkpoint()
    world.commit()
    again = world.restart()
    client = again.connect().open()
    assert client.count() == 3
    client.publish(b"more", properties=PERSISTENT)
    assert client.bodies_in("q") == [*FILLED[3:], b"more"]
    assert queue_of(again).rule.policy == "p"


def test_a_timeout_for_acknowledgements_comes_by_policy(world: World) -> None:
    """Of argument and policy the shorter; 0 is no limit."""
    client = world.connect().open()
    for name, own in (("shorter", 5_000), ("longer", 90_000), ("none", 0)):
        client.queue(name, arguments={"x-consumer-timeout": own})
    lay(world, consumer_timeout=10_000)

    found = {
        name: queue_of(world, name).arguments.consumer_timeout_ms for name in ("shorter", "longer", "none")
    }
    assert found == {"shorter": 5_000, "longer": 10_000, "none": 10_000}

    lay(world, consumer_timeout=0)
    assert queue_of(world, "longer").arguments.consumer_timeout_ms == 90_000
