"""mambaamqp/broker/stream.py: what is kept beside the messages, and that it stays small."""

import pytest
from pamqp import commands

from mambaamqp.broker import stream as streams
from mambaamqp.broker.entry import NEVER
from mambaamqp.broker.marks import note_marks
from mambaamqp.broker.pace import hold_back
from mambaamqp.broker.stream import Stream, offset_value
from mambaamqp.server.housekeeping import tidy
from tests.support.accounts import check_accounts
from tests.support.client import Client, World

STREAM = {"x-queue-type": "stream"}


@pytest.fixture
def world() -> World:
    return World(drowsy=4)


@pytest.fixture
def stream(world: World) -> Stream:
    world.connect().open().queue("s", durable=True, arguments=STREAM)
    found = world.broker.vhosts["/"].queues["s"]
    assert isinstance(found, Stream)
    return found


def fill(world: World, count: int, size: int = 10) -> None:
    for _ in range(count):
        world.clients[0].publish(bytes(size), "s")
    world.settle()
    world.settle()


def reader(world: World, prefetch: int = 1000) -> Client:
    client = world.connect().open()
    client.call(1, commands.Basic.Qos(prefetch_count=prefetch))
    client.consume("s", arguments={"x-stream-offset": "first"})
    return client


def test_an_offset_is_a_number_of_64_bits() -> None:
    """Signed, as field tables have them."""
    assert offset_value(258) == b"l" + bytes(6) + b"\x01\x02"


def test_what_is_safe_is_told_by_the_log(world: World, stream: Stream) -> None:
    """And no more is remembered of it than what is not safe yet."""
    reader(world)
    world.hold = True
    for _ in range(3):
        fill(world, 1)
    assert (stream.committed, stream.next_position) == (1, 4)
    assert 1 <= len(stream._unsafe) <= 3
    world.hold = False
    world.settle()
    assert (stream.committed, len(stream._unsafe)) == (4, 0)


def test_nobody_waits_for_the_log_who_does_not_read(world: World, stream: Stream) -> None:
    """Without consumers, a publish without confirms hurries no sync."""
    fill(world, 3)
    assert not stream._watch.waiting
    assert world.broker.waiters == []


def test_blocks_and_messages_are_shared_by_readers(
    world: World, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads the same at the same time has it read once."""
    fill(world, 40)
    readers = [reader(world, 1) for _ in range(3)]
    read = world.broker.pager.read
    count = 0

    def counting(*arguments: object, **options: object) -> object:
        nonlocal count
        count += 1
        return read(*arguments, **options)  # type: ignore[arg-type]

    if streams.__file__.endswith(".py"):
        monkeypatch.setattr(world.broker.pager, "read", counting)
    for tag in range(1, 41):
        for client in readers:
            client.ack(tag)
    assert [len(client.deliveries) for client in readers] == [40] * 3
    assert count <= 10
    assert len(stream._lately) <= streams.LATELY_MAX
    for client in readers:
        client.disconnect()
    assert (len(stream._lately), len(stream._shown), stream._shown_bytes) == (0, 0, 0)
    assert (stream.unacked, len(stream.readers), len(stream._at_end)) == (0, 0, 0)


def test_what_is_shown_is_bounded(world: World, stream: Stream) -> None:
    """By octets."""
    for _ in range(2):
        reader(world)
    fill(world, 30, 100_000)
    assert len(stream._shown) <= 11
    assert stream._shown_bytes <= streams.SHOWN_BYTES_MAX + 100_000 + streams.SHOWN_MESSAGE_BYTES


def test_an_idle_stream_is_not_looked_at(world: World, stream: Stream) -> None:
    """Nothing is due when all have read everything."""
    fill(world, 10)
    reader(world)
    world.advance(1)
    assert len(stream._at_end) == 1
    assert stream.appointment == NEVER
    assert not stream.dirty


def test_publishers_are_not_held_back(world: World, stream: Stream) -> None:
    """By those who read slowly."""
    reader(world, 1)
    fill(world, 10)
    stream.pace.mark = 1
    assert not hold_back(stream, world.clients[0].session)


def test_nothing_is_marked_after_a_crash(world: World, stream: Stream) -> None:
    """Nor written at the next stop."""
    fill(world, 20)
    again = world.restart(clean=False)
    found = again.broker.vhosts["/"].queues["s"]
    assert not any(entry.redelivered for entry in found.ready.entries())
    note_marks(found)
    assert (found.marks, found.returned) == ([], [])


def test_compaction_moves_a_stream(stream: Stream, world: World) -> None:
    """Once, when there is need, asleep or awake; it keeps its order and its offsets."""
    world.journal.segment_bytes = 4000
    world.journal.slack_segments = 0
    client = world.clients[0]
    client.queue("q", durable=True)
    for _ in range(30):
        fill(world, 1, 1000)
        for _ in range(6):
            client.publish(bytes(1000), "q", properties={"delivery_mode": 2})
    client.call(1, commands.Queue.Purge(queue="q"))
    for _ in range(50):
        tidy(world.journal, world.broker)
        world.broker.compact(world.now)
        world.advance(0.5)
        check_accounts(world)
    assert 0 < world.broker.compaction.moved_messages <= 30
    assert world.journal.log_bytes < 3 * world.journal.live_bytes
    for place in (world, world.restart(clean=False)):
        found = reader(place).deliveries
        assert [each.properties.headers["x-stream-offset"] for each in found] == list(range(30))


def test_what_is_settled_and_damaged_counts(world: World, stream: Stream) -> None:
    """An offset that a record names has been used, though the message is nowhere."""
    fill(world, 5)
    stream.arguments.max_age_ms = 1
    stream.touch()
    world.advance(1)
    stream.next_position = 1
    assert stream.ready.count == 0
    again = world.restart(clean=False)
    assert again.broker.vhosts["/"].queues["s"].next_position == 6
