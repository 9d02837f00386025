"""mambaamqp/broker/consumers.py: whose turn it is."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.broker.consumers import Rotation
from mambaamqp.broker.queue import Queue
from tests.broker.conftest import Taker

QUEUE: Queue = None  # type: ignore[assignment]


def rotation_of(*priorities: int) -> tuple[Rotation, list[Taker]]:
    rotation = Rotation()
    takers = [Taker(QUEUE, str(number), priority=value) for number, value in enumerate(priorities)]
    for taker in takers:
        rotation.enter(taker)
    return rotation, takers


def test_equals_take_turns() -> None:
    """Round-robin, in the order of arrival."""
    rotation, takers = rotation_of(0, 0, 0)
    assert [rotation.next() for _ in range(6)] == takers * 2


def test_the_highest_priority_goes_first() -> None:
    """The others get what those above them cannot take."""
    rotation, (low, high) = rotation_of(0, 10)
    assert [rotation.next(), rotation.next()] == [high, high]
    high.credit = 0
    assert rotation.next() is low
    assert not high.in_rotation


def test_nobody_can_take() -> None:
    """None, and no one is asked again until woken."""
    rotation, takers = rotation_of(0, 1, 1)
    for taker in takers:
        taker.credit = 0
    assert rotation.next() is None
    assert [taker.in_rotation for taker in takers] == [False] * 3


def test_who_is_forgotten_leaves_nothing() -> None:
    """A priority that nobody has any more is gone, also if its last consumer was resting."""
    rotation, (low, high) = rotation_of(0, 10)
    high.credit = 0
    rotation.next()
    rotation.forget(high)
    rotation.forget(low)
    assert (rotation.rings, rotation.priorities, rotation.next()) == ({}, [], None)


def test_alone() -> None:
    """One consumer in all, whatever its priority."""
    rotation, (first, second) = rotation_of(3, 1)
    assert not rotation.alone
    rotation.forget(second)
    assert rotation.alone
    rotation.leave(first)
    assert not rotation.alone


def test_a_woken_consumer_takes_part_again(make: Callable[..., Queue]) -> None:
    """Once; one that is not active does not."""
    queue = make()
    taker = Taker(queue)
    queue.add_consumer(taker)
    queue.rotation.leave(taker)
    taker.wake()
    taker.wake()
    assert list(queue.rotation.rings[0]) == [taker]
    queue.remove_consumer(taker)
    taker.wake()
    assert not taker.in_rotation


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=6), st.data())
def test_turns_are_fair(priorities: list[int], data: st.DataObject) -> None:
    """Among those of the highest priority that can take, nobody is two turns ahead of another."""
    rotation, takers = rotation_of(*priorities)
    for taker in takers:
        taker.credit = data.draw(st.sampled_from([0, 100]))
    able = [taker for taker in takers if taker.credit]
    best = [taker for taker in able if taker.priority == max(t.priority for t in able)]
    turns = [rotation.next() for _ in range(10)]
    counts = [turns.count(taker) for taker in best]
    assert sum(counts) == (10 if best else 0)
    assert not best or max(counts) - min(counts) <= 1
