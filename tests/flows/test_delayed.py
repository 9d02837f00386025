"""x-delayed-message: what has a delay arrives when it is over, and not before, whatever happens meanwhile."""

from typing import Any

import pytest
from pamqp import commands

from mambaamqp.broker.administration import set_policy
from tests.support import expect
from tests.support.accounts import check_accounts
from tests.support.client import Client, World

PERSISTENT = {"delivery_mode": 2}
KIND = "x-delayed-message"


def later(client: Client, kind: str = "direct", name: str = "later", durable: bool = True) -> None:
    """The exchange, with the queue q bound by the key q."""
    client.exchange(name, KIND, durable=durable, arguments={"x-delayed-type": kind})
    client.queue("q", durable=True)
    client.call(1, commands.Queue.Bind(queue="q", exchange=name, routing_key="q"))


def send(client: Client, body: bytes, delay: Any = None, key: str = "q", **properties: Any) -> None:
    headers = properties.pop("headers", {}) | ({} if delay is None else {"x-delay": delay})
    client.publish(body, key, "later", properties=PERSISTENT | {"headers": headers} | properties)


def test_a_delayed_message_arrives_on_time(world: World, client: Client) -> None:
    """To the millisecond, by deadline and not by the order of publishing, its delay negated."""
    later(client)
    for body, delay in ((b"c", 3000), (b"a", 1000), (b"b", 2000)):
        send(client, body, delay, headers={"other": 1})
    assert client.count("q") == 0
    world.advance(0.999)
    assert client.count("q") == 0
    world.advance(0.001)
    found = client.get("q")
    assert found is not None
    assert (found.body, found.properties.headers) == (b"a", {"other": 1, "x-delay": -1000})
    assert (found.method.exchange, found.method.routing_key) == ("later", "q")
    world.advance(2)
    assert client.bodies_in("q") == [b"b", b"c"]
    world.commit()
    assert world.journal.live_bytes == 0


@pytest.mark.parametrize("delay", [None, 0, -5, True, "100", 1.5])
def test_without_a_delay_it_is_routed_at_once(client: Client, delay: Any) -> None:
    """And comes as it was sent."""
    later(client)
    send(client, b"x", delay)
    found = client.get("q")
    assert found is not None
    assert found.properties.headers.get("x-delay") == delay


@pytest.mark.parametrize("drowsy", [0, 2])
@pytest.mark.parametrize("clean", [True, False])
def test_delays_survive_a_restart(clean: bool, drowsy: int) -> None:
    """Awake or asleep; the clock goes on, and what was settled stays settled."""
    world = World(drowsy=drowsy)
    client = world.connect().open()
    later(client)
    for number in range(40):
        send(client, b"%d" % number, 10_000 + 1000 * (number % 4))
    world.settle()
    world.settle()
    world.advance(10)
    assert client.bodies_in("q") == [b"%d" % number for number in range(0, 40, 4)]
    world.advance(0.5)
    again = world.restart(clean=clean)
    check_accounts(again)
    reader = again.connect().open()
    again.advance(0.4)
    assert reader.count("q") == 0
    again.advance(0.2)
    assert reader.bodies_in("q") == [b"%d" % number for number in range(1, 40, 4)]
    again.advance(5)
    assert len(reader.bodies_in("q")) == 20
    again.commit()
    assert again.journal.live_bytes == 0


@pytest.mark.parametrize(
    ("kind", "key", "binding"), [("topic", "a.b", "a.*"), ("fanout", "any", ""), ("x-modulus-hash", "k", "1")]
)
def test_any_type_may_decide(world: World, client: Client, kind: str, key: str, binding: str) -> None:
    """When the delay is over: a queue that is bound meanwhile gets it."""
    later(client, kind)
    client.call(1, commands.Queue.Unbind(queue="q", exchange="later", routing_key="q"))
    client.publish(b"x", key, "later", properties={"headers": {"x-delay": 1000}})
    client.call(1, commands.Queue.Bind(queue="q", exchange="later", routing_key=binding))
    world.advance(1)
    assert client.bodies_in("q") == [b"x"]


def test_copies_and_alternates_are_found_later(world: World, client: Client) -> None:
    """CC keys when it is released, the alternate exchange if nobody takes it then."""
    client.exchange("lost", "fanout")
    client.queue("found")
    client.call(1, commands.Queue.Bind(queue="found", exchange="lost", routing_key=""))
    arguments = {"x-delayed-type": "direct", "alternate-exchange": "lost"}
    client.exchange("later", KIND, arguments=arguments)
    client.queue("q")
    client.call(1, commands.Queue.Bind(queue="q", exchange="later", routing_key="copy"))
    send(client, b"copied", 100, key="nobody", headers={"CC": ["copy"]})
    send(client, b"unroutable", 100, key="nobody")
    world.advance(0.1)
    assert client.bodies_in("q") == [b"copied"]
    assert client.bodies_in("found") == [b"unroutable"]


def test_its_own_time_to_live_begins_afterwards(world: World, client: Client) -> None:
    """Expiration is for the queue, not for the delay."""
    later(client)
    send(client, b"x", 5000, expiration="1000")
    world.advance(5)
    assert client.count("q") == 1
    world.advance(0.999)
    assert client.count("q") == 1
    world.advance(0.001)
    assert client.count("q") == 0


def test_a_delayed_message_is_never_returned(world: World, client: Client) -> None:
    """mandatory is answered before anybody knows."""
    later(client)
    client.publish(b"x", "nobody", "later", mandatory=True, properties={"headers": {"x-delay": 100}})
    world.advance(1)
    assert not client.of(commands.Basic.Return)
    assert not client.take()


def test_a_confirm_waits_for_the_disk(world: World, client: Client) -> None:
    """As for any durable queue."""
    later(client)
    client.call(1, commands.Confirm.Select())
    world.hold = True
    send(client, b"x", 1000)
    assert not client.of(commands.Basic.Ack)
    world.hold = False
    world.settle()
    assert client.of(commands.Basic.Ack)


@pytest.mark.parametrize("clean", [True, False])
def test_what_waits_goes_with_the_exchange(world: World, client: Client, clean: bool) -> None:
    """And does not come back with another of its name."""
    later(client)
    send(client, b"x", 1000)
    client.call(1, commands.Exchange.Delete(exchange="later"))
    world.commit()
    assert world.journal.live_bytes == 0
    assert list(world.broker.vhosts["/"].queues) == ["q"]
    again = world.restart(clean=clean)
    client = again.connect().open()
    later(client)
    again.advance(2)
    assert client.count("q") == 0
    assert len(again.broker.vhosts["/"].queues) == 2


def test_an_auto_delete_exchange_takes_it_along(world: World, client: Client) -> None:
    """When its last binding goes."""
    client.exchange("later", KIND, auto_delete=True, arguments={"x-delayed-type": "fanout"})
    client.queue("q")
    client.call(1, commands.Queue.Bind(queue="q", exchange="later", routing_key=""))
    send(client, b"x", 1000)
    client.call(1, commands.Queue.Delete(queue="q"))
    world.advance(2)
    assert list(world.broker.vhosts["/"].queues) == []
    assert world.journal.live_bytes == 0


@pytest.mark.parametrize("arguments", [{}, {"x-delayed-type": "nonsense"}, {"x-delayed-type": KIND}])
def test_the_type_must_be_said(client: Client, arguments: dict[str, Any]) -> None:
    """406."""
    expect.channel_closed(
        client.exchange("later", KIND, arguments=arguments),
        406,
        f"PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type, "
        f"and not '{KIND}'",
        commands.Exchange.Declare,
    )


def test_nobody_reaches_the_delay_queue(world: World, client: Client) -> None:
    """405 for whoever guesses its name; the default exchange does not know it."""
    later(client)
    send(client, b"x", 1000)
    [name] = [name for name in world.broker.vhosts["/"].queues if name != "q"]
    client.publish(b"forged", name)
    for attempt in (
        commands.Basic.Get(queue=name),
        commands.Basic.Consume(queue=name),
        commands.Queue.Purge(queue=name),
        commands.Queue.Delete(queue=name),
        commands.Queue.Declare(queue=name, passive=True),
        commands.Queue.Bind(queue=name, exchange="later", routing_key="q"),
    ):
        assert client.call(1, attempt).reply_code == 405
        client.send(1, commands.Channel.CloseOk())
        client.open()
    world.advance(1)
    assert client.bodies_in("q") == [b"x"]


def test_no_policy_shortens_it(world: World, client: Client) -> None:
    """A pattern that fits every name is for queues that clients have."""
    later(client)
    send(client, b"x", 1000)
    user = world.access.users.get("guest")
    assert user is not None
    policy = {"pattern": "", "definition": {"max-length": 0, "message-ttl": 10}}
    set_policy(world.broker.vhosts["/"], world.access.actor(user, "/"), "short", policy)
    world.advance(0.999)
    set_policy(world.broker.vhosts["/"], world.access.actor(user, "/"), "short", policy | {"pattern": "^z"})
    world.advance(0.001)
    assert client.bodies_in("q") == [b"x"]
