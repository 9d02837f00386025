"""mambaamqp/session/frames.py: the receiving loop, wherever the network cuts what it carries."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands, frame

from mambaamqp.wire.framing import FRAME_METHOD
from mambaamqp.wire.framing import frame as pack
from tests.support import expect
from tests.support.client import Client, World, publish_octets


@pytest.fixture
def client() -> Client:
    """With the queue q and a channel 2."""
    client = World().connect().open().open(2)
    client.queue("q")
    return client


def script() -> bytes:
    """Publishes that repeat, differ, come in pieces and carry nothing, with other methods in between."""
    parts = [publish_octets(b"same%d" % number) for number in range(3)]
    parts.append(publish_octets(b"", properties={"delivery_mode": 2}))
    parts.append(publish_octets(b"in pieces, each of them small", frame_size=10))
    parts.append(frame.marshal(commands.Basic.Qos(0, 5, False), 2))
    parts.append(publish_octets(b"on two", channel=2))
    parts += [publish_octets(b"same%d" % number) for number in range(3, 5)]
    parts.append(pack(8, 0, b""))
    return b"".join(parts)


BODIES = [b"same0", b"same1", b"same2", b"", b"in pieces, each of them small", b"on two", b"same3", b"same4"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(script())), max_size=12))
def test_where_reads_end_makes_no_difference(cuts: list[int]) -> None:
    """In the middle of a frame, a header or a number: the same messages in the same order."""
    client = World().connect().open().open(2)
    client.queue("q")
    octets = script()
    edges = [0, *sorted(cuts), len(octets)]
    for start, end in itertools.pairwise(edges):
        client.feed(octets[start:end])
    assert client.bodies_in() == BODIES


def test_octet_by_octet(client: Client) -> None:
    """The worst network there is."""
    for octet in script():
        client.feed(bytes((octet,)))
    assert client.bodies_in() == BODIES


def test_contents_of_two_channels_may_interleave(client: Client) -> None:
    """Frame by frame; each channel's publish is complete with its own last frame."""
    one = publish_octets(b"first channel", channel=1, frame_size=5)
    two = publish_octets(b"second channel", channel=2, frame_size=5)
    while one or two:
        for octets in (one, two):
            if octets:
                client.feed(octets[: 8 + int.from_bytes(octets[3:7], "big")])
        one, two = (
            octets[8 + int.from_bytes(octets[3:7], "big") :] if octets else b"" for octets in (one, two)
        )
    assert sorted(client.bodies_in()) == [b"first channel", b"second channel"]


def test_a_method_between_method_and_header_is_505(client: Client) -> None:
    """On the same channel: the connection's end."""
    octets = publish_octets(b"x")
    client.feed(octets[: 8 + int.from_bytes(octets[3:7], "big")])
    client.send(1, commands.Basic.Qos(0, 1, False))
    expect.connection_closed(
        client.received[-1][1],
        505,
        "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead",
        commands.Basic.Publish,
    )


def test_a_heartbeat_in_the_middle_of_a_content_is_fine(client: Client) -> None:
    """It belongs to channel 0."""
    octets = publish_octets(b"x")
    method = 8 + int.from_bytes(octets[3:7], "big")
    client.feed(octets[:method] + pack(8, 0, b"") + octets[method:])
    assert client.bodies_in() == [b"x"]


def test_a_heartbeat_on_a_channel_is_505(client: Client) -> None:
    """Channel 0 is its place."""
    client.feed(pack(8, 1, b""))
    assert client.received[-1][1].reply_code == 505


def test_a_frame_one_octet_larger_than_tolerated_is_501() -> None:
    """RabbitMQ tolerates eight octets beyond frame_max; one more ends the connection, before it is read."""
    client = World().connect(frame_max=8192).open()
    client.queue("q")
    client.feed(publish_octets(bytes(8192), frame_size=8192))
    assert client.count() == 1
    client.feed(publish_octets(bytes(8193), frame_size=8193)[:60])
    assert client.received[-1][1].reply_code == 501


def test_a_wrong_end_of_frame_is_501(client: Client) -> None:
    """Nothing behind it is believed."""
    octets = bytearray(publish_octets(b"x"))
    octets[7 + int.from_bytes(octets[3:7], "big")] = 0xCD
    client.feed(bytes(octets) + publish_octets(b"y"))
    assert client.received[-1][1].reply_code == 501
    other = client.world.connect().open()
    assert other.count() == 0


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x00\x3c\x00"])
def test_a_method_too_short_for_its_number_is_501(client: Client, payload: bytes) -> None:
    """There is no telling what it was."""
    client.feed(pack(FRAME_METHOD, 1, payload))
    assert client.received[-1][1].reply_code == 501


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_publish_cut_short_is_a_syntax_error(client: Client, cut: int) -> None:
    """Lengths inside it that reach beyond it."""
    octets = publish_octets(b"x")
    size = int.from_bytes(octets[3:7], "big")
    client.feed(pack(FRAME_METHOD, 1, octets[7 : 7 + size - cut]))
    assert client.received[-1][1].reply_code in (501, 502)


def test_after_a_channel_is_closed_by_the_broker_its_frames_are_dropped(client: Client) -> None:
    """A publish in flight to it, whole or in pieces, too; the other channel works on."""
    client.send(1, commands.Basic.Ack(99))
    client.feed(publish_octets(b"late") + publish_octets(b"late, in pieces", frame_size=9))
    client.feed(publish_octets(b"other", channel=2))
    client.send(1, commands.Channel.CloseOk())
    client.open(1)
    assert client.bodies_in() == [b"other"]
