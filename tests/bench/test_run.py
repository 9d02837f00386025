"""mambaamqp/bench/run.py: short loads on a real broker over real sockets."""

from typing import Any

import pika
import pytest

from mambaamqp.bench.flow import BenchError
from mambaamqp.bench.outcome import Outcome
from mambaamqp.bench.run import run
from mambaamqp.bench.target import parse
from mambaamqp.bench.workload import Workload


def load(url: str, **settings: Any) -> Outcome:
    """A run of 0.3 s unless told otherwise."""
    shown: list[str] = []
    return run(parse(url), Workload(**{"seconds": 0.3, "warmup": 0.1, **settings}), shown.append)


def queues_left(url: str, *names: str) -> list[str]:
    """Which of these queues are there."""
    left = []
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        for name in names:
            channel = connection.channel()
            try:
                channel.queue_declare(name, passive=True)
                left.append(name)
                channel.queue_delete(name)
            except pika.exceptions.ChannelClosedByBroker:
                pass
    return left


def test_messages_flow_and_are_measured(url: str) -> None:
    """Published, consumed, timed; and the queue is gone afterwards."""
    outcome = load(url, auto_ack=True, name="flow")

    assert 0 < outcome.totals.consumed <= outcome.totals.published
    assert outcome.end_to_end_us["p50"] > 0
    assert outcome.confirm_us["max"] == 0
    assert queues_left(url, "flow-0") == []


@pytest.mark.parametrize(
    "settings",
    [
        {"confirm": 10, "durable": True, "persistent": True, "prefetch": 10},
        {"confirm": 100, "prefetch": 100, "ack": 10},
        {"producers": 3, "consumers": 3, "queues": 2, "ack": 1},
        {"tx": 20, "auto_ack": True},
        {"get": True, "rate": 500.0},
        {"size": 0},
        {"size": 300_000},
        {"exchange_type": "fanout", "queues": 3, "consumers": 3},
        {"exchange_type": "direct", "keys": 4, "bindings": 4},
        {"exchange_type": "topic", "bindings": 100, "keys": 30, "auto_ack": True},
        {"arguments": {"x-max-length": 1000, "x-overflow": "reject-publish"}, "confirm": 10},
    ],
    ids=lambda settings: " ".join(settings),
)
def test_every_kind_of_load_moves(url: str, settings: dict[str, Any]) -> None:
    """Each flag does something that a broker understands."""
    outcome = load(url, **settings)

    assert outcome.totals.consumed > 0
    assert outcome.totals.returned == 0
    if "confirm" in settings:
        assert outcome.totals.confirmed > 0
        assert outcome.confirm_us["p50"] > 0


def test_the_rate_is_kept(url: str) -> None:
    """Not more than asked for, whatever the machine is busy with."""
    outcome = load(url, rate=200.0, seconds=0.5, auto_ack=True)

    assert 0 < outcome.totals.published <= 101


def test_a_counted_backlog_is_left_and_drained(url: str) -> None:
    """Exactly so many in, exactly so many out, in two runs."""
    settings = {"name": "kept", "count": 500, "seconds": 30.0, "keep": True}
    filled = load(url, consumers=0, confirm=50, **settings)
    drained = load(url, producers=0, prefetch=20, ack=10, **settings)

    assert (filled.totals.published, filled.totals.confirmed) == (500, 500)
    assert drained.totals.consumed == 500
    assert queues_left(url, "kept-0") == ["kept-0"]


def test_what_the_broker_refuses_is_one_error(url: str) -> None:
    """Its own words, out of however many tasks."""
    with pytest.raises(BenchError, match="406 PRECONDITION_FAILED"):
        load(url, arguments={"x-message-ttl": -1}, producers=3)


def test_a_live_line_is_shown_each_second(url: str) -> None:
    """As long as it runs."""
    shown: list[str] = []
    run(parse(url), Workload(seconds=1.4, warmup=0.0, rate=100.0, auto_ack=True), shown.append)

    assert len(shown) == 1
    assert "consumed" in shown[0]
