"""mambaamqp/broker/replay.py: records back into queues, also when some of them are missing."""

from typing import Any

import pytest

from mambaamqp.broker.broker import Broker
from mambaamqp.store import records
from mambaamqp.store.segment import Segment
from mambaamqp.wire import fast, properties
from mambaamqp.wire.table import encode_entries
from tests.broker.conftest import bodies
from tests.support.client import World


def queue(queue_id: int, name: str = "q", next_position: int = 1, **arguments: Any) -> records.QueueDeclare:
    return records.QueueDeclare(queue_id, "/", name, False, encode_entries(arguments), next_position)


def publish(body: bytes, *targets: tuple[int, int], at_ms: int = 0, **props: Any) -> records.Publish:
    """A message at (queue id, position)…"""
    header = properties.encode({"delivery_mode": 2} | props, len(body))
    places = [records.Target(queue_id, position, 0, False) for queue_id, position in targets]
    return records.Publish(False, at_ms, places, b"\0\1q", [fast.content_frames(header, body)], False)


def exchange(name: str) -> records.ExchangeDeclare:
    return records.ExchangeDeclare("/", name, "fanout", False, False, b"")


def recovered(*facts: Any) -> tuple[Broker, Segment]:
    """A broker that has taken over these records, all of one segment."""
    broker, segment = World().broker, Segment(0)
    broker.recover([(number, segment, fact) for number, fact in enumerate(facts)])
    return broker, segment


def test_messages_stand_in_the_order_of_their_positions() -> None:
    """Also when the journal has them in another, with what was settled left out."""
    broker, segment = recovered(
        queue(1),
        publish(b"3", (1, 3)),
        publish(b"1", (1, 1)),
        publish(b"2", (1, 2)),
        publish(b"4", (1, 4)),
        records.Settle(1, [(2, 2), (4, 9)]),
    )
    found = broker.vhosts["/"].queues["q"]
    assert bodies(found) == [b"1", b"3"]
    assert (segment.live, found.next_position) == (2, 5)


def test_positions_are_never_used_twice() -> None:
    """A checkpoint says how far a queue has counted, when its messages are gone."""
    broker, _ = recovered(queue(1, next_position=10), queue(1, next_position=70), publish(b"", (1, 20)))
    assert broker.vhosts["/"].queues["q"].next_position == 70
    assert broker.next_serial() == 2


def test_a_message_lives_until_its_last_queue_lets_go() -> None:
    """One message in three queues: settled, deleted, waiting."""
    broker, segment = recovered(
        queue(1, "a"),
        queue(2, "b"),
        queue(3, "c"),
        publish(b"x", (1, 1), (2, 1), (3, 1)),
        records.Settle(1, [(1, 1)]),
        records.QueueDelete(2),
    )
    assert segment.live == 1
    assert sorted(broker.vhosts["/"].queues) == ["a", "c"]
    assert bodies(broker.vhosts["/"].queues["c"]) == [b"x"]


@pytest.mark.parametrize("clean", [True, False])
def test_after_an_unclean_stop_everything_may_have_been_delivered(clean: bool) -> None:
    """Only a clean stop as the last record says otherwise; what came back is marked either way."""
    facts = [
        queue(1),
        publish(b"1", (1, 1)),
        publish(b"2", (1, 2)),
        records.Requeue(1, [(1, 4)]),
        records.CleanStop(),
    ]
    broker, _ = recovered(*(facts if clean else [*facts, queue(1)]))
    entries = broker.vhosts["/"].queues["q"].ready.entries()
    assert [(entry.redelivered, entry.delivery_count) for entry in entries] == [(True, 4), (not clean, 0)]


def test_time_passes_while_the_broker_is_down() -> None:
    """A message's age counts from its publishing."""
    world = World()
    now_ms = world.broker.wall_ms
    facts = [
        queue(1, **{"x-message-ttl": 10_000}),
        publish(b"old", (1, 1), at_ms=now_ms - 11_000),
        publish(b"young", (1, 2), at_ms=now_ms - 4_000),
        publish(b"hasty", (1, 3), at_ms=now_ms - 4_000, expiration="5000"),
    ]
    world.broker.recover([(0, Segment(0), fact) for fact in facts])
    found = world.broker.vhosts["/"].queues["q"]
    world.advance(0)
    assert bodies(found) == [b"young", b"hasty"]
    world.advance(1.5)
    assert bodies(found) == [b"young"]
    world.advance(5)
    assert bodies(found) == []


def test_records_about_what_is_not_there_change_nothing() -> None:
    """Frames that were damaged took their facts with them; the rest is served."""
    broker, segment = recovered(
        records.Settle(9, [(1, 1)]),
        records.Requeue(9, [(1, 1)]),
        records.QueueDelete(9),
        records.ExchangeDelete("/", "x"),
        records.ExchangeDelete("nowhere", "x"),
        records.VhostDelete("nowhere"),
        records.Bind("nowhere", "x", True, "q", b"", b""),
        records.Bind("/", "x", True, "q", b"", b""),
        records.Unbind("/", "amq.direct", True, "q", b"", b""),
        publish(b"", (9, 1)),
        queue(1),
        records.Settle(1, [(5, 6)]),
        records.Unbind("/", "amq.direct", True, "q", b"", b""),
    )
    assert list(broker.vhosts["/"].queues) == ["q"]
    assert segment.live == 0


def test_a_queue_whose_deletion_was_lost_makes_room_for_its_namesake() -> None:
    """Nothing would ever take its messages, and the bindings would go on feeding it."""
    broker, segment = recovered(
        exchange("x"),
        queue(1),
        records.Bind("/", "x", True, "q", b"", b""),
        publish(b"old", (1, 1)),
        queue(2),
        publish(b"new", (2, 1)),
        records.QueueDelete(1),
    )
    vhost = broker.vhosts["/"]
    assert (bodies(vhost.queues["q"]), segment.live) == ([b"new"], 1)
    assert not vhost.exchanges["x"].is_bound


def test_topology_is_rebuilt_step_by_step() -> None:
    """Virtual hosts, exchanges, queues and bindings, made and unmade."""
    bind = ("v", "x", True, "q", b"k", b"")
    broker, _ = recovered(
        records.VhostDeclare("v"),
        records.VhostDeclare("w"),
        records.ExchangeDeclare("v", "x", "topic", False, True, encode_entries({"alternate-exchange": "y"})),
        records.QueueDeclare(1, "v", "q", True, b"", 1),
        records.Bind(*bind),
        records.Bind(*bind),
        records.Bind("v", "amq.fanout", False, "x", b"", b""),
        records.Unbind("v", "amq.fanout", False, "x", b"", b""),
        records.VhostDelete("w"),
    )
    vhost = broker.vhosts["v"]
    found = vhost.exchanges["x"]
    assert (found.kind, found.internal, found.alternate, found.durable) == ("topic", True, "y", True)
    assert [binding.routing_key for binding in found.bindings] == ["k"]
    assert (vhost.queues["q"].auto_delete, vhost.binding_count, "w" in broker.vhosts) == (True, 1, False)


def test_the_copy_that_was_moved_counts() -> None:
    """A message that was written again further down holds on to the later segment only."""
    broker, (first, second) = World().broker, (Segment(0), Segment(1000))
    broker.recover(
        [(0, first, queue(1)), (1, first, publish(b"m", (1, 1))), (2, second, publish(b"m", (1, 1)))]
    )
    assert bodies(broker.vhosts["/"].queues["q"]) == [b"m"]
    assert (first.live, second.live) == (0, 1)
