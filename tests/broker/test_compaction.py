"""mambaamqp/broker/compaction.py: room comes back although old messages stay, and nothing else changes."""

from typing import Any

import pytest
from pamqp import commands

from mambaamqp.server.housekeeping import tidy
from mambaamqp.store.journal import LOG_PER_LIVE, SLACK_SEGMENTS
from tests.support.accounts import check_accounts
from tests.support.client import Client, World

SEGMENT_BYTES = 10_000
PERSISTENT = {"delivery_mode": 2}


@pytest.fixture
def world() -> World:
    """With small segments."""
    made = World()
    made.journal.segment_bytes = SEGMENT_BYTES
    return made


@pytest.fixture
def client(world: World) -> Client:
    """With the durable queues old and q, and confirms."""
    made = world.connect().open()
    made.queue("old", durable=True)
    made.queue("q", durable=True)
    return made


def keep_house(world: World, *, compact: bool = True) -> None:
    """What housekeeping does in a second, with all the slices that follow."""
    for _ in range(4):
        tidy(world.journal, world.broker)
        world.commit()
        if compact:
            world.broker.compact(world.now)
        world.advance(1)


def traffic(client: Client, octets: int) -> None:
    """So much through q and out again."""
    for _ in range(octets // 1000):
        client.publish(bytes(800), properties=PERSISTENT)
        assert client.get() is not None


def publish(client: Client, body: bytes, key: str = "old", exchange: str = "", **properties: Any) -> None:
    client.publish(body, key, exchange, properties={**PERSISTENT, **properties})


def allowed_bytes(world: World) -> int:
    return LOG_PER_LIVE * world.journal.live_bytes + SLACK_SEGMENTS * SEGMENT_BYTES


def segments_on_disk(world: World) -> int:
    return len([name for name in world.disk.list("/store") if name.endswith(".journal")])


def test_one_old_message_does_not_keep_the_log(world: World, client: Client) -> None:
    """Whatever passes by, the log stays within what is allowed, and the message is still there."""
    publish(client, b"old")
    for _ in range(10):
        traffic(client, 100_000)
        keep_house(world)
        assert world.journal.log_bytes <= allowed_bytes(world) + SEGMENT_BYTES
    assert world.broker.compaction.moved_messages > 1
    assert client.bodies_in("old") == [b"old"]


def test_without_compaction_it_would(world: World, client: Client) -> None:
    """So that the test before proves something."""
    publish(client, b"old")
    traffic(client, 300_000)
    keep_house(world, compact=False)
    assert world.journal.log_bytes > 250_000


def test_an_outstanding_message_is_moved_too(world: World, client: Client) -> None:
    """Delivered, got, or acknowledged in a transaction that is open: it keeps its tag and its place."""
    holder = world.connect().open().open(2)
    for body in (b"consumed", b"got", b"held"):
        publish(client, body)
    holder.call(1, commands.Basic.Qos(prefetch_count=1))
    holder.consume("old")
    assert holder.get("old", no_ack=False).body == b"got"  # type: ignore[union-attr]
    holder.call(2, commands.Tx.Select())
    assert holder.get("old", 2, no_ack=False).body == b"held"  # type: ignore[union-attr]
    holder.ack(1, channel=2)
    traffic(client, 200_000)
    keep_house(world)
    assert world.broker.compaction.moved_messages == 3

    holder.call(2, commands.Tx.Commit())
    holder.ack(2)
    again = world.restart().connect().open()
    assert again.bodies_in("old") == [b"consumed"]


def test_a_message_of_several_queues_stays_one(world: World, client: Client) -> None:
    """It is written once for the queues that still need it, and none that does not."""
    client.exchange("f", "fanout", durable=True)
    for name in ("a", "b", "c"):
        client.queue(name, durable=True)
        client.bind(name, "f")
    publish(client, b"shared", "", "f")
    assert client.get("b").body == b"shared"  # type: ignore[union-attr]
    traffic(client, 200_000)
    keep_house(world)
    assert world.broker.compaction.moved_messages == 1
    again = world.restart().connect().open()
    assert [again.bodies_in(name) for name in ("a", "b", "c")] == [[b"shared"], [], [b"shared"]]


def test_what_happened_to_a_message_goes_with_it(world: World, client: Client) -> None:
    """Order, redelivered, delivery count, priority, time to live."""
    client.queue("limited", durable=True, arguments={"x-delivery-limit": 5, "x-max-priority": 5})
    publish(client, b"1", "limited", priority=1)
    publish(client, b"2", "limited", priority=2)
    publish(client, b"late", "limited", expiration="50000")
    assert client.get("limited", no_ack=False).body == b"2"  # type: ignore[union-attr]
    client.reject(1)
    traffic(client, 200_000)
    keep_house(world)
    assert world.broker.compaction.moved_messages == 3
    moved_at = world.now
    publish(client, b"3", "limited", priority=1)

    again = world.restart()
    reader = again.connect().open()
    first = reader.get("limited")
    assert first is not None
    assert (first.body, first.method.redelivered, first.properties.headers) == (
        b"2",
        True,
        {"x-acquired-count": 1, "x-delivery-count": 1},
    )
    assert [reader.get("limited").body for _ in range(2)] == [b"1", b"3"]  # type: ignore[union-attr]
    assert reader.count("limited") == 1
    assert moved_at > 1000
    again.advance(60)
    assert reader.count("limited") == 0


def test_what_is_settled_between_two_slices_is_passed_over(world: World, client: Client) -> None:
    """Noted as alive, gone before its turn: it does not come back."""
    for number in range(5):
        publish(client, b"%d" % number)
    traffic(client, 200_000)
    assert world.broker.compact(world.now)
    assert [client.get("old").body for _ in range(2)] == [b"0", b"1"]  # type: ignore[union-attr]
    world.advance(1)
    assert world.broker.compaction.moved_messages == 3
    assert world.restart().connect().open().bodies_in("old") == [b"2", b"3", b"4"]


def test_a_queue_deleted_between_two_slices(world: World, client: Client) -> None:
    """Its messages go with it."""
    publish(client, b"old")
    traffic(client, 200_000)
    assert world.broker.compact(world.now)
    client.call(1, commands.Queue.Delete(queue="old"))
    world.advance(1)
    assert world.broker.compaction.moved_messages == 0
    keep_house(world)
    assert world.journal.live_bytes == 0
    assert world.journal.log_bytes <= allowed_bytes(world) + SEGMENT_BYTES


def test_many_are_moved_slice_by_slice(world: World, client: Client) -> None:
    """Each slice is bounded in what it looks at and in what it writes, and between two there is time."""
    world.broker.compaction.slice_entries = 7
    world.broker.compaction.slice_bytes = 1000
    for number in range(40):
        publish(client, b"%d" % number)
    traffic(client, 200_000)
    world.broker.compact(world.now)
    written = []
    while world.broker.compaction.deadline <= world.now:
        before = world.journal.position
        world.broker.tick(world.now)
        written.append(world.journal.position - before)
        world.now = max(world.now, min(world.broker.compaction.deadline, world.now + 1))
    world.settle()
    assert len(written) > 5
    assert max(written) < 1000 + 400
    assert world.broker.compaction.moved_messages == 40
    assert client.bodies_in("old") == [b"%d" % number for number in range(40)]


def test_a_log_that_is_alive_is_left_alone(world: World, client: Client) -> None:
    """A backlog is no reason to write it again."""
    for _ in range(200):
        publish(client, bytes(900))
    keep_house(world)
    assert world.broker.compaction.moved_messages == 0


def test_large_headers_and_many_queues_are_life_too(world: World, client: Client) -> None:
    """What lives is counted by what its records take, not by bodies alone: no reason to write it again."""
    for number in range(20):
        client.call(1, commands.Queue.Declare(queue=f"fan{number}", durable=True))
        client.call(1, commands.Queue.Bind(queue=f"fan{number}", exchange="amq.fanout"))
    for number in range(300):
        headers = {"padding": "x" * 600}
        publish(client, b"", "old" if number % 2 else "", "" if number % 2 else "amq.fanout", headers=headers)
    check_accounts(world)
    assert world.journal.live_bytes > 0.9 * world.journal.log_bytes
    for _ in range(5):
        keep_house(world)
    assert world.broker.compaction.moved_messages == 0


def test_the_accounts_are_right_whatever_is_moved_and_settled(world: World, client: Client) -> None:
    """Queues of one message settle it one by one, before and after it was moved."""
    for name in ("a", "b", "c"):
        client.call(1, commands.Queue.Declare(queue=name, durable=True))
        client.call(1, commands.Queue.Bind(queue=name, exchange="amq.fanout"))
    for _ in range(20):
        publish(client, bytes(50), "", "amq.fanout")
    for name in ("a", "b", "c"):
        for _ in range(7):
            client.get(name)
        check_accounts(world)
        traffic(client, 200_000)
        keep_house(world)
        check_accounts(world)
    assert world.broker.compaction.moved_messages > 0
    check_accounts(world.restart())


def test_half_dead_segments_are_not_moved_round_and_round(world: World, client: Client) -> None:
    """At rest nothing is written: the log is as small as it is allowed to be, and stays so."""
    for number in range(300):
        publish(client, bytes(900), "old" if number % 3 else "q")
    client.call(1, commands.Queue.Purge(queue="q"))
    keep_house(world)
    end = world.journal.position
    for _ in range(5):
        keep_house(world)
    assert world.journal.position - end < SEGMENT_BYTES


def test_a_crash_in_the_middle_leaves_each_message_once(world: World, client: Client) -> None:
    """Moved and original both stand in the log; the later copy counts, and settling it settles both."""
    world.broker.compaction.slice_bytes = 200
    for number in range(10):
        publish(client, b"%d" % number)
    traffic(client, 200_000)
    world.broker.compact(world.now)
    while not world.broker.compaction.moved_messages:
        world.advance(0.001)
    assert 0 < world.broker.compaction.moved_messages < 10
    assert client.get("old").body == b"0"  # type: ignore[union-attr]
    again = world.restart(clean=False)
    again.journal.segment_bytes = SEGMENT_BYTES
    keep_house(again)
    assert again.connect().open().bodies_in("old") == [b"%d" % number for number in range(1, 10)]
    assert again.journal.live_bytes == 0


def test_a_restart_repeated_finds_the_same(world: World, client: Client) -> None:
    """Counted as alive in the same segments, with the same positions."""
    for number in range(20):
        publish(client, b"%d" % number)
    traffic(client, 200_000)
    keep_house(world)
    states = []
    for _ in range(2):
        world = world.restart()
        entries = world.broker.vhosts["/"].queues["old"].ready.entries()
        live = [(segment.base_lsn, segment.live) for segment in world.journal.segments if segment.live]
        states.append(([(entry.position, entry.message.body()) for entry in entries], live))
    assert states[0] == states[1]
    assert len(states[0][0]) == 20


def test_files_go(world: World, client: Client) -> None:
    """Not only in the books."""
    publish(client, b"old")
    traffic(client, 500_000)
    assert segments_on_disk(world) > 40
    keep_house(world)
    assert segments_on_disk(world) <= SLACK_SEGMENTS + 2


def test_a_disk_that_does_not_keep_up_is_waited_for(world: World, client: Client) -> None:
    """With too much on its way nothing is moved; then it goes on."""
    publish(client, b"old")
    traffic(client, 200_000)
    world.broker.compaction.pending_bytes_max = 5000
    world.hold = True
    publish(client, b"on its way to the disk")
    publish(client, bytes(6000))
    assert world.broker.compact(world.now)
    world.advance(0.1)
    assert world.broker.compaction.moved_messages == 0
    world.hold = False
    world.advance(0.1)
    assert world.broker.compaction.moved_messages >= 1


def test_a_copy_that_was_made_meanwhile_is_not_moved_for_its_message(world: World, client: Client) -> None:
    """It was met in one of its two queues, which then got a record of its own: the other is not forgotten."""
    for name in ("old", "q"):
        client.call(1, commands.Queue.Bind(queue=name, exchange="amq.fanout"))
    client.publish(b"x", "", "amq.fanout", properties=PERSISTENT)
    queues = world.broker.vhosts["/"].queues
    [met] = queues["old"].ready.entries()
    message, compaction = met.message, world.broker.compaction
    compaction._gather(message, met)
    world.broker.keep_apart(met)
    assert not compaction._move_whole(message, compaction._gathered[message])
    check_accounts(world)
    again = world.restart(clean=False).connect().open()
    assert again.bodies_in("old") == again.bodies_in("q") == [b"x"]
