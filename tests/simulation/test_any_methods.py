"""Two clients that do anything at all: every answer is one of AMQP's, never a bug of ours.

No model: the property is that nothing is 541, that the broker's own counts hold, and that when everybody has
gone nothing of them is left.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands, frame

from mambaamqp.wire import properties
from mambaamqp.wire.framing import FRAME_HEADER
from mambaamqp.wire.framing import frame as pack
from tests.support.client import Client, World, publish_octets

NAMES = ["", "q", "r", "x", "amq.direct", "amq.topic", "amq.headers", "amq.x", "nope"]
names = st.sampled_from(NAMES)
keys = st.sampled_from(["", "q", "r", "k", "a.b", "#", "*.b"])
flags = st.booleans()
tags = st.integers(0, 6)

ARGUMENTS: list[dict[str, Any]] = [
    {},
    {"x-message-ttl": 0},
    {"x-message-ttl": 1000},
    {"x-expires": 1000},
    {"x-max-length": 1},
    {"x-max-length": 1, "x-overflow": "reject-publish"},
    {"x-max-length": 0, "x-overflow": "reject-publish-dlx", "x-dead-letter-exchange": ""},
    {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "r"},
    {"x-dead-letter-exchange": "x", "x-max-length-bytes": 10},
    {"x-max-priority": 3},
    {"x-single-active-consumer": True},
    {"x-queue-type": "quorum", "x-delivery-limit": 1},
    {"x-queue-type": "stream"},
    {"alternate-exchange": "x"},
    {"x-match": "any", "k": 1},
    {"x-priority": 5},
]
arguments = st.sampled_from(ARGUMENTS)

PROPERTIES: list[dict[str, Any]] = [
    {},
    {"delivery_mode": 2},
    {"priority": 2, "delivery_mode": 2},
    {"expiration": "0"},
    {"expiration": "500", "delivery_mode": 2},
    {"headers": {"k": 1, "CC": ["r"], "BCC": ["q"]}},
    {"headers": {"CC": "r"}},
    {"user_id": "eve"},
]


methods = st.one_of(
    st.builds(
        commands.Queue.Declare,
        queue=names,
        passive=flags,
        durable=flags,
        exclusive=flags,
        auto_delete=flags,
        nowait=flags,
        arguments=arguments,
    ),
    st.builds(commands.Queue.Delete, queue=names, if_unused=flags, if_empty=flags),
    st.builds(commands.Queue.Purge, queue=names),
    st.builds(commands.Queue.Bind, queue=names, exchange=names, routing_key=keys, arguments=arguments),
    st.builds(commands.Queue.Unbind, queue=names, exchange=names, routing_key=keys, arguments=arguments),
    st.builds(
        commands.Exchange.Declare,
        exchange=names,
        exchange_type=st.sampled_from(["direct", "fanout", "topic", "headers", "odd"]),
        passive=flags,
        durable=flags,
        auto_delete=flags,
        internal=flags,
        arguments=arguments,
    ),
    st.builds(commands.Exchange.Delete, exchange=names, if_unused=flags),
    st.builds(commands.Exchange.Bind, destination=names, source=names, routing_key=keys, arguments=arguments),
    st.builds(commands.Exchange.Unbind, destination=names, source=names, routing_key=keys),
    st.builds(
        commands.Basic.Consume,
        queue=names,
        consumer_tag=st.sampled_from(["", "a", "b"]),
        no_ack=flags,
        exclusive=flags,
        arguments=arguments,
    ),
    st.builds(commands.Basic.Cancel, consumer_tag=st.sampled_from(["a", "b", "c"])),
    st.builds(commands.Basic.Get, queue=names, no_ack=flags),
    st.builds(commands.Basic.Ack, tags, flags),
    st.builds(commands.Basic.Nack, tags, flags, flags),
    st.builds(commands.Basic.Reject, tags, flags),
    st.builds(commands.Basic.Recover, st.just(True)),
    st.builds(commands.Basic.Qos, st.just(0), st.integers(0, 2), flags),
    st.just(commands.Confirm.Select()),
    st.just(commands.Tx.Select()),
    st.just(commands.Tx.Commit()),
    st.just(commands.Tx.Rollback()),
    st.just(commands.Channel.Close(200, "", 0, 0)),
)
publishes = st.tuples(names, keys, st.integers(0, 20), st.sampled_from(PROPERTIES), flags)
steps = st.one_of(
    methods, publishes, publishes, st.sampled_from(["advance", "disconnect", "restart", "crash"])
)


def apply(client: Client, channel: int, step: Any) -> None:
    """One method or publish on a channel, which is opened if need be."""
    number = channel
    known = client.session.channels.get(number)
    if known is not None and known.closing:
        client.send(number, commands.Channel.CloseOk())
        known = None
    if known is None:
        client.send(number, commands.Channel.Open())
    if isinstance(step, tuple):
        exchange, key, size, given, mandatory = step
        client.feed(publish_octets(bytes(size), key, exchange, number, mandatory, given))
    else:
        client.feed(frame.marshal(step, number))


def check(world: World) -> None:
    """What holds whatever has happened."""
    for client in world.clients:
        for close in client.of(commands.Connection.Close) + client.of(commands.Channel.Close):
            assert close.reply_code != 541, close.reply_text
    vhost = world.broker.vhosts["/"]
    for queue in vhost.queues.values():
        entries = queue.ready.entries()
        assert queue.ready.count == len(entries)
        assert queue.ready.body_bytes == sum(entry.message.body_bytes for entry in entries)
    held = sum(
        not entry.queue.deleted
        for client in world.clients
        for channel in client.session.channels.values()
        for entry in channel.unacked.entries.values()
    )
    transactions = sum(
        not entry.queue.deleted
        for client in world.clients
        for channel in client.session.channels.values()
        if channel.transaction is not None
        for _, entry, _ in channel.transaction.held
    )
    assert sum(queue.unacked for queue in vhost.queues.values()) == held + transactions
    bindings = sum(len(exchange.bindings) for exchange in vhost.exchanges.values())
    assert vhost.binding_count == bindings


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 2), steps), max_size=30))
def test_whatever_clients_do_is_answered(taken: list[tuple[int, int, Any]]) -> None:
    """Any methods in any order on two connections with two channels each, restarts in between."""
    world = World()
    clients = [world.connect(), world.connect()]
    for at, channel, step in taken:
        if clients[at].session.closing or clients[at].of(commands.Connection.Close):
            check(world)
            clients[at].disconnect()
            clients[at] = world.connect()
        if step == "advance":
            world.advance(0.7)
        elif step == "disconnect":
            clients[at].disconnect()
            clients[at] = world.connect()
        elif step in ("restart", "crash"):
            world = world.restart(clean=step == "restart")
            clients = [world.connect(), world.connect()]
        else:
            apply(clients[at], channel, step)
        check(world)
    for client in clients:
        client.disconnect()
    check(world)
    vhost = world.broker.vhosts["/"]
    assert all(queue.unacked == 0 and not queue.consumers for queue in vhost.queues.values())
    assert all(queue.owner is None for queue in vhost.queues.values())
    for queue in list(vhost.queues.values()):
        vhost.drop_queue(queue)
    assert sum(segment.live for segment in world.journal.segments) == 0


def test_content_for_a_method_that_has_none() -> None:
    """A header behind a method without content."""
    world = World()
    client = world.connect().open()
    client.feed(frame.marshal(commands.Basic.Qos(), 1) + pack(FRAME_HEADER, 1, properties.encode({}, 0)))

    assert client.of(commands.Connection.Close)[0].reply_code == 505
