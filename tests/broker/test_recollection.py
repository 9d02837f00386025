"""mambaamqp/broker/recollection.py: what waits is found by position, awake or asleep."""

from collections.abc import Iterator

import pytest

from mambaamqp.broker.queue import Queue
from mambaamqp.broker.recollection import CHUNK, Recollection
from tests.support.client import World

COUNT = 3 * CHUNK
PERSISTENT = {"delivery_mode": 2}


@pytest.fixture
def world() -> World:
    """With three chunks of messages in the durable queue q, on disk."""
    world = World(drowsy=8)
    client = world.connect().open()
    client.queue("q", durable=True)
    for number in range(COUNT):
        client.publish(b"%d" % number, properties=PERSISTENT)
    world.settle()
    return world


@pytest.fixture
def recollection(world: World) -> Iterator[Recollection]:
    """All of them put in; those that may sleep do."""
    queue = world.broker.vhosts["/"].queues["q"]
    found = Recollection(queue, world.broker.pager)
    for entry in queue.ready.entries():
        found.put(entry)
        found.doze()
    yield found


def finished(found: Recollection, *, clean: bool = True) -> list[tuple[int, bool, int]]:
    """(position, mark, delivery count) of what waits at the end."""
    world_queue = found.queue
    queue = Queue(
        world_queue.vhost,
        world_queue.serial,
        "again",
        durable=True,
        auto_delete=False,
        owner=None,
        table=world_queue.table,
        arguments=world_queue.arguments,
    )
    found.queue = queue
    found.finish(clean, lambda queue, entry: queue.ready.push(entry))
    assert queue.ready.count == len(queue.ready.entries())
    return [(entry.position, entry.redelivered, entry.delivery_count) for entry in queue.ready.entries()]


def plain(*positions: int) -> list[tuple[int, bool, int]]:
    return [(position, False, 0) for position in positions]


def test_all_sleep_and_are_there(recollection: Recollection) -> None:
    """In the order of their positions."""
    assert recollection.awake == {}
    assert recollection.pager.recalled_bytes == 0
    assert finished(recollection) == plain(*range(1, COUNT + 1))


def test_what_is_settled_in_its_sleep_is_gone(world: World, recollection: Recollection) -> None:
    """From the queue and from the journal's accounts; a second time is harmless."""
    before = world.journal.live_bytes
    for _ in range(2):
        for position in range(2, COUNT):
            recollection.remove(position)
    assert world.journal.live_bytes < before / 100
    assert finished(recollection) == plain(1, COUNT)


def test_records_of_a_size_with_a_zero_octet_are_there(world: World) -> None:
    """A chunk without gaps and one with a gap, of records whose size is a multiple of 256."""
    client = world.connect().open()
    client.queue("r", durable=True)
    queue = world.broker.vhosts["/"].queues["r"]
    client.publish(bytes(100), "r", properties=PERSISTENT)
    [entry] = queue.ready.entries()
    body = bytes(100 - entry.message.kept_bytes() % 256 + 256)
    for _ in range(2 * CHUNK):
        client.publish(body, "r", properties=PERSISTENT)
    world.settle()
    found = Recollection(queue, world.broker.pager)
    assert {entry.message.kept_bytes() % 256 for entry in queue.ready.entries()[1:]} == {0}
    for entry in queue.ready.entries():
        found.put(entry)
        found.doze()
    found.remove(5)
    kept = [position for position in range(1, 2 * CHUNK + 2) if position != 5]
    assert [position for position, _, _ in finished(found)] == kept


def test_a_delivery_count_wakes(recollection: Recollection) -> None:
    """A slot has no place for it."""
    recollection.mark(5, 3)
    recollection.mark(COUNT + 1, 3)
    expected = plain(*range(1, COUNT + 1))
    expected[4] = (5, True, 3)
    assert list(recollection.awake) == [5]
    assert finished(recollection) == expected


def test_a_later_copy_counts(world: World, recollection: Recollection) -> None:
    """Compaction moved the message: it stands in the log twice, and is needed once."""
    moved = next(entry for entry in recollection.queue.ready.entries() if entry.position == 7)
    world.broker.keep(moved.message, [moved])
    world.commit()
    live = world.journal.live_bytes
    recollection.put(moved)
    assert world.journal.live_bytes == live - moved.message.kept_bytes()
    assert finished(recollection) == plain(*range(1, COUNT + 1))


def test_after_an_unclean_stop_all_are_marked(recollection: Recollection) -> None:
    """They may have been delivered."""
    assert {mark for _, mark, _ in finished(recollection, clean=False)} == {True}


def test_a_queue_that_is_gone_is_forgotten(world: World, recollection: Recollection) -> None:
    """Nobody needs its messages in the journal."""
    recollection.forget()
    assert world.journal.live_bytes == 0
    assert finished(recollection) == []


def test_what_has_a_time_to_live_sleeps_until_then(world: World) -> None:
    """The block is watched by its earliest deadline."""
    client = world.connect().open()
    for name in ("brief", "again"):
        client.queue(name, durable=True, arguments={"x-message-ttl": 60_000})
    for expiration in ("50000", "70000", "40000"):
        client.publish(b"x", "brief", properties=PERSISTENT | {"expiration": expiration})
    queues = world.broker.vhosts["/"].queues
    found = Recollection(queues["brief"], world.broker.pager)
    for entry in queues["brief"].ready.entries():
        found.put(entry)
    world.advance(1)
    found.doze()
    assert found.awake == {}
    found.queue = queues["again"]
    found.finish(True, lambda queue, entry: queue.ready.push(entry))
    [asleep] = queues["again"].ready.all_lines()[0].sleeping()
    assert asleep.count == 3
    assert asleep.deadline == pytest.approx(world.now + 39)


def test_large_messages_sleep_in_small_blocks(world: World, recollection: Recollection) -> None:
    """Those at the end of the log too, or a start would have a whole chunk of them in memory."""
    client = world.connect().open()
    client.queue("large", durable=True)
    for _ in range(6):
        client.publish(bytes(1 << 20), "large", properties=PERSISTENT)
        world.settle()
    world.settle()
    again = world.restart()
    [line] = again.broker.vhosts["/"].queues["large"].ready.all_lines()
    assert sum(found.count for found in line.sleeping()) >= 5
    assert max(found.body_bytes for found in line.sleeping()) == 1 << 20
    assert [len(body) for body in again.connect().open().bodies_in("large")] == [1 << 20] * 6


def test_without_scratch_large_messages_sleep_too(world: World) -> None:
    """Whoever only looks at a store writes nothing, and sees all."""
    client = world.connect().open()
    client.queue("large", durable=True)
    client.publish(bytes(1 << 21), "large", properties=PERSISTENT)
    queue = world.broker.vhosts["/"].queues["large"]
    found = Recollection(queue, world.broker.pager)
    found.pager.spills = False
    for entry in queue.ready.entries():
        found.put(entry)
    found.doze()
    assert (list(found.awake), found.pager.recalled_bytes) == ([], 0)
    found.mark(1, 2)
    (entry,) = found.awake.values()
    assert (entry.delivery_count, entry.message.body()) == (2, bytes(1 << 21))
