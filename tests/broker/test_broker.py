"""mambaamqp/broker/broker.py: what is owed at the end of a batch, and who waits for the journal."""

from collections.abc import Callable

import pytest

from mambaamqp.broker import broker as module
from mambaamqp.broker.broker import Broker
from mambaamqp.broker.entry import NEVER
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.broker.waiter import Waiter
from mambaamqp.errors import NotAllowed
from tests.broker.conftest import Taker, bodies, message
from tests.support.client import World

Make = Callable[..., Queue]


class Listener(Waiter):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[object] = []

    def durable(self, position: int, now: float) -> None:
        self.told.append(position)

    def unblocked(self, now: float) -> None:
        self.told.append("unblocked")


def test_time_never_goes_back(broker: Broker) -> None:
    """Wall and monotonic time go together."""
    start, wall = broker.now, broker.wall_ms
    broker.at(start + 2)
    broker.at(start + 1)
    assert (broker.now, broker.wall_ms) == (start + 2, wall + 2000)


def test_whoever_waits_is_told_once(broker: Broker) -> None:
    """After the next sync; to wait twice is to wait."""
    listener = Listener()
    broker.await_durable(listener)
    broker.await_durable(listener)
    broker.durable(7, broker.now)
    broker.durable(8, broker.now)
    assert listener.told == [7]


def test_a_waiter_may_wait_again_when_it_is_told(broker: Broker) -> None:
    """For the sync after this one."""

    class Eager(Listener):
        def durable(self, position: int, now: float) -> None:
            super().durable(position, now)
            broker.await_durable(self)

    listener = Eager()
    broker.await_durable(listener)
    broker.durable(1, broker.now)
    assert listener.told == [1]
    broker.durable(2, broker.now)
    assert listener.told == [1, 2]


def test_alarms_block_until_the_last_is_over(broker: Broker) -> None:
    """The text names what is low."""
    listener = Listener()
    for memory, disk, text in (
        (True, False, "low on memory"),
        (True, True, "low on memory & disk"),
        (False, True, "low on disk"),
    ):
        broker.set_alarm(memory, disk, broker.now)
        assert broker.alarm == text
    broker.blocked.append(listener)
    broker.set_alarm(True, False, broker.now)
    assert listener.told == []
    broker.set_alarm(False, False, broker.now)
    broker.set_alarm(False, False, broker.now)
    assert (broker.alarm, listener.told) == ("", ["unblocked"])


def test_an_unknown_virtual_host_is_refused(broker: Broker) -> None:
    """In the words of connection.open; a known one is made once."""
    with pytest.raises(NotAllowed, match=r"^vhost nope not found$"):
        broker.vhost("nope")
    assert broker.put_vhost("v") is broker.put_vhost("v") is broker.vhost("v")


def test_tokens_differ(broker: Broker) -> None:
    """22 characters that may stand in a URL."""
    tokens = {broker.token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 22 and token.replace("-", "").replace("_", "").isalnum() for token in tokens)


def test_long_settlements_are_several_records(
    world: World, vhost: VirtualHost, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No record exceeds the format, and none of the positions is forgotten."""
    monkeypatch.setattr(module, "POSITIONS_PER_RECORD", 3)
    queue = make()
    for number in range(20):
        vhost.enqueue(message(b"%d" % number), [queue])
    taker = Taker(queue)
    queue.add_consumer(taker)
    world.settle()
    for entry in taker.taken[1::2]:
        queue.settle(entry)
    for entry in taker.taken[0:8:2]:
        queue.requeue(entry, True)
    world.settle()
    again = World(world.disk.copy()).broker.vhosts["/"].queues["q"]
    assert bodies(again) == [b"%d" % number for number in range(0, 20, 2)]
    assert [entry.delivery_count for entry in again.ready.entries()] == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]


def test_a_message_lives_in_the_segment_where_it_begins(world: World, vhost: VirtualHost, make: Make) -> None:
    """Counted once however many queues need it, and let go with the last."""
    first, second = make("a"), make("b")
    vhost.enqueue(message(b"x"), [first, second])
    segment = world.journal.segment
    assert segment.live == 1
    first.purge()
    assert segment.live == 1
    second.purge()
    assert segment.live == 0


def test_segments_go_when_nothing_in_them_lives(world: World, vhost: VirtualHost, make: Make) -> None:
    """A checkpoint says the topology again, and a restart finds queue and position."""
    world.journal.segment_bytes = 1000
    queue = make()
    for number in range(50):
        vhost.enqueue(message(b"%d" % number * 50), [queue])
        world.settle()
    before = len(world.journal.segments)
    queue.purge()
    world.settle()
    assert world.journal.wants_checkpoint()
    world.broker.checkpoint()
    world.commit()
    assert world.journal.drop_dead_segments() >= before - 1
    world.commit()
    again = World(world.disk.copy()).broker.vhosts["/"].queues["q"]
    assert (bodies(again), again.next_position) == ([], 51)


def test_nothing_to_do_is_never_due(broker: Broker) -> None:
    """No timer runs for a broker at rest."""
    assert broker.deadline == NEVER
