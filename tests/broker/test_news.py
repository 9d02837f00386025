"""mambaamqp/broker/news.py: what the broker says, when there is time for it."""

from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.message import Message
from mambaamqp.broker.news import HEADERS_BYTES_MAX, headers_of, readable, short_key
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.wire import fast, properties
from mambaamqp.wire.table import EMPTY, Table
from tests.support.client import World


def empty() -> Message:
    return Message(b"", fast.content_frames(properties.encode({}, 0), b""), 0, False)


def test_it_waits_until_the_queues_come_to_rest() -> None:
    """And then reaches whoever is bound under its key; without an exchange it is nothing."""
    world = World()
    client = world.connect().open()
    client.queue()
    client.bind("q", "amq.topic", "a.*")
    vhost: VirtualHost = world.broker.vhosts["/"]
    topic: Exchange = vhost.exchanges["amq.topic"]
    for key in ("a.b", "b.a"):
        world.broker.news.note(vhost, topic, key, empty())
    assert vhost.queues["q"].ready.count == 0
    del vhost.exchanges["amq.direct"]
    world.broker.news.note(vhost, World().broker.vhosts["/"].exchanges["amq.direct"], "a.b", empty())
    world.settle()
    delivery = client.get()
    assert delivery is not None
    assert (delivery.method.routing_key, client.count()) == ("a.b", 0)


def test_headers_fit_a_frame() -> None:
    """What a client said is left out if it is too long, too deep, or nothing that a table can hold."""
    deep: dict[str, object] = {}
    for _ in range(80):
        deep = {"d": deep}
    for said in ("x" * HEADERS_BYTES_MAX, deep, object()):
        assert headers_of({"name": "q", "said": said}, "said").values == {"name": "q"}
    assert headers_of({"name": "q", "said": {"n": 1}}, "said").values == {"name": "q", "said": {"n": 1}}


def test_a_table_that_cannot_be_read_says_nothing() -> None:
    """It came from a client."""
    assert readable(Table(b"\x01aX")) == {}
    assert readable(EMPTY) == {}


def test_keys_are_cut_between_characters() -> None:
    """At 255 octets."""
    assert short_key("short") == "short"
    assert short_key("é" * 128) == "é" * 127
