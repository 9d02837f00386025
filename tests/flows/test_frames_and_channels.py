"""Frames that lie, content out of order, channels that are not there: refused in RabbitMQ's words."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands, frame, heartbeat

from mambaamqp.wire import properties
from mambaamqp.wire.framing import (
    FRAME_BODY,
    FRAME_HEADER,
    FRAME_HEARTBEAT,
    FRAME_METHOD,
    HEARTBEAT_FRAME,
)
from mambaamqp.wire.framing import frame as pack
from mambaamqp.wire.methods import AccessRequest, AccessRequestOk
from tests.support import expect
from tests.support.client import Client, World, publish_octets

PUBLISH = commands.Basic.Publish
METHOD_OCTETS = frame.marshal(commands.Basic.Publish(routing_key="q"), 1)


def header(body_bytes: int, **values: Any) -> bytes:
    return pack(FRAME_HEADER, 1, properties.encode(values, body_bytes))


def body(data: bytes, channel: int = 1) -> bytes:
    return pack(FRAME_BODY, channel, data)


def refusal(client: Client, *frames: bytes) -> Any:
    """The connection.close that follows."""
    client.feed(b"".join(frames))
    closes = client.of(commands.Connection.Close)
    assert len(closes) == 1, client.received
    return closes[0]


# Frames


def test_a_wrong_frame_end_is_501(client: Client) -> None:
    """With the octets that were there instead."""
    octets = bytearray(frame.marshal(commands.Channel.Close(200, "", 0, 0), 1))
    octets[-1] = 7

    close = refusal(client, bytes(octets))
    expect.connection_closed(
        close,
        501,
        "FRAME_ERROR - type 1, all octets = <<0,20,0,40,0,200,0,0,0,0,0>>: {invalid_frame_end_marker,7}",
    )


def test_a_wrong_frame_end_shows_sixteen_octets_at_most(client: Client) -> None:
    """A long frame is not repeated to the log."""
    close = refusal(client, body(bytes(range(20)))[:-1] + b"\x00")

    expect.connection_closed(
        close,
        501,
        "FRAME_ERROR - type 3, first 16 octets = <<0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15>>: "
        "{invalid_frame_end_marker,0}",
    )


@pytest.mark.parametrize("kind", [0, 4, 7, 9, 65, 255])
def test_an_unknown_frame_type_is_501(client: Client, kind: int) -> None:
    """Method, header, body and heartbeat are all there is."""
    assert refusal(client, pack(kind, 1, b"abc")).reply_code == 501


@pytest.mark.parametrize("size", [131_073, 1 << 24, 0xFFFFFFFF])
def test_a_frame_that_is_too_large_is_refused_at_its_head(client: Client, size: int) -> None:
    """Before any of its payload has come, let alone been kept."""
    close = refusal(client, bytes((FRAME_BODY, 0, 1)) + size.to_bytes(4, "big") + b"x")

    expect.connection_closed(
        close, 501, f"FRAME_ERROR - type 3, all octets = <<>>: {{frame_too_large,{size},131064}}"
    )


@pytest.mark.parametrize("size", [8192 - 8, 8192 - 1, 8192])
def test_a_frame_may_exceed_frame_max_by_its_envelope(world: World, size: int) -> None:
    """Clients count it differently; RabbitMQ tolerates eight octets."""
    client = world.connect(frame_max=8192).open()
    client.queue("q")
    client.feed(METHOD_OCTETS + header(size) + body(bytes(size)))

    assert client.bodies_in("q") == [bytes(size)]


def test_one_octet_more_is_too_much(world: World) -> None:
    """frame_max of this connection, not of the configuration."""
    client = world.connect(frame_max=8192).open()
    close = refusal(client, METHOD_OCTETS + header(8193) + body(bytes(8193)))

    expect.connection_closed(
        close, 501, "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,8193,8184}"
    )


def test_heartbeats_are_welcome_anywhere_on_channel_0(client: Client) -> None:
    """Between the frames of a publish too."""
    client.queue("q")
    client.feed(METHOD_OCTETS + HEARTBEAT_FRAME + header(2) + HEARTBEAT_FRAME + body(b"a") + HEARTBEAT_FRAME)
    client.feed(body(b"b"))

    assert client.bodies_in("q") == [b"ab"]


def test_a_heartbeat_on_another_channel_is_505(client: Client) -> None:
    """Heartbeats belong to the connection."""
    assert refusal(client, pack(FRAME_HEARTBEAT, 1, b"")).reply_code == 505


# Content


@pytest.mark.parametrize("cut", [1, 3, 7, 10, 20, 40, 60, 90])
def test_a_publish_may_be_cut_anywhere(client: Client, cut: int) -> None:
    """The network knows nothing of frames."""
    client.queue("q")
    octets = publish_octets(bytes(range(100)), frame_size=30)
    client.feed(octets[:cut])
    client.feed(octets[cut:])

    assert client.bodies_in("q") == [bytes(range(100))]


def test_publishes_of_two_channels_may_interleave(client: Client) -> None:
    """Content is per channel; only within one it is a unit."""
    client.open(2)
    client.queue("q")
    second = frame.marshal(commands.Basic.Publish(routing_key="q"), 2)
    client.feed(METHOD_OCTETS + second + header(2) + pack(FRAME_HEADER, 2, properties.encode({}, 2)))
    client.feed(body(b"a") + body(b"c", 2) + body(b"b") + body(b"d", 2))

    assert sorted(client.bodies_in("q")) == [b"ab", b"cd"]


def test_an_empty_body_has_no_body_frame(client: Client) -> None:
    """The header is the end of it."""
    client.queue("q")
    client.feed(METHOD_OCTETS + header(0))

    assert client.bodies_in("q") == [b""]


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (
            [METHOD_OCTETS, METHOD_OCTETS],
            "expected content header for class 60, got non content header frame instead",
        ),
        (
            [METHOD_OCTETS, body(b"a")],
            "expected content header for class 60, got non content header frame instead",
        ),
        (
            [METHOD_OCTETS, header(1), METHOD_OCTETS],
            "expected content body, got non content body frame instead",
        ),
        (
            [METHOD_OCTETS, header(1), header(1)],
            "expected content body, got non content body frame instead",
        ),
        ([header(1)], "expected method frame, got non method frame instead"),
        ([body(b"a")], "expected method frame, got non method frame instead"),
        (
            [METHOD_OCTETS, header(1).replace(b"\x00\x3c", b"\x00\x32", 1)],
            "expected content header for class 60, got one for class 50 instead",
        ),
    ],
)
def test_content_out_of_order_is_505(client: Client, frames: list[bytes], text: str) -> None:
    """Method, header, bodies; in RabbitMQ's words."""
    expect.connection_closed(refusal(client, *frames), 505, f"UNEXPECTED_FRAME - {text}")


@pytest.mark.parametrize("frames", [[body(b"abc")], [body(b"a"), body(b"bc")]])
def test_more_body_than_announced_is_501(client: Client, frames: list[bytes]) -> None:
    """At once or in the end."""
    expect.connection_closed(
        refusal(client, METHOD_OCTETS, header(2), *frames),
        501,
        "FRAME_ERROR - content body frame exceeds remaining content size",
    )


def test_empty_body_frames_pile_nothing_up(client: Client) -> None:
    """A peer may send them for ever; nothing is kept of them."""
    client.queue("q")
    client.feed(METHOD_OCTETS + header(1) + body(b"") * 5000)
    channel = client.session.channels[1]
    assert channel.assembly is not None and len(channel.assembly.frames) <= 1
    client.feed(body(b"x"))

    assert client.bodies_in("q") == [b"x"]


@pytest.mark.parametrize("size", [1 << 63, (1 << 64) - 1, 512 * 1024 * 1024 + 1])
def test_a_body_that_nobody_can_have_is_501(client: Client, size: int) -> None:
    """Refused at the header, before anything is kept (CVE-2026-67235)."""
    close = refusal(client, METHOD_OCTETS, header(0)[:11] + size.to_bytes(8, "big") + header(0)[19:])

    expect.connection_closed(
        close, 501, f"FRAME_ERROR - content body size {size} exceeds maximum allowed size"
    )


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\x00\x3c\x00\x00" + bytes(8), b"\x00\x3c" + bytes(11)])
def test_a_header_that_is_too_short_is_refused(client: Client, octets: bytes) -> None:
    """501 or 502; never anything else."""
    assert refusal(client, METHOD_OCTETS, pack(FRAME_HEADER, 1, octets)).reply_code in (501, 502)


# Methods


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x00\x32\x00"])
def test_a_method_frame_without_ids_is_refused(client: Client, payload: bytes) -> None:
    """501 or 502; never anything else."""
    assert refusal(client, pack(FRAME_METHOD, 1, payload)).reply_code in (501, 502)


@pytest.mark.parametrize("payload", [b"\x00\x32\x00\x63", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff"])
def test_an_unknown_method_is_503(client: Client, payload: bytes) -> None:
    """A class or method that AMQP 0-9-1 does not have."""
    assert refusal(client, pack(FRAME_METHOD, 1, payload)).reply_code == 503


@pytest.mark.parametrize(
    "method",
    [
        commands.Queue.DeclareOk("q", 0, 0),
        commands.Basic.Deliver("c", 1, False, "", "q"),
        commands.Basic.GetEmpty(),
        commands.Connection.Open("/"),
        commands.Channel.OpenOk(),
    ],
    ids=lambda method: method.name,
)
def test_methods_that_only_a_server_sends_are_refused(client: Client, method: Any) -> None:
    """Connection-level, and never 541."""
    assert refusal(client, frame.marshal(method, 1)).reply_code in (503, 504)


def test_a_short_string_that_is_not_utf_8_is_501(client: Client) -> None:
    """Names are text."""
    payload = b"\x00\x32\x00\x1e\x00\x00\x02\xff\xfe\x00"

    expect.connection_closed(
        refusal(client, pack(FRAME_METHOD, 1, payload)), 501, "FRAME_ERROR - Malformed UTF-8 in shortstr"
    )


def test_a_routing_key_that_is_not_utf_8_is_501(client: Client) -> None:
    """On the quick way as well."""
    payload = b"\x00\x3c\x00\x28\x00\x00\x00\x02\xff\xfe\x00"

    expect.connection_closed(
        refusal(client, pack(FRAME_METHOD, 1, payload), header(0)),
        501,
        "FRAME_ERROR - Malformed UTF-8 in shortstr",
    )


@pytest.mark.parametrize(
    "payload",
    [
        b"\x00\x32\x00\x0a\x00\x00\xff",  # queue.declare whose name lies about its length
        b"\x00\x32\x00\x0a\x00\x00\x01q\x00\x00\x00\x00\x00\x00",  # trailing octet
        b"\x00\x32\x00\x0a\x00\x00\x01q\x00\x00\x00\x00\x01",  # table that ends outside
        b"\x00\x3c\x00\x50\x00\x00\x00\x00",  # basic.ack cut short
        b"\x00\x3c\x00\x28\x00\x00\x05ab",  # basic.publish cut short
    ],
)
def test_malformed_fields_are_refused(client: Client, payload: bytes) -> None:
    """501 or 502; never anything else, and nothing is declared."""
    assert refusal(client, pack(FRAME_METHOD, 1, payload), header(0)).reply_code in (501, 502)
    assert client.world.broker.vhosts["/"].queues == {}


# Channels


def test_a_second_channel_open_is_504(client: Client) -> None:
    """CHANNEL_ERROR closes the connection."""
    expect.connection_closed(
        client.call(1, commands.Channel.Open()), 504, "CHANNEL_ERROR - second 'channel.open' seen"
    )


@pytest.mark.parametrize(
    "octets",
    [
        frame.marshal(commands.Queue.Declare(queue="q"), 7),
        publish_octets(b"x", channel=7),
        frame.marshal(commands.Channel.Close(200, "", 0, 0), 7),
        pack(FRAME_HEADER, 7, properties.encode({}, 0)),
    ],
)
def test_a_channel_that_is_not_open_is_504(client: Client, octets: bytes) -> None:
    """Only channel.open may come first."""
    expect.connection_closed(refusal(client, octets), 504, "CHANNEL_ERROR - expected 'channel.open'")


@pytest.mark.parametrize("number", [2048, 65_535])
def test_a_channel_above_channel_max_is_530(client: Client, number: int) -> None:
    """The number counts, not how many are open."""
    close = client.call(number, commands.Channel.Open())

    assert isinstance(close, commands.Connection.Close)
    assert close.reply_code == 530


def test_channel_max_itself_may_be_opened(client: Client) -> None:
    """Channel numbers go from 1 to channel_max."""
    assert isinstance(client.call(2047, commands.Channel.Open()), commands.Channel.OpenOk)


def test_flow_off_is_540(client: Client) -> None:
    """As in RabbitMQ: a client that does not want messages sets a prefetch or cancels."""
    expect.connection_closed(
        client.call(1, commands.Channel.Flow(False)), 540, "NOT_IMPLEMENTED - active=false"
    )


def test_flow_on_is_answered(client: Client) -> None:
    """It always is on."""
    answer = client.call(1, commands.Channel.Flow(True))

    assert isinstance(answer, commands.Channel.FlowOk)
    assert answer.active is True


def test_access_request_is_answered_with_ticket_1(client: Client) -> None:
    """Gone from 0-9-1, still sent by old clients; pamqp does not know the answer."""
    client.session.receive_data(pack(FRAME_METHOD, 1, b"\x00\x1e\x00\x0a\x05/data\x1f"), client.world.now)

    index = AccessRequestOk.index.to_bytes(4, "big")
    assert AccessRequest.index >> 16 == 30
    assert client.session.data_to_send() == pack(FRAME_METHOD, 1, index + b"\x00\x01")


# Anything at all


def test_heartbeat_frames_are_decoded_by_clients(world: World) -> None:
    """What we send as a heartbeat is one to pamqp."""
    client = world.connect(heartbeat_seconds=2)
    world.advance(1)

    assert isinstance(client.received[-1][1], heartbeat.Heartbeat)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_octets_after_open_end_in_a_refusal_of_ours(data: st.DataObject) -> None:
    """Valid frames with octets changed: whatever happens is an answer or a close, never 541."""
    world = World()
    client = world.connect().open()
    client.queue("q")
    octets = bytearray(
        frame.marshal(commands.Queue.Declare(queue="r", arguments={"x-max-length": 1, "a": {"b": [1]}}), 1)
        + publish_octets(b"hello", properties={"headers": {"a": 1, "b": "c"}, "message_id": "m"})
        + frame.marshal(commands.Basic.Consume(queue="q", consumer_tag="c"), 1)
        + frame.marshal(commands.Basic.Ack(1), 1)
        + frame.marshal(commands.Queue.Bind(queue="q", exchange="amq.topic", routing_key="a.#"), 1)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(octets) - 1))
        octets[place] = data.draw(st.integers(0, 255))
    client.session.receive_data(bytes(octets), world.now)
    world.broker.flush(world.now)
    world.commit()
    sent = b""
    while chunk := client.session.data_to_send():
        sent += chunk

    internal = (541).to_bytes(2, "big")
    assert b"\x00\x0a\x00\x32" + internal not in sent
    assert b"\x00\x14\x00\x28" + internal not in sent
