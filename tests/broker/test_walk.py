"""mambaamqp/broker/walk.py: everything is met, whatever goes on meanwhile."""

from collections.abc import Callable

from pamqp import commands

from mambaamqp.broker.entry import Entry
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.ready import BLOCK
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.broker.walk import EVERYTHING, Walk
from tests.broker.conftest import message
from tests.support.client import World

Make = Callable[..., Queue]


def publish(vhost: VirtualHost, queue: Queue, count: int, **props: int) -> None:
    for _ in range(count):
        vhost.enqueue(message(b"x", **props), [queue])


def walked(walk: Walk) -> list[Entry]:
    """The rest of a walk."""
    found: list[Entry] = []
    while not walk.over:
        found += walk.step()
    return found


def test_what_waits_and_what_is_held_is_met(world: World, vhost: VirtualHost, make: Make) -> None:
    """In every queue that the journal knows, on every level of priority, at its place or come back to it."""
    plain, ranked = make("plain"), make("ranked", x_max_priority=3)
    publish(vhost, plain, 2 * BLOCK)
    for priority in (3, 0, 1, 3):
        publish(vhost, ranked, 2, priority=priority)
    publish(vhost, make("passing", durable=False), 2)
    client = world.connect().open()
    for _ in range(3):
        client.get("plain", no_ack=False)
    client.reject(1)
    found = walked(Walk(world.broker, EVERYTHING))
    assert len(found) == len(set(found)) == 2 * BLOCK + 8
    assert {entry.queue for entry in found} == {plain, ranked}


def test_what_a_transaction_has_acknowledged_is_met(world: World, vhost: VirtualHost, make: Make) -> None:
    """It may be rolled back."""
    publish(vhost, make(), 2)
    client = world.connect().open()
    client.call(1, commands.Tx.Select())
    for tag in (1, 2):
        client.get("q", no_ack=False)
        client.ack(tag)
    assert len(walked(Walk(world.broker, EVERYTHING))) == 2
    client.disconnect()
    assert not world.broker.holders


def test_what_comes_and_goes_disturbs_nobody(world: World, vhost: VirtualHost, make: Make) -> None:
    """Entries that stay where they are, are met once, while others leave in front and arrive behind."""
    queue = make()
    publish(vhost, queue, 6 * BLOCK)
    staying = queue.ready.entries()[3 * BLOCK :]
    walk, found = Walk(world.broker, EVERYTHING), list[Entry]()
    while not walk.over:
        found += walk.step()
        for _ in range(BLOCK // 2):
            queue.settle_unseen(queue.ready.pop() or staying[0])
            publish(vhost, queue, 1)
        if queue.ready.count and queue.ready.entries()[0].position > 2 * BLOCK:
            break
    found += walked(walk)
    assert [entry for entry in found if entry in set(staying)] == staying
