"""mambaamqp/session/publishing.py: what a route's cache must never serve, and expirations."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands

from mambaamqp.errors import PreconditionFailed
from mambaamqp.session.publishing import EXPIRATION_MS_MAX, ROUTES_MAX, expiration_ms
from mambaamqp.wire.fast import IMMEDIATE
from tests.support import expect
from tests.support.client import Client, World, publish_octets


@pytest.fixture
def client() -> Client:
    """With a direct exchange x and queues a and b, not bound."""
    client = World().connect().open()
    client.exchange("x")
    client.queue("a")
    client.queue("b")
    return client


def test_a_cached_route_sees_each_change_of_topology(client: Client) -> None:
    """Bind, unbind, delete and declare again: the next publish goes where it should, template or not."""
    for _ in range(3):
        client.publish(b"nowhere", "k", "x")
    client.bind("a", "x", "k")
    client.publish(b"1", "k", "x")
    client.bind("b", "x", "k")
    client.publish(b"2", "k", "x")
    client.call(1, commands.Queue.Unbind(queue="a", exchange="x", routing_key="k"))
    client.publish(b"3", "k", "x")
    client.call(1, commands.Queue.Delete(queue="b"))
    client.publish(b"4", "k", "x")
    client.queue("b")
    client.publish(b"5", "b")

    assert client.bodies_in("a") == [b"1", b"2"]
    assert client.bodies_in("b") == [b"5"]


def test_topology_of_another_connection_counts_within_one_read(client: Client) -> None:
    """The cache asks for the generation at each publish, not at each read."""
    other = client.world.connect().open()
    octets = publish_octets(b"m", "k", "x")
    client.feed(octets * 2)
    other.bind("a", "x", "k")
    client.feed(octets * 2)
    assert client.count("a") == 2


def test_more_keys_than_the_cache_holds(client: Client) -> None:
    """It starts anew, and never grows beyond its bound."""
    client.exchange("t", "topic")
    client.bind("a", "t", "#")
    keys = ROUTES_MAX + 10
    client.feed(b"".join([publish_octets(b"", f"key.{number}", "t") for number in range(keys)]))
    assert client.count("a") == keys
    assert len(client.session.channels[1].routes) <= ROUTES_MAX


def test_channels_do_not_share_a_template(client: Client) -> None:
    """The same octets but for the channel number: each channel's confirms count its own."""
    client.confirm().open(2).confirm(2)
    client.feed(publish_octets(b"m", "a") * 3 + publish_octets(b"m", "a", channel=2) * 2)
    acks = [
        (channel, value.delivery_tag) for channel, value in client.received if "Ack" in type(value).__name__
    ]
    assert acks == [(1, 3), (2, 2)]


def test_an_immediate_publish_is_540_on_the_connection(client: Client) -> None:
    """As RabbitMQ has it since 3.0."""
    octets = bytearray(publish_octets(b"", "a"))
    octets[7 + int.from_bytes(octets[3:7], "big") - 1] |= IMMEDIATE
    client.feed(bytes(octets))
    answer = client.received[-1][1]
    expect.connection_closed(answer, 540, "NOT_IMPLEMENTED - immediate=true", commands.Basic.Publish)


@given(st.integers(0, EXPIRATION_MS_MAX))
def test_an_expiration_is_a_number_of_milliseconds(number: int) -> None:
    """Up to ten years, with or without leading zeros."""
    assert expiration_ms(b"%d" % number) == number
    assert expiration_ms(b"00%d" % number) == number


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "no_integer"),
        (b"soon", "no_integer"),
        (b"+1", "no_integer"),
        (b" 1", "no_integer"),
        (b"10s", '{leftover_string,"s"}'),
        (b"1.5", '{leftover_string,".5"}'),
        (b"-1", "{value_negative,-1}"),
        (b"315360000001", "{value_too_large,315360000001}"),
        (b"9" * 200, "{value_too_large,"),
    ],
)
def test_anything_else_is_406(text: bytes, problem: str) -> None:
    """In RabbitMQ's words; a long number is not even read."""
    with pytest.raises(
        PreconditionFailed, match=re.escape(f"invalid expiration '{text.decode()}': {problem}")
    ):
        expiration_ms(text)
