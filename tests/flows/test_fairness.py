"""Sharing a queue: ten publishers, ten consumers of different prefetch and speed."""

from collections import Counter

import pytest
from pamqp import commands

from tests.support.client import Client, World

PREFETCHES = range(1, 11)
ROUNDS = 40


@pytest.fixture
def consumers(world: World) -> list[Client]:
    """Consumer n has a prefetch of n, on a connection of its own."""
    found = []
    for prefetch in PREFETCHES:
        consumer = world.connect().open()
        if prefetch == 1:
            consumer.queue("q")
        assert isinstance(consumer.call(1, commands.Basic.Qos(0, prefetch, False)), commands.Basic.QosOk)
        consumer.consume("q")
        found.append(consumer)
    return found


def publish_round(publishers: list[Client], count: int) -> None:
    """The publishers take turns."""
    for place in range(count):
        publishers[place % len(publishers)].publish(b"%d" % place)


def test_equally_quick_consumers_share_as_their_prefetch_says(world: World, consumers: list[Client]) -> None:
    """With a backlog at all times, who may hold more gets more, in proportion."""
    publishers = [world.connect().open() for _ in range(10)]
    publish_round(publishers, sum(PREFETCHES) * (ROUNDS + 1))
    taken: Counter[int] = Counter()
    for _ in range(ROUNDS):
        for prefetch, consumer in zip(PREFETCHES, consumers, strict=True):
            deliveries = consumer.take()
            taken[prefetch] += len(deliveries)
            consumer.ack(deliveries[-1].method.delivery_tag, multiple=True)

    assert taken == {prefetch: prefetch * ROUNDS for prefetch in PREFETCHES}


def test_a_slow_consumer_holds_its_prefetch_and_no_more(world: World, consumers: list[Client]) -> None:
    """Whoever never acknowledges keeps what it has; the others get all the rest, in turns."""
    publishers = [world.connect().open() for _ in range(10)]
    slow, quick = consumers[5:], consumers[:5]
    taken: Counter[int] = Counter()
    for _ in range(ROUNDS):
        publish_round(publishers, 100)
        waiting = True
        while waiting:
            waiting = False
            for place, consumer in enumerate(quick):
                deliveries = consumer.take()
                taken[place] += len(deliveries)
                if deliveries:
                    waiting = True
                    consumer.ack(deliveries[-1].method.delivery_tag, multiple=True)

    held = [len(consumer.take()) for consumer in slow]
    assert held == list(PREFETCHES)[5:]
    assert taken.total() == ROUNDS * 100 - sum(held)
    assert all(taken[place] for place in range(5))
