"""mambaamqp/broker/stream_reader.py: a place in a stream, whatever becomes of the blocks there."""

import pytest
from pamqp import commands

from mambaamqp.broker.stream import Stream
from mambaamqp.broker.stream_reader import StreamReader, place_of
from tests.support.client import Client, World

STREAM = {"x-queue-type": "stream"}


@pytest.fixture
def world() -> World:
    world = World(drowsy=2)
    world.broker.pager.budget_bytes = 1 << 30
    return world


@pytest.fixture
def client(world: World) -> Client:
    """With the stream s, of ten messages in five blocks, which are awake, and a consumer that takes one."""
    client = world.connect().open()
    client.queue("s", durable=True, arguments=STREAM)
    fill(client, 10)
    client.call(1, commands.Basic.Qos(prefetch_count=1))
    client.consume("s", arguments={"x-stream-offset": "first"})
    return client


def fill(client: Client, count: int) -> None:
    for number in range(count):
        client.publish(b"%d" % number, "s")
    client.world.settle()


def of(world: World) -> tuple[Stream, StreamReader]:
    stream = world.broker.vhosts["/"].queues["s"]
    assert isinstance(stream, Stream)
    (reader,) = stream.readers.values()
    return stream, reader


def take_all(client: Client) -> list[int]:
    """The offsets of all that comes, each acknowledged when it is there."""
    while client.session.channels[1].unacked.entries:
        client.ack(next(iter(client.session.channels[1].unacked.entries)))
    return [delivery.properties.headers["x-stream-offset"] for delivery in client.deliveries]


def test_a_block_may_fall_asleep_under_a_reader(world: World, client: Client) -> None:
    """And wake up again."""
    stream, reader = of(world)
    world.broker.pager.budget_bytes = 0
    world.settle()
    world.settle()
    assert stream.ready.line.sleeping()
    client.ack(1)
    line = stream.ready.line
    world.broker.pager.budget_bytes = 1 << 30
    for block in line.blocks:
        world.broker.pager.wake(line, block)
    assert take_all(client) == list(range(10))
    assert (reader.position, reader.at_end) == (11, True)


def test_what_is_let_go_is_passed_over(world: World, client: Client) -> None:
    """Even the rest of the block that it has before it, and a block that is written to again."""
    stream, _ = of(world)
    stream.arguments.max_age_ms = 1
    stream.touch()
    world.advance(1)
    assert stream.ready.count == 0
    stream.arguments.max_age_ms = None
    fill(client, 3)
    assert take_all(client) == [0, 10, 11, 12]


def test_a_reader_at_the_end_is_woken(world: World, client: Client) -> None:
    """By what is appended, however often."""
    assert take_all(client) == list(range(10))
    for count in (1, 2, 5):
        fill(client, count)
        assert take_all(client)[-1] == of(world)[0].next_position - 2
    assert of(world)[1].position == of(world)[0].next_position


def test_damage_is_passed_over(world: World, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """It is reported, once, and counts no longer; the others come, and each offset stays what it was."""
    stream, _ = of(world)
    world.broker.pager.budget_bytes = 0
    for _ in range(3):
        world.settle()
    blocks = [block for block in stream.ready.line.blocks if block.asleep is not None]
    assert len(blocks) >= 3
    path = next(path for path in world.disk.files if path.endswith(".journal"))
    base = world.journal.segments[0].base_lsn
    one, both = blocks[0].asleep, blocks[2].asleep
    assert one is not None
    assert both is not None
    slots = [list(one.slots())[1], *both.slots()]
    for slot in slots:
        at = slot[1] - base + slot[2] - 2
        data = world.disk.files[path].data
        data[at] ^= 0xFF
    lost = {slot[0] - 1 for slot in slots}
    assert take_all(client) == [offset for offset in range(10) if offset not in lost]
    assert stream.ready.count == 7
    assert caplog.text.count("it is not delivered") == 3
    other = world.connect().open()
    other.call(1, commands.Basic.Qos(prefetch_count=100))
    other.consume("s", arguments={"x-stream-offset": "first"})
    assert len(other.deliveries) == 7


def test_damage_makes_nothing_safe(world: World, client: Client) -> None:
    """What is found meanwhile has nothing to do with how far the log is synced."""
    stream, _ = of(world)
    world.broker.pager.budget_bytes = 0
    for _ in range(3):
        world.settle()
    slot = list(stream.ready.line.sleeping()[0].slots())[1]
    path = next(path for path in world.disk.files if path.endswith(".journal"))
    world.disk.files[path].data[slot[1] - world.journal.segments[0].base_lsn + slot[2] - 2] ^= 0xFF
    world.hold = True
    fill(client, 2)
    assert take_all(client) == [offset for offset in range(10) if offset != slot[0] - 1]
    assert stream.committed == 11
    world.hold = False
    world.settle()
    assert take_all(client)[-2:] == [10, 11]


def test_places_among_entries(world: World, client: Client) -> None:
    """The first at a position or behind it; what was taken out is in front."""
    stream, _ = of(world)
    entries = [*stream.ready.entries()[:4]]
    found = [None, None, *entries[2:]]
    assert [place_of(found, position) for position in (0, 1, 3, 4, 5)] == [2, 2, 2, 3, 4]
    assert place_of([], 1) == 0
