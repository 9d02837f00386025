"""mambaamqp/broker/retry.py: how long what comes back waits."""

from random import Random

import pytest

from mambaamqp.broker.entry import NEVER
from mambaamqp.broker.retry import NO_RETRY, Delayed, Retry
from tests.support.client import World

RANDOM = Random(1)


def delays(retry: Retry, counts: range, counted: bool = True) -> list[float]:
    return [retry.delay_seconds(count, counted, RANDOM) for count in counts]


def test_the_delay_grows_with_the_deliveries() -> None:
    """Linear as RabbitMQ's, or doubled each time; never above the maximum."""
    assert delays(Retry("all", 1000, 3500, False, 0), range(1, 6)) == [1, 2, 3, 3.5, 3.5]
    assert delays(Retry("all", 1000, 6000, True, 0), range(1, 6)) == [1, 2, 4, 6, 6]
    assert delays(Retry("all", 1000, None, True, 0), range(1000, 1001)) == [315_360_000]


def test_what_did_not_count_waits_the_least() -> None:
    """A delivery count of 0 is no delay of 0."""
    assert delays(Retry("returned", 1000, None, False, 0), range(1), counted=False) == [1]


@pytest.mark.parametrize(
    ("kind", "failed", "returned"), [("all", 1, 1), ("failed", 1, 0), ("returned", 0, 1), ("disabled", 0, 0)]
)
def test_which_returns_are_delayed(kind: str, failed: int, returned: int) -> None:
    """By whether they count towards the delivery limit."""
    retry = Retry(kind, 1000, None, False, 0)

    assert delays(retry, range(1, 2)) == [failed]
    assert delays(retry, range(1, 2), counted=False) == [returned]
    assert delays(NO_RETRY, range(1, 2)) == [0]


def test_jitter_leaves_a_part_to_chance() -> None:
    """Between the rest and the whole of the delay, and not always the same."""
    found = delays(Retry("all", 1000, 1000, False, 20), range(1, 200))

    assert all(0.8 <= delay <= 1 for delay in found)
    assert len(set(found)) > 20


def test_what_is_delayed_comes_in_the_order_of_its_moments() -> None:
    """And of those of one moment in the order of positions."""
    client = World().connect().open()
    client.queue("q")
    for body in (b"a", b"b", b"c"):
        client.publish(body)
    first, second, third = client.session.broker.vhosts["/"].queues["q"].ready.entries()
    delayed = Delayed()
    assert delayed.next_moment() == NEVER
    delayed.put(third, 5.0)
    delayed.put(second, 5.0)
    delayed.put(first, 7.0)

    assert delayed.next_moment() == 5.0
    assert delayed.due(4.9) == []
    assert delayed.due(5.0) == [second, third]
    assert delayed.take_all() == [first]
    assert len(delayed) == 0
