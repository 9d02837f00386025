"""Publishing: what is refused, what comes back, and when a publish is confirmed."""

from typing import Any

import pytest
from pamqp import commands, frame

from mambaamqp.config import Config, PermissionConfig, VhostConfig
from mambaamqp.wire import properties
from mambaamqp.wire.framing import FRAME_BODY, FRAME_HEADER
from mambaamqp.wire.framing import frame as pack
from tests.support import expect
from tests.support.client import Client, Delivery, World, default_config, publish_octets, user_config

PUBLISH = commands.Basic.Publish
PERSISTENT = {"delivery_mode": 2}


def channel_close(client: Client) -> Any:
    [close] = client.of(commands.Channel.Close)
    return close


def refused(client: Client, text: str) -> None:
    expect.channel_closed(channel_close(client), 406, f"PRECONDITION_FAILED - {text}", PUBLISH)


def acks(client: Client) -> list[tuple[int, bool]]:
    return [(ack.delivery_tag, ack.multiple) for ack in client.of(commands.Basic.Ack)]


def nacks(client: Client) -> list[int]:
    return [nack.delivery_tag for nack in client.of(commands.Basic.Nack)]


def confirmed(client: Client) -> set[int]:
    """Every publish that has been acknowledged; asserts that none was twice, or was nacked as well."""
    settled: set[int] = set()
    acked: set[int] = set()
    highest = 0
    for _, value in client.received:
        if isinstance(value, commands.Basic.Nack):
            assert value.delivery_tag not in settled
            settled.add(value.delivery_tag)
        if isinstance(value, commands.Basic.Ack):
            first = highest + 1 if value.multiple else value.delivery_tag
            tags = {tag for tag in range(first, value.delivery_tag + 1) if tag not in settled}
            assert value.delivery_tag in tags
            settled |= tags
            acked |= tags
            highest = value.delivery_tag
    return acked


# Refusals


def test_a_missing_exchange_is_404(client: Client) -> None:
    """Asynchronously, naming basic.publish."""
    client.publish(b"m", exchange="x")

    expect.channel_closed(channel_close(client), 404, "NOT_FOUND - no exchange 'x' in vhost '/'", PUBLISH)


def test_an_internal_exchange_is_403(client: Client) -> None:
    """Only exchanges publish to it."""
    client.exchange("x", internal=True)
    client.publish(b"m", exchange="x")

    expect.channel_closed(
        channel_close(client),
        403,
        "ACCESS_REFUSED - cannot publish to internal exchange 'x' in vhost '/'",
        PUBLISH,
    )


@pytest.mark.parametrize("whole", [True, False])
def test_a_message_that_is_too_large_is_406(whole: bool) -> None:
    """Refused at its header, in one piece or in many; the rest of it is dropped with the channel."""
    world = World(message_bytes_max=1000)
    client = world.connect().open()
    client.queue("q")
    client.publish(bytes(1000))
    assert client.count("q") == 1
    octets = publish_octets(bytes(1001), frame_size=131_064 if whole else 100)
    if whole:
        client.feed(octets)
    else:
        for at in range(0, len(octets), 64):
            client.feed(octets[at : at + 64])

    refused(client, "message size 1001 is larger than configured max size 1000")


def test_the_size_is_checked_before_the_exchange(world: World) -> None:
    """In RabbitMQ's order."""
    world.settings.message_bytes_max = 10
    client = world.connect().open()
    client.publish(bytes(11), exchange="nope")

    assert channel_close(client).reply_code == 406


@pytest.mark.parametrize(
    ("expiration", "why"),
    [
        ("abc", "no_integer"),
        (" 1", "no_integer"),
        ("1.5", '{leftover_string,".5"}'),
        ("1 ", '{leftover_string," "}'),
        ("-1", "{value_negative,-1}"),
        ("315360000001", "{value_too_large,315360000001}"),
        ("9" * 60, "{value_too_large," + "9" * 60 + "}"),
    ],
)
def test_an_invalid_expiration_is_406(client: Client, expiration: str, why: str) -> None:
    """A decimal number of milliseconds, as text."""
    client.queue("q")
    client.publish(b"m", properties={"expiration": expiration})

    refused(client, f"invalid expiration '{expiration}': {why}")


def test_an_expiration_that_only_looks_like_a_number_is_406(client: Client) -> None:
    """Digits of other scripts are none."""
    client.queue("q")
    client.publish(b"m", properties={"expiration": "٣"})

    assert channel_close(client).reply_code == 406


def test_anothers_user_id_is_406(client: Client) -> None:
    """The property is the broker's word for who published."""
    client.queue("q")
    client.publish(b"ok", properties={"user_id": "guest"})
    client.publish(b"m", properties={"user_id": "eve"})

    refused(client, "user_id property set to 'eve' but authenticated user was 'guest'")


def test_an_impersonator_may_name_others() -> None:
    """The tag that gateways have."""
    base = default_config()
    config = Config(
        users=(*base.users, user_config("gate", ["impersonator"])),
        vhosts=(VhostConfig(name="/"),),
        permissions=(
            *base.permissions,
            PermissionConfig(user="gate", configure=".*", write=".*", read=".*"),
        ),
    )
    client = World(config=config).connect(user="gate", password="gate").open()
    client.queue("q")
    client.publish(b"m", properties={"user_id": "eve"})

    assert client.bodies_in("q") == [b"m"]


def test_immediate_is_540(client: Client) -> None:
    """Gone since RabbitMQ 3."""
    method = commands.Basic.Publish(routing_key="q", immediate=True)
    client.feed(frame.marshal(method, 1) + pack(FRAME_HEADER, 1, properties.encode({}, 0)))

    [close] = client.of(commands.Connection.Close)
    expect.connection_closed(close, 540, "NOT_IMPLEMENTED - immediate=true", PUBLISH)


@pytest.mark.parametrize("place", [12, 13])
def test_property_flags_that_nobody_knows_are_refused(client: Client, place: int) -> None:
    """Properties that are announced and do not follow; a second word of flags."""
    client.queue("q")
    head = bytearray(properties.encode({}, 0))
    head[place] = 0xFF
    client.feed(
        frame.marshal(commands.Basic.Publish(routing_key="q"), 1) + pack(FRAME_HEADER, 1, bytes(head))
    )

    assert client.of(commands.Connection.Close)[0].reply_code in (501, 502)
    assert len(client.world.broker.vhosts["/"].queues["q"].ready.entries()) == 0


def test_a_publish_after_a_refused_one_is_dropped(client: Client) -> None:
    """In one read with it: the channel is closing."""
    client.queue("q")
    client.feed(publish_octets(b"bad", exchange="nope") + publish_octets(b"dropped"))
    client.send(1, commands.Channel.CloseOk())
    client.open()

    assert client.count("q") == 0


# Properties


def test_all_properties_arrive_as_they_were_sent(client: Client) -> None:
    """All fourteen, and the body."""
    client.queue("q")
    sent: dict[str, Any] = {
        "content_type": "text/plain",
        "content_encoding": "utf-8",
        "headers": {"a": 1, "b": [True, None, {"c": "d"}]},
        "delivery_mode": 1,
        "priority": 3,
        "correlation_id": "c",
        "reply_to": "r",
        "expiration": "60000",
        "message_id": "m",
        "message_type": "t",
        "user_id": "guest",
        "app_id": "app",
        "cluster_id": "",
    }
    client.publish(b"body", properties=sent)
    delivery = client.get()

    assert delivery is not None
    assert delivery.body == b"body"
    for name, value in sent.items():
        assert getattr(delivery.properties, name) == value or name == "cluster_id"


@pytest.mark.parametrize("size", [0, 1, 131_063, 131_064, 131_065, 400_000, 2_000_000])
def test_bodies_of_every_size(client: Client, size: int) -> None:
    """Around the size of a frame, and above what is kept in one piece."""
    client.queue("q")
    body = bytes(place % 251 for place in range(size))
    client.publish(body)

    assert client.bodies_in("q") == [body]


def test_a_large_message_is_cut_for_a_small_frame_max(world: World, client: Client) -> None:
    """Each connection has its own."""
    client.queue("q")
    body = bytes(place % 251 for place in range(100_000))
    client.publish(body)
    small = world.connect(frame_max=8192).open()
    small.send(1, commands.Basic.Get(queue="q", no_ack=True))

    [delivery] = small.take()
    assert delivery.body == body


# Returns


def test_an_unroutable_mandatory_message_comes_back(client: Client) -> None:
    """basic.return with code, text, exchange, key, properties and body."""
    client.exchange("x")
    client.publish(b"m", "k", "x", mandatory=True, properties={"message_id": "id"})
    client.publish(b"n", "k", "x")
    [returned] = client.take()

    method = returned.method
    assert (method.reply_code, method.reply_text) == (312, "NO_ROUTE")
    assert (method.exchange, method.routing_key) == ("x", "k")
    assert (returned.body, returned.properties.message_id) == (b"m", "id")


def test_a_mandatory_message_that_is_routed_does_not_come_back(client: Client) -> None:
    """Whether anybody consumes it or not."""
    client.queue("q")
    client.publish(b"m", mandatory=True)

    assert client.take() == []


# Confirms


def test_every_publish_is_confirmed_once(client: Client) -> None:
    """From 1 on, counted from confirm.select; what came before does not count."""
    client.queue("q")
    client.publish(b"before")
    client.confirm()
    for _ in range(5):
        client.publish(b"m")
    client.feed(publish_octets(b"m") * 20)

    assert confirmed(client) == set(range(1, 26))


def test_without_confirm_select_there_are_no_confirms(client: Client) -> None:
    """Not even for persistent messages."""
    client.queue("q", durable=True)
    client.publish(b"m", properties=PERSISTENT)

    assert not client.of(commands.Basic.Ack)


def test_channels_count_for_themselves(client: Client) -> None:
    """Each from 1."""
    client.open(2).confirm(1).confirm(2)
    client.queue("q")
    client.publish(b"m", channel=1)
    client.publish(b"m", channel=2)

    assert [(channel, value.delivery_tag) for channel, value in client.received[-2:]] == [(1, 1), (2, 1)]


def test_confirm_select_twice_is_fine(client: Client) -> None:
    """The count goes on."""
    client.queue("q")
    client.confirm()
    client.publish(b"m")
    client.confirm()
    client.publish(b"m")

    assert confirmed(client) == {1, 2}


def test_a_return_comes_before_its_confirm(client: Client) -> None:
    """And an unroutable message is acknowledged, mandatory or not."""
    client.confirm()
    client.publish(b"m", "nope", mandatory=True)
    client.publish(b"m", "nope")
    kinds = [type(value) for channel, value in client.received if channel == 1][-3:]

    assert kinds == [Delivery, commands.Basic.Ack, commands.Basic.Ack]
    assert confirmed(client) == {1, 2}


def test_a_return_comes_before_its_confirm_in_one_batch(client: Client) -> None:
    """A batch is confirmed at its end."""
    client.confirm()
    client.feed(publish_octets(b"m", "nope", mandatory=True) * 3)
    kinds = [type(value) for channel, value in client.received if channel == 1][-4:]

    assert kinds == [Delivery, Delivery, Delivery, commands.Basic.Ack]


def test_a_persistent_message_is_confirmed_when_it_is_safe(world: World, client: Client) -> None:
    """And not before the journal has been synced."""
    client.queue("q", durable=True)
    client.confirm()
    world.hold = True
    client.publish(b"m", properties=PERSISTENT)
    assert acks(client) == []
    world.hold = False
    world.settle()

    assert acks(client) == [(1, False)]


@pytest.mark.parametrize(
    ("durable", "mode", "routing_key"), [(True, 1, "q"), (False, 2, "q"), (False, 1, "q"), (True, 2, "nope")]
)
def test_what_needs_no_disk_waits_for_none(
    world: World, client: Client, durable: bool, mode: int, routing_key: str
) -> None:
    """A transient message, a transient queue, no queue."""
    client.queue("q", durable=durable)
    client.confirm()
    world.hold = True
    client.publish(b"m", routing_key, properties={"delivery_mode": mode})

    assert acks(client) == [(1, False)]


def test_a_transient_message_does_not_overtake_with_multiple(world: World, client: Client) -> None:
    """No acknowledgement covers a persistent one that is not safe yet."""
    client.queue("q", durable=True)
    client.confirm()
    world.hold = True
    client.publish(b"m", properties=PERSISTENT)
    client.publish(b"t", properties={"delivery_mode": 1})
    assert 1 not in confirmed(client)
    world.hold = False
    world.settle()

    assert confirmed(client) == {1, 2}


def test_a_persistent_message_to_several_queues_is_confirmed_once(world: World, client: Client) -> None:
    """When it is safe for all of them."""
    client.queue("a", durable=True)
    client.queue("b", durable=True)
    client.queue("c")
    for name in "abc":
        client.bind(name, "amq.fanout")
    client.confirm()
    world.hold = True
    client.publish(b"m", exchange="amq.fanout", properties=PERSISTENT)
    assert acks(client) == []
    world.hold = False
    world.settle()

    assert acks(client) == [(1, False)]


def test_a_message_consumed_before_it_is_safe_is_still_confirmed(world: World, client: Client) -> None:
    """Delivered and acknowledged while its record is on the way to the disk."""
    client.queue("q", durable=True)
    client.confirm()
    client.consume("q", no_ack=True)
    world.hold = True
    client.publish(b"m", properties=PERSISTENT)
    assert client.bodies() == [b"m"]
    world.hold = False
    world.settle()

    assert confirmed(client) == {1}


def test_a_queue_that_is_deleted_meanwhile_confirms(world: World, client: Client, other: Client) -> None:
    """The message went where it was to go."""
    client.queue("q", durable=True)
    client.confirm()
    world.hold = True
    client.publish(b"m", properties=PERSISTENT)
    other.send(1, commands.Queue.Delete(queue="q"))
    world.hold = False
    world.settle()

    assert confirmed(client) == {1}


def test_a_full_queue_that_rejects_nacks(client: Client) -> None:
    """In between acknowledgements, each exactly once."""
    client.queue("q", arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    client.confirm()
    client.feed(publish_octets(b"m") * 4)
    assert client.get() is not None
    client.feed(publish_octets(b"m") * 2)

    assert confirmed(client) == {1, 2, 5}
    assert nacks(client) == [3, 4, 6]


def test_one_queue_of_a_fanout_that_rejects_nacks_the_whole(client: Client) -> None:
    """Although the others took it."""
    client.queue("a", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    client.queue("b")
    client.bind("a", "amq.fanout")
    client.bind("b", "amq.fanout")
    client.confirm()
    client.publish(b"m", exchange="amq.fanout")

    assert nacks(client) == [1]
    assert client.bodies_in("b") == [b"m"]


def test_a_nack_among_publishes_that_wait_for_the_disk(world: World, client: Client) -> None:
    """The nack goes at once; no later acknowledgement covers it again."""
    client.queue("q", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    client.confirm()
    world.hold = True
    client.feed(publish_octets(b"m", properties=PERSISTENT) * 2)
    client.feed(publish_octets(b"t", "nope"))
    world.hold = False
    world.settle()

    assert nacks(client) == [2]
    assert confirmed(client) == {1, 3}


def test_too_many_unconfirmed_publishes_stop_the_reading(world: World) -> None:
    """unconfirmed_max: until the journal has caught up."""
    world.settings.unconfirmed_max = 5
    client = world.connect().open().confirm()
    client.queue("q", durable=True)
    world.hold = True
    client.feed(publish_octets(b"m", properties=PERSISTENT) * 10)
    assert not client.session.wants_read
    world.hold = False
    world.settle()

    assert client.session.wants_read
    assert confirmed(client) == set(range(1, 11))


def test_a_journal_that_lags_stops_the_reading(world: World) -> None:
    """journal_pending_bytes_max: of connections that publish; others go on."""
    world.settings.journal_pending_bytes_max = 1000
    client = world.connect().open()
    other = world.connect().open()
    client.queue("q", durable=True)
    world.hold = True
    client.publish(bytes(2000), properties=PERSISTENT)
    assert not client.session.wants_read
    assert other.session.wants_read
    world.hold = False
    world.settle()

    assert client.session.wants_read


# Restarts


@pytest.mark.parametrize("clean", [True, False])
def test_confirmed_messages_survive(world: World, client: Client, clean: bool) -> None:
    """Byte for byte and in order; transient ones and those of transient queues do not."""
    client.queue("q", durable=True)
    client.queue("t")
    sent = [bytes([place]) * size for place, size in enumerate((0, 1, 131_064, 200_000, 1_100_000))]
    for body in sent:
        client.publish(body, properties={**PERSISTENT, "headers": {"n": len(body)}})
    client.publish(b"transient", properties={"delivery_mode": 1})
    client.publish(b"lost", "t", properties=PERSISTENT)
    again = world.restart(clean=clean).connect().open()
    found = [again.get() for _ in sent]

    assert [delivery.body for delivery in found if delivery] == sent
    assert [delivery.properties.headers for delivery in found if delivery] == [{"n": len(s)} for s in sent]
    assert [delivery.method.redelivered for delivery in found if delivery] == [not clean] * len(sent)
    assert again.get() is None


def test_content_frames_of_another_channel_are_renumbered(client: Client) -> None:
    """What is kept as it stood on the wire names the publisher's channel; consumers have their own."""
    client.open(7)
    client.queue("q")
    client.publish(b"m" * 10, channel=7)
    get = frame.marshal(commands.Basic.Get(queue="q", no_ack=True), 1)
    client.session.receive_data(get, client.world.now)
    octets = client.session.data_to_send()

    assert pack(FRAME_BODY, 1, b"m" * 10) in octets


# Publishes that are like the one before


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("between", "arrived"),
    [
        ([commands.Channel.Close(200, "", 0, 0), commands.Channel.Open()], 4),
        ([commands.Tx.Select()], 2),
        ([commands.Confirm.Select()], 4),
        ([commands.Queue.Unbind(queue="q", exchange="amq.direct", routing_key="k")], 2),
        ([commands.Queue.Delete(queue="q"), commands.Queue.Declare(queue="q")], 0),
        ([commands.Queue.Purge(queue="q")], 2),
        ([commands.Queue.Bind(queue="q", exchange="amq.direct", routing_key="k")], 4),
        ([commands.Basic.Publish(exchange="amq.direct", routing_key="other")], 4),
        ([commands.Exchange.Declare(exchange="nope", exchange_type="direct", passive=True)], 2),
    ],
    ids=lambda value: value[0].name if isinstance(value, list) else None,
)
def test_the_same_octets_mean_what_they_mean_now(
    client: Client, other: Client, between: list[Any], arrived: int, together: bool
) -> None:
    """Two publishes, something in between, the same two again, in one read or in many."""
    other.queue("q")
    other.bind("q", "amq.direct", "k")
    publish = publish_octets(b"same", "k", "amq.direct")
    octets = []
    for method in between:
        octets.append(frame.marshal(method, 1))
        if isinstance(method, commands.Basic.Publish):
            octets.append(pack(FRAME_HEADER, 1, properties.encode({}, 0)))
    pieces = [publish, publish, *octets, publish, publish]
    for piece in [b"".join(pieces)] if together else pieces:
        client.feed(piece)

    assert other.count("q") == arrived


@pytest.mark.parametrize("together", [True, False])
def test_bodies_that_differ_do_so(client: Client, together: bool) -> None:
    """Same header, same sizes, other octets; and then other sizes, and the first ones again."""
    client.queue("q")
    bodies = [b"aaaa", b"bbbb", b"cccc", b"dd", b"eeee", b"", b"", b"ffff", b"gggg"]
    pieces = [publish_octets(body) for body in bodies]
    for piece in [b"".join(pieces)] if together else pieces:
        client.feed(piece)

    assert client.bodies_in("q") == bodies


def test_properties_that_differ_do_so(client: Client) -> None:
    """Only the octets that are the same are taken for the same."""
    client.queue("q")
    values: list[dict[str, Any]] = [{"message_id": "a"}, {"message_id": "b"}, {}, {"priority": 1}, {}]
    client.feed(b"".join(publish_octets(b"same", properties=properties) for properties in values))
    found = [client.get() for _ in values]

    assert [delivery.properties.message_id for delivery in found if delivery] == ["a", "b", None, None, None]


def test_a_wrong_frame_end_behind_a_publish_like_the_one_before(client: Client) -> None:
    """It is refused, and the ones before it have arrived."""
    client.queue("q")
    good = publish_octets(b"same")
    client.feed(good * 3 + good[:-1] + b"\x00" + good)

    assert client.of(commands.Connection.Close)[0].reply_code == 501
    assert client.world.broker.vhosts["/"].queues["q"].ready.count == 3


def test_two_channels_that_publish_the_same(client: Client) -> None:
    """Turn about, each with its own confirms."""
    client.open(2).confirm(1).confirm(2)
    client.queue("q")
    one, two = publish_octets(b"same", channel=1), publish_octets(b"same", channel=2)
    client.feed((one + two) * 3 + one * 2 + two * 2)

    tags = {1: 0, 2: 0}
    for channel, value in client.received:
        if isinstance(value, commands.Basic.Ack):
            tags[channel] = value.delivery_tag
    assert tags == {1: 5, 2: 5}
    assert client.count("q") == 10
