"""Two clients that do anything at all: every answer is one of AMQP's, never a bug of ours.

No model: the property is that nothing is 541, that the broker's own counts hold, and that when everybody has
gone nothing of them is left. The dice are loaded towards steps that find something to work on, and the last
test sees to it that they do: a run in which nothing ever is outstanding proves nothing.
"""

from collections import Counter
from random import Random
from typing import Any

import pytest
from pamqp import commands, frame

from mambaamqp.wire import properties
from mambaamqp.wire.framing import FRAME_HEADER
from mambaamqp.wire.framing import frame as pack
from tests.support.client import Client, World, publish_octets

STEPS = 150
SEEDS = range(40)

QUEUES = ["q"] * 6 + ["r"] * 4 + ["s", "", "nope"]
EXCHANGES = ["x", "x", "amq.direct", "amq.topic", "amq.headers", "", "amq.x", "nope"]
KEYS = ["q", "q", "r", "k", "", "a.b", "#", "*.b"]

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


class Dice:
    """What happens next, out of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def one(self, choices: Any) -> Any:
        return self.random.choice(choices)

    def yes(self, percent: int = 50) -> bool:
        return self.random.random() * 100 < percent

    def step(self) -> Any:
        """A method, a publish, or the name of an event."""
        kind = self.random.random()
        if kind < 0.30:
            return self.publish()
        if kind < 0.75:
            return self.usual()
        if kind < 0.96:
            return self.rare()
        return self.one(["advance", "advance", "disconnect", "restart", "crash"])

    def publish(self) -> Any:
        exchange = self.one(["", "", "", "", "x", "x", "amq.direct", "amq.headers", "amq.topic"])
        rare = self.yes(10)
        given = self.one(PROPERTIES if rare else PROPERTIES[:5])
        return self.one(EXCHANGES) if rare else exchange, self.one(KEYS), self.random.randint(0, 20), given

    def usual(self) -> Any:
        """What clients mostly do."""
        tag = self.random.randint(1, 4)
        queue = self.one(["q", "q", "r"])
        return self.one(
            [
                commands.Basic.Get(queue=queue, no_ack=self.yes(30)),
                commands.Basic.Get(queue=queue, no_ack=self.yes(30)),
                commands.Basic.Consume(queue=queue, no_ack=self.yes(30)),
                commands.Basic.Ack(0 if self.yes(70) else tag, True),
                commands.Basic.Nack(0, True, self.yes()),
                commands.Basic.Recover(True),
                commands.Basic.Qos(0, self.random.randint(0, 3), self.yes(30)),
                commands.Channel.Close(200, "", 0, 0),
            ]
        )

    def rare(self) -> Any:
        """Everything else, right and wrong."""
        queue, exchange, key = self.one(QUEUES), self.one(EXCHANGES), self.one(KEYS)
        given = self.one(ARGUMENTS)
        tag = self.random.randint(0, 6)
        name = self.one(["", "a", "b"])
        yes = self.yes
        return self.one(
            [
                commands.Queue.Declare(0, queue, yes(30), yes(), yes(20), yes(20), yes(20), given),
                commands.Queue.Declare(0, self.one(["", "t", "u"]), False, yes(), yes(), yes(), False, given),
                commands.Queue.Delete(0, queue, yes(), yes()),
                commands.Queue.Purge(0, queue),
                commands.Queue.Bind(0, queue, exchange, key, False, given),
                commands.Queue.Unbind(0, queue, exchange, key, given),
                commands.Exchange.Declare(
                    0,
                    exchange,
                    self.one(["direct", "fanout", "topic", "headers", "odd"]),
                    yes(),
                    yes(),
                    yes(),
                ),
                commands.Exchange.Declare(0, self.one(["y", "z"]), "fanout", False, yes(), yes()),
                commands.Exchange.Delete(0, exchange, yes()),
                commands.Exchange.Bind(0, self.one(["y", "z", exchange]), exchange, key, False, given),
                commands.Exchange.Unbind(0, exchange, "x", key),
                commands.Basic.Consume(0, queue, name, False, yes(), yes(20), False, given),
                commands.Basic.Cancel(name or "c"),
                commands.Basic.Ack(tag, yes()),
                commands.Basic.Nack(tag, yes(), yes()),
                commands.Basic.Reject(tag, yes()),
                commands.Confirm.Select(),
                commands.Tx.Select(),
                commands.Tx.Select(),
                commands.Tx.Commit(),
                commands.Tx.Commit(),
                commands.Tx.Rollback(),
            ]
        )


def furnish(world: World) -> list[Client]:
    """Two clients, and something to work with: without it most steps would miss everything there is."""
    client = world.connect().open()
    for channel, (name, options) in enumerate(
        (("q", {"durable": True}), ("r", {}), ("s", {"auto_delete": True})), start=2
    ):
        # What a restart has left of them may be something else: whatever it is will do.
        client.open(channel).queue(name, channel, **options)
    client.open(8).exchange("x", "topic", 8, durable=True)
    client.open(9).bind("q", "x", "#", 9)
    client.open(10).bind("r", "x", "a.*", 10)
    client.open(11).bind("q", "amq.direct", "k", 11)
    client.disconnect()
    return [world.connect(), world.connect()]


def apply(client: Client, channel: int, step: Any, in_transaction: bool) -> None:
    """One method or publish on a channel, which is opened if need be."""
    number = channel
    known = client.session.channels.get(number)
    if known is not None and known.closing:
        client.send(number, commands.Channel.CloseOk())
        known = None
    if known is None:
        client.send(number, commands.Channel.Open())
        if in_transaction:
            client.send(number, commands.Tx.Select())
    if isinstance(step, tuple):
        exchange, key, size, given = step
        client.feed(publish_octets(bytes(size), key, exchange, number, size % 2 == 0, given))
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


def play(seed: int) -> Counter[str]:
    """One run; returns how often there was what."""
    dice = Dice(seed)
    world = World()
    clients = furnish(world)
    seen: Counter[str] = Counter()
    for _ in range(STEPS):
        at, channel, step = dice.random.randint(0, 1), dice.random.randint(1, 2), dice.step()
        if clients[at].of(commands.Connection.Close):
            clients[at].disconnect()
            clients[at] = world.connect()
        if step == "advance":
            world.advance(0.7)
        elif step == "disconnect":
            clients[at].disconnect()
            clients[at] = world.connect()
        elif step in ("restart", "crash"):
            check(world)
            world = world.restart(clean=step == "restart")
            clients = furnish(world)
        else:
            apply(clients[at], channel, step, dice.yes(30))
        check(world)
        look(world, seen)
    leave(world, clients)
    return seen


def look(world: World, seen: Counter[str]) -> None:
    for client in world.clients:
        for channel in client.session.channels.values():
            seen["outstanding"] += bool(channel.unacked.entries)
            seen["consumers"] += bool(channel.consumers)
            if channel.transaction is not None:
                seen["held"] += bool(channel.transaction.held)
                seen["published"] += bool(channel.transaction.publications)
    seen["waiting"] += any(queue.ready.count for queue in world.broker.vhosts["/"].queues.values())


def leave(world: World, clients: list[Client]) -> None:
    """Everybody goes, every queue goes: nothing may be left."""
    for client in clients:
        client.disconnect()
    check(world)
    vhost = world.broker.vhosts["/"]
    for queue in list(vhost.queues.values()):
        assert (queue.unacked, queue.consumers, queue.owner) == (0, [], None)
        vhost.drop_queue(queue)
    world.settle()
    assert sum(segment.live for segment in world.journal.segments) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_clients_do_is_answered(seed: int) -> None:
    """Any methods in any order on two connections with two channels each, restarts in between."""
    play(seed)


def test_the_dice_find_something_to_work_on() -> None:
    """Every state that the checks are about comes up, many times."""
    seen: Counter[str] = Counter()
    for seed in range(15):
        seen += play(seed)

    for what in ("outstanding", "consumers", "held", "published", "waiting"):
        assert seen[what] >= 10, seen


def test_content_for_a_method_that_has_none() -> None:
    """A header behind a method without content."""
    world = World()
    client = world.connect().open()
    client.feed(frame.marshal(commands.Basic.Qos(), 1) + pack(FRAME_HEADER, 1, properties.encode({}, 0)))

    assert client.of(commands.Connection.Close)[0].reply_code == 505
