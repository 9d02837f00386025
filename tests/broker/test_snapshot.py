"""mambaamqp/broker/snapshot.py: a checkpoint says all that it must, and no more."""

from collections.abc import Callable

from mambaamqp.broker import topology
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.store.decoding import decode
from mambaamqp.wire.table import EMPTY
from tests.broker.conftest import table
from tests.support.client import World


def said(world: World) -> list[str]:
    """What a checkpoint of the broker says, in words."""
    world.journal.seal()
    world.broker.checkpoint()
    commit = world.journal.seal()
    assert commit is not None
    octets = b"".join(piece for frame in commit.frames if frame.record_count for piece in frame.pieces)
    words = []
    while octets:
        size = int.from_bytes(octets[1:4], "big")
        record = decode(octets[0], octets[4 : 4 + size])
        words.append(f"{type(record).__name__} {getattr(record, 'name', '') or record.source}")
        octets = octets[4 + size :]
    half = len(words) // 2
    assert words[:half] == words[half:], "it stands there twice"
    return words[:half]


def test_a_new_broker_has_nothing_to_say(world: World) -> None:
    """What every virtual host has is made anew at each start."""
    assert said(world) == []


def test_what_is_set_is_said(world: World) -> None:
    """Policies too; what was cleared is not."""
    value = {"pattern": "", "definition": {"max-length": 1}, "priority": 0, "apply-to": "all"}
    world.broker.parameters.put("policy", "/", "p", value)
    world.broker.parameters.put("policy", "/", "gone", value)
    world.broker.parameters.clear("policy", "/", "gone")
    assert said(world) == ["Parameter p"]


def test_all_durable_topology_is_said(world: World, vhost: VirtualHost, make: Callable[..., Queue]) -> None:
    """Exchanges and queues before the bindings between them; nothing that is not durable."""
    guest = world.access.users.get("guest")
    assert guest is not None
    actor = world.access.actor(guest, "/")
    for name, durable in (("x", True), ("passing-x", False)):
        topology.declare_exchange(
            vhost, actor, name, "fanout", durable=durable, auto_delete=False, internal=False, arguments=EMPTY
        )
    make("q", x_max_length=5)
    make("passing-q", durable=False)
    for source, destination, to_queue in (
        ("x", "q", True),
        ("x", "passing-q", True),
        ("passing-x", "q", True),
        ("x", "passing-x", False),
        ("amq.topic", "x", False),
    ):
        topology.bind(
            vhost, actor, None, source, destination, to_queue=to_queue, routing_key="k", arguments=table(a=1)
        )
    assert said(world) == ["ExchangeDeclare x", "QueueDeclare q", "Bind amq.topic", "Bind x"]
