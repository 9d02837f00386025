"""mambaamqp/broker/retention.py: what a stream lets go of, and when."""

from typing import Any

import pytest

from mambaamqp.broker.entry import NEVER
from mambaamqp.broker.retention import BLOCKS_PER_TURN, MESSAGE_BYTES, NOBODY_MS, oldest_ms
from mambaamqp.broker.stream import Stream
from tests.support.accounts import check_accounts
from tests.support.client import Client, World

STREAM = {"x-queue-type": "stream"}


@pytest.fixture(params=[False, True], ids=["awake", "asleep"])
def world(request: pytest.FixtureRequest) -> World:
    """Blocks of two."""
    world = World(drowsy=2 if request.param else 0)
    world.broker.pager.block_size = 2
    return world


def stream(world: World, count: int, **limits: Any) -> tuple[Stream, Client]:
    """A stream of so many messages of 36 octets, a second between them."""
    client = world.connect().open()
    client.queue("s", durable=True, arguments=STREAM)
    for _ in range(count):
        client.publish(bytes(100 - MESSAGE_BYTES), "s")
        world.advance(1)
    found = world.broker.vhosts["/"].queues["s"]
    assert isinstance(found, Stream)
    for name, value in limits.items():
        setattr(found.arguments, name, value)
    return found, client


def positions(found: Stream) -> list[int]:
    return [entry.position for entry in found.ready.entries()]


def test_without_limits_everything_stays(world: World) -> None:
    """For ever."""
    found, _ = stream(world, 10)
    assert found.retention.trim() == NEVER
    assert positions(found) == list(range(1, 11))


@pytest.mark.parametrize(
    ("most", "segment", "first"),
    [
        (1000, None, 1),
        (999, None, 3),
        (800, None, 5),
        (800, 1, 5),
        (800, 0, 3),
        (100, None, 19),
        (0, 0, 19),
    ],
)
def test_size_is_cut_from_the_head(world: World, most: int, segment: int | None, first: int) -> None:
    """By whole blocks, a step more than must be, and the block that is written to stays."""
    count = 10 if most > 100 else 20
    found, _ = stream(world, count, max_length_bytes=most, segment_bytes=segment)
    while found.retention.trim() <= world.now:
        pass
    assert positions(found) == list(range(first, count + 1))
    world.settle()
    check_accounts(world)
    again = world.restart(clean=False)
    assert positions(again.broker.vhosts["/"].queues["s"]) == list(range(first, count + 1))  # type: ignore[arg-type]


def test_age_is_that_of_the_youngest(world: World) -> None:
    """A block goes when all of it is too old, and `trim` says when that will be."""
    found, _ = stream(world, 10, max_age_ms=5000)
    moment = found.retention.trim()
    assert positions(found)[0] in (5, 7)
    assert world.now < moment <= world.now + 2
    world.advance(moment - world.now)
    found.retention.trim()
    assert positions(found)[0] in (7, 9)
    world.advance(10)
    assert found.retention.trim() == NEVER
    assert positions(found) == []
    assert (found.ready.count, found.ready.body_bytes) == (0, 0)
    world.settle()
    assert world.journal.live_bytes == 0


def test_the_next_block_is_new(world: World) -> None:
    """What has gone leaves nothing in memory of the block that is written to."""
    found, client = stream(world, 3, max_age_ms=1)
    found.retention.trim()
    assert not found.ready.line.tail
    client.publish(b"x", "s")
    assert positions(found) == [4]


def test_a_turn_is_bounded(world: World) -> None:
    """The rest is due at once."""
    found, _ = stream(world, 2 * BLOCKS_PER_TURN + 20, max_age_ms=1)
    world.now += 10
    world.broker.at(world.now)
    assert found.retention.trim() == world.broker.now
    assert found.ready.count == 20
    assert found.retention.trim() == NEVER
    assert found.ready.count == 0


def test_neighbours_are_settled_together(world: World) -> None:
    """One range, however many blocks."""
    found, _ = stream(world, 20, max_age_ms=1)
    world.broker.at(world.now + 10)
    found.retention.trim()
    assert found.settled == [(1, 20)]


def test_a_block_without_messages_has_no_time(world: World) -> None:
    """It is younger than everything."""
    found, _ = stream(world, 0)
    assert oldest_ms(found.ready.line.blocks[0]) == NOBODY_MS
