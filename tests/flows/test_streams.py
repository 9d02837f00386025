"""Streams as clients see them: what is written stays, and everybody reads at a pace of their own."""

import datetime
from typing import Any

import pytest
from pamqp import commands, frame

from mambaamqp.broker.administration import clear_policy, set_policy
from mambaamqp.broker.stream import BATCH_LOOKS, Stream
from tests.support import expect
from tests.support.accounts import check_accounts
from tests.support.client import WALL_SECONDS, Client, Delivery, World

STREAM = {"x-queue-type": "stream"}
WHERE = "queue 's' in vhost '/'"


def declare(client: Client, name: str = "s", **arguments: Any) -> Any:
    """A stream; keys of arguments without their x-."""
    given = {"x-" + key.replace("_", "-"): value for key, value in arguments.items()}
    return client.queue(name, durable=True, arguments=STREAM | given)


def fill(client: Client, count: int, first: int = 0, key: str = "s", **properties: Any) -> list[bytes]:
    """So many messages, numbered; their bodies."""
    bodies = [b"%d" % number for number in range(first, first + count)]
    for body in bodies:
        client.publish(body, key, properties=properties)
    client.world.settle()
    return bodies


def read(
    client: Client, offset: Any = "first", *, queue: str = "s", prefetch: int = 1000, **arguments: Any
) -> list[Delivery]:
    """What a new consumer on a channel of its own gets at once; it acknowledges nothing, and stays."""
    channel = max(client.session.channels, default=0) + 1
    client.open(channel)
    client.call(channel, commands.Basic.Qos(prefetch_count=prefetch))
    given = {"x-" + key.replace("_", "-"): value for key, value in arguments.items()}
    given |= {} if offset is None else {"x-stream-offset": offset}
    before = len(client.deliveries)
    answer = client.consume(queue, f"c{channel}", channel, arguments=given)
    assert isinstance(answer, commands.Basic.ConsumeOk), answer
    client.world.settle()
    return client.deliveries[before:]


def bodies(deliveries: list[Delivery]) -> list[bytes]:
    return [delivery.body for delivery in deliveries]


def offsets(deliveries: list[Delivery]) -> list[int]:
    return [delivery.properties.headers["x-stream-offset"] for delivery in deliveries]


def stream_of(world: World, name: str = "s") -> Stream:
    stream = world.broker.vhosts["/"].queues[name]
    assert isinstance(stream, Stream)
    return stream


def let_policy(world: World, name: str, definition: dict[str, Any] | None) -> None:
    """A policy over every name, or none any more."""
    user = world.access.users.get("guest")
    assert user is not None
    vhost, actor = world.broker.vhosts["/"], world.access.actor(user, "/")
    if definition is None:
        clear_policy(vhost, actor, name)
    else:
        set_policy(vhost, actor, name, {"pattern": "", "definition": definition})
    world.settle()


# Reading


def test_everybody_reads_everything(client: Client) -> None:
    """Each at its place, with the offset in a header; nothing is taken away."""
    declare(client)
    sent = fill(client, 10)
    for _ in range(2):
        found = read(client)
        assert bodies(found) == sent
        assert offsets(found) == list(range(10))
        assert not any(delivery.method.redelivered for delivery in found)
    assert client.count("s") == 10


def test_the_offset_is_spliced_into_what_is_there(client: Client) -> None:
    """Other properties and headers come as they were sent; an offset that the publisher claims does not."""
    declare(client)
    sent = {"content_type": "text/plain", "headers": {"a": 1, "b": ["c"]}, "message_id": "m", "priority": 3}
    client.publish(b"x", "s", properties=sent)
    client.publish(b"y", "s", properties={"headers": {"x-stream-offset": "mine", "a": 1}})
    client.publish(b"", "s", properties={"content_encoding": "gzip", "delivery_mode": 1, "app_id": "i"})
    one, two, three = read(client)
    assert one.properties.headers == {"a": 1, "b": ["c"], "x-stream-offset": 0}
    assert (one.properties.content_type, one.properties.message_id, one.properties.priority) == (
        "text/plain",
        "m",
        3,
    )
    assert two.properties.headers == {"x-stream-offset": 1, "a": 1}
    assert three.properties.headers == {"x-stream-offset": 2}
    assert (three.properties.content_encoding, three.properties.app_id, three.body) == ("gzip", "i", b"")


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("first", [0, 1, 2, 3, 4]),
        ("last", [4]),
        ("next", []),
        (None, []),
        (3, [3, 4]),
        (0, [0, 1, 2, 3, 4]),
        (-5, [0, 1, 2, 3, 4]),
        (5, []),
        (1 << 62, []),
        ("1h", [0, 1, 2, 3, 4]),
        ("25s", [3, 4]),
        ("1s", []),
    ],
)
def test_where_a_consumer_begins(world: World, client: Client, offset: Any, expected: list[int]) -> None:
    """A name, an offset, or so long ago; what is beyond an end is that end. New messages follow."""
    declare(client)
    for number in range(5):
        fill(client, 1, number)
        world.advance(10)
    found = read(client, offset)
    assert offsets(found) == expected
    fill(client, 1, 5)
    assert client.deliveries[-1].body == b"5"
    assert len(client.deliveries) == len(expected) + 1


@pytest.mark.parametrize(("seconds", "expected"), [(-1, 0), (0, 0), (10, 1), (11, 2), (20, 2), (41, 5)])
def test_a_consumer_begins_at_a_moment(world: World, client: Client, seconds: int, expected: int) -> None:
    """With the first message that is not older, wherever it stands."""
    world.broker.pager.block_size = 2
    declare(client)
    start = WALL_SECONDS + world.now
    for number in range(5):
        fill(client, 1, number)
        world.advance(10)
    moment = datetime.datetime.fromtimestamp(start + seconds, datetime.UTC)
    assert offsets(read(client, moment)) == list(range(expected, 5))


@pytest.mark.parametrize(
    ("offset", "shown"),
    [
        ("bad", '{longstr,<<"bad">>}'),
        ("3", '{longstr,<<"3">>}'),
        ("", "{longstr,<<>>}"),
        ("1w", '{longstr,<<"1w">>}'),
        (True, "{bool,true}"),
        (1.5, "{float,1.5}"),
    ],
)
def test_a_place_that_is_none(client: Client, offset: Any, shown: str) -> None:
    """406, in RabbitMQ's words."""
    declare(client)
    client.call(1, commands.Basic.Qos(prefetch_count=1))
    expect.channel_closed(
        client.consume("s", arguments={"x-stream-offset": offset}),
        406,
        f"PRECONDITION_FAILED - invalid arg 'x-stream-offset' for {WHERE}: "
        f"{{invalid_stream_offset_arg,{shown}}}",
        commands.Basic.Consume,
    )


def test_acknowledgements_are_credit(client: Client) -> None:
    """Of whatever kind; nothing comes twice, and nothing goes."""
    declare(client)
    sent = fill(client, 12)
    found = read(client, prefetch=3)
    assert bodies(found) == sent[:3]
    channel = found[0].channel
    client.ack(3, multiple=True, channel=channel)
    client.nack(4, requeue=True, channel=channel)
    client.nack(5, requeue=False, channel=channel)
    client.reject(6, requeue=True, channel=channel)
    client.reject(7, requeue=False, channel=channel)
    client.call(channel, commands.Basic.Recover(requeue=True))
    assert bodies(client.deliveries) == sent[:10] + sent[10:]
    assert client.count("s") == 12
    expect.channel_closed(
        client.ack(99, channel=channel),
        406,
        "PRECONDITION_FAILED - unknown delivery tag 99",
        commands.Basic.Ack,
    )


def test_what_a_channel_held_is_given_up(world: World, client: Client) -> None:
    """Its end, or its connection's, leaves the stream as it was."""
    declare(client)
    sent = fill(client, 5)
    other = world.connect()
    assert len(read(other, prefetch=2)) == 2
    assert stream_of(world).unacked == 2
    other.call(1, commands.Channel.Close(reply_code=200, reply_text="", class_id=0, method_id=0))
    assert stream_of(world).unacked == 0
    assert not stream_of(world).readers
    assert bodies(read(other)) == sent


def test_a_slow_consumer_holds_nobody_up(world: World, client: Client) -> None:
    """Nor those who publish."""
    declare(client)
    slow = read(client, prefetch=1)
    fast = world.connect()
    read(fast)
    fill(client, 10_000)
    world.advance(0)
    assert slow == []
    assert len(client.deliveries) == 1
    assert len(fast.deliveries) == 1000
    assert client.session.wants_read


def test_a_long_stream_is_given_out_in_slices(world: World, client: Client) -> None:
    """A batch has a bounded share of it; the rest is due at once."""
    declare(client)
    sent = fill(client, 3 * BATCH_LOOKS)
    world.hold = True
    channel = 2
    client.open(channel)
    client.call(channel, commands.Basic.Qos(prefetch_count=0xFFFF))
    consume = commands.Basic.Consume(queue="s", consumer_tag="c", arguments={"x-stream-offset": "first"})
    before = stream_of(world).unacked
    client.session.receive_data(frame.marshal(consume, channel), world.now)
    world.broker.flush(world.now)
    assert 0 < stream_of(world).unacked - before <= BATCH_LOOKS
    assert world.broker.deadline <= world.now
    world.hold = False
    world.advance(0)
    assert bodies(client.deliveries) == sent


def test_many_take_turns(world: World, client: Client) -> None:
    """Nobody is behind by more than a turn while there is more for all."""
    declare(client)
    fill(client, 3000)
    stream = stream_of(world)
    readers = [world.connect() for _ in range(4)]
    for reader in readers:
        reader.open().call(1, commands.Basic.Qos(prefetch_count=2000))
        consume = commands.Basic.Consume(queue="s", arguments={"x-stream-offset": "first"})
        reader.session.receive_data(frame.marshal(consume, 1), world.now)
    world.broker.flush(world.now)
    places = [reader.position for reader in stream.readers.values()]
    assert max(places) - min(places) <= 128
    world.advance(0)
    assert [len(reader.deliveries) for reader in readers] == [2000] * 4


# Durability


def test_nothing_is_delivered_before_it_is_safe(world: World, client: Client) -> None:
    """Or after a crash another message could have the offset that a consumer has noted."""
    declare(client)
    read(client, "next")
    world.hold = True
    fill(client, 3)
    assert client.deliveries == []
    world.hold = False
    world.settle()
    assert offsets(client.deliveries) == [0, 1, 2]


def test_a_confirm_waits_for_the_disk(world: World, client: Client) -> None:
    """Of a transient message too: a stream keeps what it is given."""
    declare(client)
    client.confirm()
    world.hold = True
    client.publish(b"x", "s", properties={"delivery_mode": 1})
    assert not client.of(commands.Basic.Ack)
    world.hold = False
    world.settle()
    assert client.of(commands.Basic.Ack)


@pytest.mark.parametrize("drowsy", [0, 3])
@pytest.mark.parametrize("clean", [True, False])
def test_a_stream_survives(clean: bool, drowsy: int) -> None:
    """Transient messages too, with their offsets, unmarked, read or not; and goes on where it was."""
    world = World(drowsy=drowsy)
    client = world.connect().open()
    declare(client)
    sent = fill(client, 30, delivery_mode=1)
    read(client)
    for _ in range(2):
        world = world.restart(clean=clean)
        check_accounts(world)
        client = world.connect().open()
        assert client.count("s") == len(sent)
        found = read(client)
        assert bodies(found) == sent
        assert offsets(found) == list(range(len(sent)))
        assert not any(delivery.method.redelivered for delivery in found)
        sent += fill(client, 10, len(sent))


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("drowsy", [0, 3])
def test_offsets_are_never_used_again(clean: bool, drowsy: int) -> None:
    """Though the stream is empty, and the log says nothing of its messages any more."""
    world = World(drowsy=drowsy, segment_bytes=500)
    client = world.connect().open()
    declare(client, max_age="10s")
    fill(client, 20)
    world.advance(60)
    assert client.count("s") == 0
    for _ in range(3):
        world.broker.checkpoint()
        world.commit()
        world.journal.drop_dead_segments()
        world.commit()
    assert world.journal.live_bytes == 0
    again = world.restart(clean=clean)
    reader = again.connect().open()
    assert reader.count("s") == 0
    fill(reader, 1, 20)
    assert offsets(read(reader)) == [20]


def test_a_consumer_in_the_past_reads_from_disk(world: World) -> None:
    """And what it reads goes on sleeping."""
    world = World(drowsy=4)
    client = world.connect().open()
    declare(client)
    sent = fill(client, 100)
    world.settle()
    pager = world.broker.pager
    awake, woken = pager.awake_bytes, pager.woken
    assert pager.slept >= 80
    for offset in ("first", 50, 97):
        assert len(read(client, offset)) == {"first": 100, 50: 50, 97: 3}[offset]
    assert bodies(client.deliveries) == sent + sent[50:] + sent[97:]
    assert (pager.awake_bytes, pager.woken) == (awake, woken)
    assert len(stream_of(world)._lately) <= 4
    check_accounts(world)


def test_large_messages_in_pieces(world: World) -> None:
    """From memory, from the scratch, and after a restart."""
    world = World(drowsy=2)
    client = world.connect().open()
    declare(client)
    sent = [bytes((number,)) * (1 << 21) for number in range(6)]
    for body in sent:
        client.publish(body, "s", properties={"headers": {"n": 1}})
        world.settle()
    for clean in (True, False):
        other = world.connect()
        assert bodies(read(other, prefetch=10)) == sent
        world = world.restart(clean=clean)


# Filters


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"stream_filter": "eu"}, [0, 3]),
        ({"stream_filter": ["eu", "us"]}, [0, 1, 3, 4]),
        ({"stream_filter": "eu", "stream_match_unfiltered": True}, [0, 2, 3, 5]),
        ({"stream_filter": "eu", "stream_match_unfiltered": False}, [0, 3]),
        ({"stream_filter": ["none"], "stream_match_unfiltered": True}, [2, 5]),
        ({"stream_filter": "none"}, []),
        ({"stream_filter": 5}, [0, 1, 2, 3, 4, 5]),
        ({"stream_match_unfiltered": True}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_filters_are_exact(client: Client, arguments: dict[str, Any], expected: list[int]) -> None:
    """What is passed over counts in the offsets."""
    declare(client)
    for number in range(6):
        value = ("eu", "us", None)[number % 3]
        headers = {"x-stream-filter-value": value} if value else {"other": 1}
        client.publish(b"%d" % number, "s", properties={"headers": headers})
    found = read(client, **arguments)
    assert offsets(found) == expected
    if expected:
        assert "x-stream-filter-value" in {key for each in found for key in each.properties.headers} or (
            expected == [2, 5]
        )


def test_a_filter_that_lets_nothing_pass_holds_nobody_up(world: World, client: Client) -> None:
    """It looks at a bounded number in a batch, and comes to the end all the same."""
    declare(client)
    fill(client, 2 * BATCH_LOOKS)
    assert read(client, stream_filter="eu") == []
    stream = stream_of(world)
    (reader,) = stream.readers.values()
    assert reader.position <= BATCH_LOOKS + 200
    world.advance(0)
    assert reader.position == stream.next_position
    client.publish(b"x", "s", properties={"headers": {"x-stream-filter-value": "eu"}})
    assert offsets(client.deliveries) == [2 * BATCH_LOOKS]


# Retention


@pytest.mark.parametrize("drowsy", [0, 4])
def test_a_stream_keeps_so_many_octets(drowsy: int) -> None:
    """The oldest go, in steps, and the journal knows."""
    world = World(drowsy=drowsy)
    world.broker.pager.block_size = 4
    client = world.connect().open()
    declare(client, max_length_bytes=100 * (64 + 100))
    for number in range(400):
        client.publish(b"%03d" % number + bytes(97), "s")
    world.settle()
    count = client.count("s") or 0
    assert 80 <= count <= 100
    found = read(client, 5)
    assert offsets(found) == list(range(400 - count, 400))
    world.commit()
    check_accounts(world)
    again = world.restart(clean=False)
    assert offsets(read(again.connect())) == list(range(400 - count, 400))


def test_a_step_is_no_larger_than_was_asked(world: World, client: Client) -> None:
    """x-stream-max-segment-size-bytes says how much goes at once."""
    world.broker.pager.block_size = 1
    declare(client, max_length_bytes=100 * 164, stream_max_segment_size_bytes=2 * 164)
    counts = []
    for _ in range(120):
        client.publish(bytes(100), "s")
        counts.append(client.count("s") or 0)
    assert max(counts) == 100
    assert set(counts[100:]) == {98, 99, 100}


def test_a_stream_keeps_what_is_young(world: World, client: Client) -> None:
    """Down to nothing, though nobody publishes any more."""
    world.broker.pager.block_size = 2
    declare(client, max_age="1m")
    for number in range(6):
        fill(client, 2, 2 * number)
        world.advance(20)
    assert client.count("s") == 4
    assert offsets(read(client))[0] == 8
    world.advance(20)
    assert client.count("s") == 2
    world.advance(40)
    assert client.count("s") == 0
    fill(client, 1)
    assert offsets(client.deliveries[-1:]) == [12]


def test_a_reader_goes_on_behind_what_has_gone(world: World, client: Client) -> None:
    """With the first message that is left."""
    world.broker.pager.block_size = 2
    declare(client, max_age="1m")
    fill(client, 10)
    found = read(client, prefetch=1)
    assert offsets(found) == [0]
    world.advance(50)
    fill(client, 4, 10)
    world.advance(20)
    client.ack(1, channel=found[0].channel)
    assert offsets(client.deliveries) == [0, 10]


def test_policies_bound_a_stream_at_once(world: World, client: Client) -> None:
    """And go before its arguments; keys that streams do not know keep a policy away."""
    world.broker.pager.block_size = 2
    declare(client, max_length_bytes=1_000_000)
    fill(client, 40)
    let_policy(world, "short", {"max-length-bytes": 20 * 65, "stream-max-segment-size-bytes": 65})
    assert client.count("s") == 18
    let_policy(world, "short", {"max-length-bytes": 0, "max-length": 1})
    fill(client, 10, 40)
    assert client.count("s") == 28
    let_policy(world, "short", {"max-age": "5s"})
    world.advance(6)
    assert client.count("s") == 0
    let_policy(world, "short", None)
    fill(client, 10, 50)
    world.advance(6)
    assert client.count("s") == 10


def test_a_deep_stream_goes_in_slices(world: World) -> None:
    """What a policy forbids of it."""
    world = World(drowsy=4)
    client = world.connect().open()
    declare(client)
    fill(client, 2000)
    stream = stream_of(world)
    stream.arguments.max_age_ms = 1
    world.now += 1
    world.broker.at(world.now)
    stream.dispatch()
    assert 0 < stream.ready.count < 2000
    world.advance(0.01)
    assert stream.ready.count == 0
    world.commit()
    assert world.journal.live_bytes == 0


# What streams are not


@pytest.mark.parametrize(
    ("options", "prop"),
    [
        ({}, "non-durable"),
        ({"durable": True, "exclusive": True}, "exclusive-owner"),
        ({"durable": True, "auto_delete": True}, "auto-delete"),
    ],
)
def test_streams_are_durable_and_shared(client: Client, options: dict[str, bool], prop: str) -> None:
    """406."""
    expect.channel_closed(
        client.queue("s", arguments=STREAM, **options),
        406,
        f"PRECONDITION_FAILED - invalid property '{prop}' for {WHERE}",
        commands.Queue.Declare,
    )


@pytest.mark.parametrize(
    ("argument", "value", "text"),
    [
        ("x-message-ttl", 1, f"invalid arg 'x-message-ttl' for {WHERE} of queue type rabbit_stream_queue"),
        ("x-max-length", 1, f"invalid arg 'x-max-length' for {WHERE} of queue type rabbit_stream_queue"),
        ("x-max-age", "7W", f"invalid arg 'x-max-age' for {WHERE}: invalid_max_age"),
        (
            "x-stream-max-segment-size-bytes",
            3_000_000_001,
            "Exceeded max value for x-stream-max-segment-size-bytes",
        ),
        ("x-stream-filter-size-bytes", 15, "Invalid value for  x-stream-filter-size-bytes"),
        ("x-stream-filter-size-bytes", 256, "Invalid value for  x-stream-filter-size-bytes"),
        ("x-initial-cluster-size", 0, f"invalid arg 'x-initial-cluster-size' for {WHERE}: {{value_zero,0}}"),
    ],
)
def test_arguments_that_streams_refuse(client: Client, argument: str, value: Any, text: str) -> None:
    """406, in RabbitMQ's words."""
    expect.channel_closed(
        client.queue("s", durable=True, arguments=STREAM | {argument: value}),
        406,
        f"PRECONDITION_FAILED - {text}",
        commands.Queue.Declare,
    )


def test_arguments_that_streams_take(client: Client) -> None:
    """All of them, and a redeclare compares them."""
    arguments = {
        "max_age": "7D",
        "max_length_bytes": 1000,
        "stream_max_segment_size_bytes": 500,
        "stream_filter_size_bytes": 32,
        "initial_cluster_size": 1,
        "queue_leader_locator": "client-local",
    }
    for _ in range(2):
        assert isinstance(declare(client, **arguments), commands.Queue.DeclareOk)
    expect.channel_closed(
        declare(client, **arguments | {"max_age": "8D"}),
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'x-max-age' for {WHERE}: received '8D' but current is '7D'",
        commands.Queue.Declare,
    )


@pytest.mark.parametrize(
    ("method", "text"),
    [
        (commands.Basic.Get(queue="s"), f"basic.get not supported by stream queues {WHERE}"),
        (commands.Queue.Purge(queue="s"), f"queue.purge not supported by stream queues {WHERE}"),
        (
            commands.Basic.Consume(queue="s", no_ack=True),
            f"automatic acknowledgement not supported by stream {WHERE}",
        ),
    ],
)
def test_what_streams_cannot(client: Client, method: Any, text: str) -> None:
    """540."""
    declare(client)
    client.call(1, commands.Basic.Qos(prefetch_count=1))
    expect.connection_closed(client.call(1, method), 540, f"NOT_IMPLEMENTED - {text}", type(method))


def test_a_prefetch_is_needed(client: Client) -> None:
    """406 without one, whatever else was asked."""
    declare(client)
    expect.channel_closed(
        client.consume("s", no_ack=True),
        406,
        f"PRECONDITION_FAILED - consumer prefetch count is not set for stream {WHERE}",
        commands.Basic.Consume,
    )


def test_no_shared_prefetch(client: Client) -> None:
    """540."""
    declare(client)
    client.call(1, commands.Basic.Qos(prefetch_count=1))
    client.call(1, commands.Basic.Qos(prefetch_count=1, global_=True))
    expect.connection_closed(
        client.consume("s"),
        540,
        f"NOT_IMPLEMENTED - {WHERE} does not support global qos",
        commands.Basic.Consume,
    )


def test_no_priority_among_readers(client: Client) -> None:
    """406, as in RabbitMQ: nobody takes anything from anybody."""
    declare(client)
    client.call(1, commands.Basic.Qos(prefetch_count=1))
    expect.channel_closed(
        client.consume("s", arguments={"x-priority": 1}),
        406,
        f"PRECONDITION_FAILED - invalid arg 'x-priority' for {WHERE} of queue type rabbit_stream_queue",
        commands.Basic.Consume,
    )


def test_no_server_named_streams(client: Client) -> None:
    """406."""
    expect.channel_closed(
        declare(client, ""),
        406,
        "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_stream_queue",
        commands.Queue.Declare,
    )


# Streams among queues


def test_an_exclusive_consumer_is_not_alone(client: Client) -> None:
    """There is nothing to be exclusive about."""
    declare(client)
    client.call(1, commands.Basic.Qos(prefetch_count=1))
    for tag in ("a", "b"):
        assert isinstance(client.consume("s", tag, exclusive=True), commands.Basic.ConsumeOk)


def test_deleting_a_stream(world: World, client: Client) -> None:
    """Whatever conditions were given, as in RabbitMQ; its readers are told, and its space is free."""
    declare(client)
    fill(client, 10)
    read(client, prefetch=2)
    answer = client.call(1, commands.Queue.Delete(queue="s", if_unused=True, if_empty=True))
    assert answer.message_count == 10
    assert client.of(commands.Basic.Cancel)
    client.ack(0, multiple=True, channel=2)
    world.commit()
    assert world.journal.live_bytes == 0
    assert declare(client).message_count == 0
    assert fill(client, 1) == [b"0"]
    assert offsets(read(client)) == [0]


def test_a_message_for_a_stream_and_a_queue(world: World) -> None:
    """Each keeps it as it does; compaction moves it for both."""
    world = World(drowsy=3)
    client = world.connect().open()
    declare(client)
    client.queue("q", durable=True)
    for name in ("s", "q"):
        client.call(1, commands.Queue.Bind(queue=name, exchange="amq.fanout"))
    for number in range(40):
        client.publish(b"%d" % number, "", "amq.fanout", properties={"delivery_mode": 2})
    for _ in range(4):
        world.settle()
    check_accounts(world)
    sent = [b"%d" % number for number in range(40)]
    assert client.bodies_in("q") == sent
    world.commit()
    check_accounts(world)
    again = world.restart(clean=False)
    assert bodies(read(again.connect())) == sent
    assert again.connect().open().count("q") == 0


def test_dead_letters_may_go_to_a_stream(client: Client) -> None:
    """As to any queue."""
    declare(client)
    client.queue("q", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "s"})
    client.publish(b"x", "q")
    delivery = client.get("q", no_ack=False)
    assert delivery is not None
    client.reject(delivery.method.delivery_tag, requeue=False)
    (found,) = read(client)
    assert found.properties.headers["x-death"][0]["reason"] == "rejected"
    assert offsets([found]) == [0]


def test_transactions(client: Client) -> None:
    """Publishes come with the commit; acknowledgements give credit with it."""
    declare(client)
    fill(client, 3)
    read(client, prefetch=2)
    client.call(2, commands.Tx.Select())
    client.publish(b"tx", "s", channel=2)
    client.ack(2, multiple=True, channel=2)
    assert client.count("s") == 3
    assert len(client.deliveries) == 2
    client.call(2, commands.Tx.Commit())
    client.world.settle()
    assert bodies(client.deliveries) == [b"0", b"1", b"2", b"tx"]


def test_a_message_in_a_stream_does_not_expire(world: World, client: Client) -> None:
    """Its expiration is for whoever reads it."""
    declare(client)
    fill(client, 1, expiration="10")
    world.advance(60)
    (found,) = read(client)
    assert found.properties.expiration == "10"


def test_a_full_outbox_is_waited_for(world: World) -> None:
    """A reader that does not read takes no more memory than its outbox."""
    world = World(outbox_bytes_max=100_000)
    client = world.connect().open()
    declare(client)
    for _ in range(100):
        client.publish(bytes(10_000), "s")
    world.settle()
    deaf = world.connect().open()
    deaf.call(1, commands.Basic.Qos(prefetch_count=1000))
    consume = commands.Basic.Consume(queue="s", arguments={"x-stream-offset": "first"})
    deaf.session.receive_data(frame.marshal(consume, 1), world.now)
    world.broker.flush(world.now)
    assert deaf.session.outbox.size < 120_000
    world.advance(0)
    assert len(deaf.deliveries) == 100


def test_a_paused_stream_takes_and_gives_nothing(world: World, client: Client) -> None:
    """Until it is resumed: everybody goes on where they were."""
    declare(client)
    fill(client, 2)
    read(client, prefetch=1)
    stream = stream_of(world)
    stream.pause()
    client.ack(1, channel=2)
    fill(client, 2, 2)
    world.advance(1)
    assert offsets(client.deliveries) == [0]
    stream.resume()
    world.settle()
    for tag in (2, 3):
        client.ack(tag, channel=2)
    assert offsets(client.deliveries) == [0, 1, 2, 3]
