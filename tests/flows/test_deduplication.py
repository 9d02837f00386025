"""Deduplication: what was published once is there once, whatever happens, and nothing is lost."""

from typing import Any

import pytest
from pamqp import commands

from mambaamqp.access.permissions import Actor
from mambaamqp.broker import administration
from mambaamqp.broker.window import Window
from tests.support import expect
from tests.support.accounts import check_accounts
from tests.support.client import Client, World

KIND = "x-message-deduplication"
HEADER = "x-deduplication-header"


@pytest.fixture(params=[0, 2], ids=["awake", "asleep"])
def world(request: pytest.FixtureRequest) -> World:
    """Also with all sleeping on disk that may."""
    return World(drowsy=request.param)


def once(client: Client, name: str = "once", kind: str = KIND, durable: bool = True, **arguments: Any) -> Any:
    """The exchange, with the queue q bound."""
    given = {key.replace("_", "-"): value for key, value in arguments.items()}
    if kind == KIND:
        given.setdefault("x-cache-size", 1000)
    answer = client.exchange(name, kind, durable=durable, arguments=given)
    client.queue("q", durable=True)
    client.bind("q", name, "k")
    return answer


def send(
    client: Client, body: bytes, key: Any = None, to: str = "once", routing_key: str = "k", **options: Any
) -> None:
    headers = options.pop("headers", {}) | ({} if key is None else {HEADER: key})
    mode = options.pop("delivery_mode", 2)
    properties = {"delivery_mode": mode, "headers": headers}
    client.publish(body, routing_key, to, properties=properties, **options)


def admin(world: World) -> Actor:
    user = world.access.users.get("guest")
    assert user is not None
    return world.access.actor(user, "/")


def lay(world: World, **definition: Any) -> None:
    """Set a policy over everything."""
    value = {"pattern": "", "definition": {key.replace("_", "-"): value for key, value in definition.items()}}
    administration.set_policy(world.broker.vhosts["/"], admin(world), "p", value)
    world.settle()


def window(world: World, exchange: str = "once") -> Window:
    queues = world.broker.vhosts["/"].queues.values()
    found = [queue for queue in queues if isinstance(queue, Window) and queue.exchange_name == exchange]
    assert len(found) == 1
    return found[0]


# The exchange


@pytest.mark.parametrize("key", ["a", "ä" * 100, 7, -1, 2**40, True, 1.5, "x" * 60_000])
def test_a_message_is_routed_once(client: Client, key: Any) -> None:
    """Of each key, whatever the key is; what has none is routed always."""
    once(client)
    for number in range(3):
        send(client, b"%d" % number, key)
        send(client, b"always")
    assert client.bodies_in("q") == [b"0", b"always", b"always", b"always"]


@pytest.mark.parametrize("key", [["a"], {"a": "b"}])
def test_what_is_no_key_is_routed(client: Client, key: Any) -> None:
    """Lists and tables say nothing about who a message is."""
    once(client)
    send(client, b"1", key)
    send(client, b"2", key)
    assert client.bodies_in("q") == [b"1", b"2"]


def test_text_and_numbers_are_different(client: Client) -> None:
    """The same digits are not the same key; the same number is, however wide."""
    once(client)
    for key in ("1", 1, True, 1.0, 1):
        send(client, repr(key).encode(), key)
    assert client.bodies_in("q") == [b"'1'", b"1", b"True", b"1.0"]


def test_it_is_a_fanout(client: Client) -> None:
    """Routing keys do not matter, as in the plug-in."""
    once(client)
    send(client, b"x", "a", routing_key="anything")
    assert client.bodies_in("q") == [b"x"]


def test_every_duplicate_is_confirmed(world: World, client: Client) -> None:
    """It is an ack, and none goes before the first one is safe."""
    once(client)
    client.confirm()
    world.hold = True
    send(client, b"x", "a")
    send(client, b"x", "a")
    world.settle()
    assert client.of(commands.Basic.Ack) == []
    world.hold = False
    world.settle()
    assert client.of(commands.Basic.Nack) == []
    assert client.of(commands.Basic.Ack)[-1].delivery_tag == 2
    send(client, b"x", "a")
    assert client.of(commands.Basic.Ack)[-1].delivery_tag == 3


def test_a_duplicate_of_another_connection_waits_too(world: World, client: Client) -> None:
    """Its ack promises that the message is there."""
    once(client)
    other = world.connect().open().confirm()
    world.hold = True
    send(client, b"x", "a")
    send(other, b"x", "a")
    world.settle()
    assert other.of(commands.Basic.Ack) == []
    world.hold = False
    world.settle()
    assert [ack.delivery_tag for ack in other.of(commands.Basic.Ack)] == [1]


def test_mandatory_duplicates_do_not_come_back(client: Client) -> None:
    """They have been routed before; what nobody takes comes back, and is not remembered."""
    once(client)
    send(client, b"x", "a", mandatory=True)
    send(client, b"x", "a", mandatory=True)
    assert client.take() == []
    client.exchange("void", KIND, arguments={"x-cache-size": 10})
    send(client, b"x", "a", "void", mandatory=True)
    send(client, b"x", "a", "void", mandatory=True)
    assert [delivery.method.name for delivery in client.take()] == ["Basic.Return", "Basic.Return"]
    client.bind("q", "void")
    send(client, b"y", "a", "void", mandatory=True)
    assert client.bodies_in("q") == [b"x", b"y"]


def test_duplicates_do_not_go_to_the_alternate_exchange(client: Client) -> None:
    """It takes what is routed nowhere, not what has been."""
    client.exchange("rest", "fanout")
    client.queue("rest")
    client.bind("rest", "rest")
    once(client, alternate_exchange="rest")
    send(client, b"x", "a")
    send(client, b"x", "a")
    assert (client.bodies_in("q"), client.bodies_in("rest")) == ([b"x"], [])


def test_the_oldest_keys_leave_first(client: Client) -> None:
    """A window of three knows the last three."""
    once(client, x_cache_size=3)
    for key in ("a", "b", "c", "d", "b", "a"):
        send(client, key.encode(), key)
    assert client.bodies_in("q") == [b"a", b"b", b"c", b"d", b"a"]


def test_keys_have_their_time(world: World, client: Client) -> None:
    """The exchange's, or the message's own, which goes before it, to the millisecond."""
    once(client, x_cache_ttl=1000)
    send(client, b"exchange", "a")
    send(client, b"longer", "b", headers={"x-cache-ttl": 2000})
    send(client, b"never", "c", headers={"x-cache-ttl": 0})
    send(client, b"never", "c", headers={"x-cache-ttl": 0})
    send(client, b"exchange", "d", headers={"x-cache-ttl": "soon"})
    world.advance(0.999)
    for key in "abd":
        send(client, b"too early", key)
    world.advance(0.001)
    for key in "abd":
        send(client, b"again", key)
    world.advance(1)
    send(client, b"at last", "b")
    assert client.bodies_in("q") == [
        *(b"exchange", b"longer", b"never", b"never", b"exchange", b"again", b"again", b"at last"),
    ]
    world.advance(10)
    assert window(world).ready.count == 0
    assert window(world).keys.until == {}


def test_a_time_of_a_hundred_thousand_years_is_ten(world: World, client: Client) -> None:
    """As every time span."""
    once(client)
    send(client, b"x", "a", headers={"x-cache-ttl": 2**62})
    world.advance(10 * 365 * 24 * 3600 - 1)
    send(client, b"x", "a")
    world.advance(1)
    send(client, b"y", "a")
    assert client.bodies_in("q") == [b"x", b"y"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"),
        (
            {"x-cache-size": 0},
            "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0",
        ),
        (
            {"x-cache-size": "5x"},
            "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0",
        ),
        (
            {"x-cache-size": True},
            "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0",
        ),
        ({"x-cache-size": 1_000_001}, "Invalid argument, 'x-cache-size' must not be greater than 1000000"),
        (
            {"x-cache-size": 1, "x-cache-ttl": 0},
            "Invalid argument, 'x-cache-ttl' must be an integer greater than 0",
        ),
        (
            {"x-cache-size": 1, "x-cache-ttl": 1.5},
            "Invalid argument, 'x-cache-ttl' must be an integer greater than 0",
        ),
        (
            {"x-cache-size": 1, "x-cache-persistence": "tape"},
            "Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'",
        ),
        (
            {"x-cache-size": 1, "x-deduplication-header": 5},
            "Invalid argument, 'x-deduplication-header' must be the name of a header",
        ),
    ],
)
def test_wrong_arguments_are_refused(client: Client, arguments: dict[str, Any], problem: str) -> None:
    """In the plug-in's words where it has some."""
    answer = client.exchange("once", KIND, arguments=arguments)
    expect.channel_closed(answer, 406, f"PRECONDITION_FAILED - {problem}")


def test_numbers_may_be_text(client: Client) -> None:
    """As in the plug-in's own example."""
    once(client, x_cache_size="1", x_cache_ttl="60000")
    for key in ("a", "a", "b", "a"):
        send(client, key.encode(), key)
    assert client.bodies_in("q") == [b"a", b"b", b"a"]


# Any exchange


def test_an_exchange_of_another_type_deduplicates_too(client: Client) -> None:
    """LavinMQ's arguments: its type decides where to, and another header may be the key."""
    once(client, kind="topic", x_message_deduplication=True, x_deduplication_header="id", x_cache_size=2)
    send(client, b"elsewhere", headers={"id": "a"}, routing_key="other")
    for key in ("a", "a", "b", "c", "a"):
        send(client, key.encode(), headers={"id": key})
    assert client.bodies_in("q") == [b"a", b"b", b"c", b"a"]


def test_without_a_size_it_remembers_128(client: Client) -> None:
    """LavinMQ's default."""
    once(client, kind="direct", x_message_deduplication=True)
    for key in [*range(129), 128, 1, 0]:
        send(client, b"%d" % key, key)
    assert client.bodies_in("q") == [b"%d" % key for key in [*range(129), 0]]


def test_false_is_no_deduplication(client: Client) -> None:
    """And anything but a truth value is refused; nor can delays be deduplicated in one exchange."""
    once(client, kind="direct", x_message_deduplication=False)
    send(client, b"x", "a")
    send(client, b"x", "a")
    assert client.bodies_in("q") == [b"x", b"x"]
    answer = client.exchange("other", "direct", arguments={"x-message-deduplication": "yes"})
    expect.channel_closed(
        answer, 406, "PRECONDITION_FAILED - Invalid argument, 'x-message-deduplication' must be a boolean"
    )
    client.open(2)
    arguments = {"x-message-deduplication": True, "x-delayed-type": "direct"}
    answer = client.exchange("other", "x-delayed-message", channel=2, arguments=arguments)
    problem = "Invalid argument, 'x-message-deduplication' is not for exchanges of type 'x-delayed-message'"
    expect.channel_closed(answer, 406, f"PRECONDITION_FAILED - {problem}")


# What is remembered


def test_what_a_queue_refused_is_not_remembered(client: Client) -> None:
    """The publisher got a nack and tries again, until there is room."""
    client.queue("q", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    client.exchange("once", KIND, durable=True, arguments={"x-cache-size": 10})
    client.bind("q", "once")
    client.confirm()
    send(client, b"1", "a")
    send(client, b"2", "b")
    assert [nack.delivery_tag for nack in client.of(commands.Basic.Nack)] == [2]
    assert client.bodies_in("q") == [b"1"]
    send(client, b"2", "b")
    send(client, b"2", "b")
    assert client.bodies_in("q") == [b"2"]
    assert client.of(commands.Basic.Ack)[-1].delivery_tag == 4


def test_a_rollback_remembers_nothing(client: Client) -> None:
    """What was taken back can be published."""
    once(client)
    client.call(1, commands.Tx.Select())
    send(client, b"x", "a")
    client.call(1, commands.Tx.Rollback())
    send(client, b"y", "a")
    client.call(1, commands.Tx.Commit())
    assert client.bodies_in("q") == [b"y"]


def test_two_equal_ones_in_a_transaction(world: World, client: Client) -> None:
    """One of them is routed; what another connection published meanwhile counts too; none comes back."""
    once(client)
    other = world.connect().open()
    client.call(1, commands.Tx.Select())
    for body, key in ((b"1", "a"), (b"2", "a"), (b"3", "b")):
        send(client, body, key, mandatory=True)
    send(other, b"4", "b")
    assert isinstance(client.call(1, commands.Tx.Commit()), commands.Tx.CommitOk)
    assert client.take() == []
    assert other.bodies_in("q") == [b"4", b"1"]


def test_a_commit_of_duplicates_waits_for_the_first(world: World, client: Client) -> None:
    """commit-ok promises what a confirm does."""
    once(client)
    other = world.connect().open()
    other.call(1, commands.Tx.Select())
    world.hold = True
    send(client, b"x", "a")
    send(other, b"x", "a")
    assert other.call(1, commands.Tx.Commit()) is None
    world.hold = False
    world.settle()
    assert len(other.of(commands.Tx.CommitOk)) == 1


def test_what_reaches_a_queue_by_another_way_too(client: Client) -> None:
    """Only the way through the window is closed."""
    client.exchange("all", "fanout")
    once(client)
    client.queue("every")
    client.call(1, commands.Exchange.Bind(destination="once", source="all"))
    client.bind("every", "all")
    for mode in ("plain", "transaction"):
        if mode == "transaction":
            client.call(1, commands.Tx.Select())
        send(client, b"x", mode, "all", mandatory=True)
        send(client, b"x", mode, "all", mandatory=True)
    client.call(1, commands.Tx.Commit())
    assert (client.count("q"), client.count("every")) == (2, 4)
    assert client.take() == []


def test_carbon_copies_are_one_message(client: Client) -> None:
    """Several keys, one look."""
    once(client, kind="direct", x_message_deduplication=True)
    client.bind("q", "once", "other")
    for _ in range(2):
        send(client, b"x", "a", headers={"CC": ["other", "third"]})
    assert client.bodies_in("q") == [b"x"]


def test_dead_letters_are_deduplicated_like_everything_else(world: World, client: Client) -> None:
    """One that the exchange has routed before ends there."""
    once(client)
    arguments = {"x-dead-letter-exchange": "once", "x-message-ttl": 100}
    client.queue("short", durable=True, arguments=arguments)
    for key in ("a", "a", "b"):
        client.publish(key.encode(), "short", properties={"delivery_mode": 2, "headers": {HEADER: key}})
    world.advance(1)
    assert client.bodies_in("q") == [b"a", b"b"]
    world.commit()
    assert [segment.live for segment in world.journal.segments].count(1) <= 1
    check_accounts(world)


def test_a_dead_letter_that_would_circle_is_not_remembered(world: World, client: Client) -> None:
    """It reached nobody; the key is as free as it was."""
    once(client)
    arguments = {"x-dead-letter-exchange": "once", "x-message-ttl": 100}
    client.queue("short", durable=True, arguments=arguments)
    client.call(1, commands.Queue.Unbind(queue="q", exchange="once", routing_key="k"))
    client.bind("short", "once")
    for _ in range(2):
        client.publish(b"x", "short", properties={"delivery_mode": 2, "headers": {HEADER: "a"}})
        world.advance(1)
    assert client.count("short") == 0
    assert window(world).ready.count == 0
    world.commit()
    assert world.journal.live_bytes == 0


def test_a_duplicate_is_no_dead_letter_to_keep(world: World, client: Client) -> None:
    """At least once is what it has been routed already."""
    once(client)
    client.queue(
        "short",
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-dead-letter-exchange": "once",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-message-ttl": 100,
        },
    )
    for _ in range(2):
        client.publish(b"x", "short", properties={"delivery_mode": 2, "headers": {HEADER: "a"}})
    world.advance(1)
    assert client.bodies_in("q") == [b"x"]
    assert len(world.broker.vhosts["/"].queues["short"].kept) == 0


def test_delayed_and_then_deduplicated(world: World, client: Client) -> None:
    """An exchange that delays, bound to one that deduplicates: the first to arrive counts."""
    once(client)
    client.exchange("later", "x-delayed-message", durable=True, arguments={"x-delayed-type": "fanout"})
    client.call(1, commands.Exchange.Bind(destination="once", source="later"))
    send(client, b"slow", "a", "later", headers={"x-delay": 2000})
    send(client, b"quick", "a", "later", headers={"x-delay": 1000})
    world.advance(5)
    assert client.bodies_in("q") == [b"quick"]


def test_the_window_goes_with_the_exchange(world: World, client: Client) -> None:
    """Another one of the same name knows nothing, and nothing stays in the journal."""
    once(client)
    send(client, b"x", "a")
    client.call(1, commands.Exchange.Delete(exchange="once"))
    assert client.bodies_in("q") == [b"x"]
    world.commit()
    assert world.journal.live_bytes == 0
    once(client)
    send(client, b"y", "a")
    assert client.bodies_in("q") == [b"y"]


def test_nobody_reaches_the_window(world: World, client: Client) -> None:
    """It is locked, and the default exchange does not know it; policies for queues are not for it."""
    once(client)
    name = window(world).name
    answer = client.queue(name, passive=True)
    assert answer.reply_code == 405
    client.open(2)
    client.publish(b"x", name, channel=2, mandatory=True)
    assert [delivery.method.name for delivery in client.take()] == ["Basic.Return"]
    lay(world, max_length=0)
    client.bind("q", "once", channel=2)
    send(client, b"x", "a", channel=2)
    assert window(world).ready.count == 1


# After a restart


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("drowsy", [0, 2])
def test_a_restart_forgets_nothing(clean: bool, drowsy: int) -> None:
    """Neither keys nor their time nor their order, although the messages have been consumed."""
    world = World(drowsy=drowsy)
    client = world.connect().open()
    once(client, x_cache_size=30, x_cache_ttl=10_000)
    for number in range(40):
        send(client, b"%d" % number, number)
    send(client, b"x", 39, headers={"x-cache-ttl": 1000})
    assert len(client.bodies_in("q")) == 40
    world.advance(9)
    again = world.restart(clean=clean)
    check_accounts(again)
    reader = again.connect().open()
    for number in (10, 25, 39, 9):
        send(reader, b"again", number)
    assert reader.bodies_in("q") == [b"again"]
    again.advance(1)
    for number in (39, 20, 9):
        send(reader, b"%d" % number, number)
    assert reader.bodies_in("q") == [b"39", b"20"]
    assert window(again).ready.count == 3


def test_what_is_not_on_disk_is_not_remembered_there(world: World, client: Client) -> None:
    """The key of a message that a restart loses is lost with it, so that it can be published again."""
    once(client)
    client.queue("fleeting")
    client.bind("fleeting", "once")
    send(client, b"transient", "a", delivery_mode=1)
    send(client, b"persistent", "b")
    again = world.restart(clean=False)
    reader = again.connect().open()
    send(reader, b"transient", "a")
    send(reader, b"persistent", "b")
    assert reader.bodies_in("q") == [b"persistent", b"transient"]


def test_a_quorum_queue_keeps_the_keys_of_transient_messages(world: World, client: Client) -> None:
    """As it keeps the messages."""
    client.queue("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    once(client)
    client.bind("quorum", "once")
    send(client, b"x", "a", delivery_mode=1)
    reader = world.restart(clean=False).connect().open()
    send(reader, b"x", "a", delivery_mode=1)
    assert reader.bodies_in("quorum") == [b"x"]


@pytest.mark.parametrize(
    ("durable", "persistence", "left"), [(True, "memory", [b"x", b"x"]), (True, "disk", [b"x"])]
)
def test_memory_is_memory(durable: bool, persistence: str, left: list[bytes]) -> None:
    """Who asks for it has the plug-in's default: a restart forgets the keys."""
    world = World()
    client = world.connect().open()
    once(client, durable=durable, x_cache_persistence=persistence)
    send(client, b"x", "a")
    reader = world.restart().connect().open()
    send(reader, b"x", "a")
    assert reader.bodies_in("q") == left


def test_keys_survive_the_segments_that_they_were_written_to() -> None:
    """Compaction moves them, and what is evicted leaves room."""
    world = World(segment_bytes=4096)
    world.journal.slack_segments = 1
    client = world.connect().open()
    once(client, x_cache_size=5)
    for number in range(5):
        send(client, b"first", number)
    assert len(client.bodies_in("q")) == 5
    first = world.journal.segments[0].base_lsn
    client.queue("busy", durable=True)
    for number in range(400):
        client.publish(b"%d" % number * 50, "busy", properties={"delivery_mode": 2})
        client.get("busy")
        if world.journal.wants_checkpoint():
            world.broker.checkpoint()
        world.commit()
        world.journal.drop_dead_segments()
        world.broker.compact(world.now)
        world.advance(0.01)
    world.commit()
    assert world.journal.segments[0].base_lsn > first
    assert world.broker.compaction.moved_messages >= 5
    check_accounts(world)
    reader = world.restart(clean=False).connect().open()
    for number in range(5):
        send(reader, b"again", number)
    assert reader.bodies_in("q") == []


def test_an_exchange_of_before_gets_a_window(world: World, client: Client) -> None:
    """One that lost it, or that had its arguments when they meant nothing yet."""
    once(client)
    queue = window(world)
    world.broker.vhosts["/"].drop_queue(queue)
    again = world.restart()
    reader = again.connect().open()
    send(reader, b"x", "a")
    send(reader, b"x", "a")
    assert reader.bodies_in("q") == [b"x"]
    third = again.restart(clean=False).connect().open()
    send(third, b"x", "a")
    assert third.bodies_in("q") == []


# Policies


def test_a_policy_rules_the_window(world: World, client: Client) -> None:
    """At once: what is too much goes, and new keys have its time; the arguments again when it goes."""
    once(client, x_cache_size=5, x_cache_ttl=10_000)
    for key in range(5):
        send(client, b"%d" % key, key)
    lay(world, x_cache_size=2, x_cache_ttl=1000, x_cache_persistence="memory")
    assert window(world).ready.count == 2
    client.bodies_in("q")
    send(client, b"new", "new")
    send(client, b"gone", 3)
    world.advance(1)
    send(client, b"again", "new")
    assert client.bodies_in("q") == [b"new", b"gone", b"again"]
    administration.clear_policy(world.broker.vhosts["/"], admin(world), "p")
    for key in range(10, 15):
        send(client, b"%d" % key, key)
    assert window(world).ready.count == 5


# Queues


def unique(client: Client, kind: str = "classic", **arguments: Any) -> None:
    """The queue u, which takes no duplicates."""
    given = {"x-message-deduplication": True, "x-queue-type": kind}
    given |= {key.replace("_", "-"): value for key, value in arguments.items()}
    assert isinstance(client.queue("u", durable=True, arguments=given), commands.Queue.DeclareOk)


def put(client: Client, body: bytes, key: Any, **options: Any) -> None:
    send(client, body, key, to="", routing_key="u", **options)


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_a_queue_takes_no_second_one_like_it(client: Client, kind: str) -> None:
    """While one waits or is unacknowledged, or comes back; afterwards it may come again."""
    unique(client, kind)
    client.confirm()
    for body in (b"1", b"2"):
        put(client, body, "a")
    assert client.of(commands.Basic.Ack)[-1].delivery_tag == 2
    taken = client.get("u", no_ack=False)
    assert taken is not None
    put(client, b"3", "a")
    client.nack(taken.method.delivery_tag)
    put(client, b"4", "a")
    taken = client.get("u", no_ack=False)
    assert taken is not None
    assert taken.body == b"1"
    client.ack(taken.method.delivery_tag)
    put(client, b"5", "a")
    assert client.bodies_in("u") == [b"5"]
    put(client, b"6", "a")
    assert client.bodies_in("u") == [b"6"]


def test_what_leaves_the_queue_leaves_its_key_free(world: World, client: Client) -> None:
    """By expiry, by a length limit, by a purge, refused, or consumed without acknowledgement."""
    unique(client, x_max_length=8, x_message_ttl=60_000)
    for number in range(10):
        put(client, b"old", number)
    put(client, b"new", 0)
    assert client.bodies_in("u").count(b"new") == 1
    put(client, b"refused", "r")
    taken = client.get("u", no_ack=False)
    assert taken is not None
    client.reject(taken.method.delivery_tag, requeue=False)
    for number in range(6):
        put(client, b"purged", number)
    client.call(1, commands.Queue.Purge(queue="u"))
    put(client, b"late", "r")
    put(client, b"late", 0)
    world.advance(60)
    put(client, b"later", 0)
    assert client.bodies_in("u") == [b"later"]
    client.consume("u", no_ack=True)
    put(client, b"1", 0)
    put(client, b"2", 0)
    assert client.bodies() == [b"1", b"2"]


def test_a_purge_leaves_what_is_unacknowledged(client: Client) -> None:
    """Its key is still taken."""
    unique(client)
    put(client, b"1", "a")
    put(client, b"2", "b")
    taken = client.get("u", no_ack=False)
    assert taken is not None
    client.call(1, commands.Queue.Purge(queue="u"))
    put(client, b"3", "a")
    put(client, b"4", "b")
    assert client.bodies_in("u") == [b"4"]


def test_a_message_may_say_how_long_its_key_counts(world: World, client: Client) -> None:
    """Though it stands there longer; the first one's end does not free the second one's key."""
    unique(client)
    put(client, b"1", "a", headers={"x-cache-ttl": 1000})
    put(client, b"2", "a")
    world.advance(1)
    put(client, b"3", "a", headers={"x-cache-ttl": 5000})
    assert client.get("u") is not None
    put(client, b"4", "a")
    assert client.bodies_in("u") == [b"3"]


def test_a_refused_one_is_no_first_one(client: Client) -> None:
    """A nack means: try again. A duplicate of what stands there is no overflow."""
    unique(client, x_max_length=1, x_overflow="reject-publish")
    client.confirm()
    put(client, b"1", "a")
    put(client, b"2", "b")
    put(client, b"1", "a")
    assert [nack.delivery_tag for nack in client.of(commands.Basic.Nack)] == [2]
    assert client.bodies_in("u") == [b"1"]
    put(client, b"2", "b")
    assert client.bodies_in("u") == [b"2"]


def test_dead_letters_may_come_back(world: World, client: Client) -> None:
    """A message that dies has left: through its dead-letter exchange into the same queue is no duplicate."""
    unique(client, x_dead_letter_exchange="", x_dead_letter_routing_key="u")
    put(client, b"x", "a")
    taken = client.get("u", no_ack=False)
    assert taken is not None
    client.reject(taken.method.delivery_tag, requeue=False)
    put(client, b"y", "a")
    assert client.bodies_in("u") == [b"x"]
    check_accounts(world)


@pytest.mark.parametrize("end", [commands.Tx.Commit, commands.Tx.Rollback])
def test_transactions_into_a_unique_queue(client: Client, end: Any) -> None:
    """Two equal ones are one; a settlement in it makes room; a rollback remembers nothing."""
    unique(client)
    put(client, b"0", "a")
    taken = client.get("u", no_ack=False)
    assert taken is not None
    client.call(1, commands.Tx.Select())
    client.ack(taken.method.delivery_tag)
    for body, key in ((b"1", "a"), (b"2", "a"), (b"3", "b"), (b"4", "b")):
        put(client, body, key)
    client.call(1, end())
    client.open(2)
    send(client, b"5", "b", to="", routing_key="u", channel=2)
    assert client.bodies_in("u", channel=2) == ([b"1", b"3"] if end is commands.Tx.Commit else [b"5"])


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("drowsy", [0, 2])
def test_a_unique_queue_stays_so_after_a_restart(clean: bool, drowsy: int) -> None:
    """What stands in it then is known, and what does not is not."""
    world = World(drowsy=drowsy)
    client = world.connect().open()
    unique(client)
    for number in range(20):
        put(client, b"%d" % number, number, delivery_mode=1 if number == 19 else 2)
    for _ in range(3):
        client.get("u")
    assert client.get("u", no_ack=False) is not None
    reader = world.restart(clean=clean).connect().open()
    for number in range(20):
        put(reader, b"again", number)
    assert reader.bodies_in("u") == [*(b"%d" % number for number in range(3, 19)), *[b"again"] * 4]


def test_a_policy_makes_a_queue_unique(world: World, client: Client) -> None:
    """With what stands in it, waiting or unacknowledged; and not any more when it goes."""
    client.queue("u", durable=True)
    put(client, b"1", "a")
    put(client, b"2", "b")
    taken = client.get("u", no_ack=False)
    lay(world, x_message_deduplication=True)
    put(client, b"3", "a")
    put(client, b"4", "b")
    assert taken is not None
    client.ack(taken.method.delivery_tag)
    put(client, b"5", "a")
    assert client.bodies_in("u") == [b"2", b"5"]
    administration.clear_policy(world.broker.vhosts["/"], admin(world), "p")
    put(client, b"6", "a")
    put(client, b"7", "a")
    assert client.bodies_in("u") == [b"6", b"7"]


def test_a_redeclare_does_not_compare_it(client: Client) -> None:
    """No type of queue knows the plug-in's argument; only its value is looked at."""
    unique(client)
    assert isinstance(client.queue("u", durable=True), commands.Queue.DeclareOk)
    answer = client.queue("v", arguments={"x-message-deduplication": "yes"})
    expect.channel_closed(
        answer,
        406,
        "PRECONDITION_FAILED - invalid arg 'x-message-deduplication' for queue 'v' in vhost '/': "
        "{unacceptable_type,longstr}",
    )
