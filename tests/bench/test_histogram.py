"""mambaamqp/bench/histogram.py: percentiles out of buckets."""

import pytest

from mambaamqp.bench.histogram import Histogram


def test_small_values_are_exact() -> None:
    """Below 128 µs every value has a bucket of its own."""
    histogram = Histogram()
    for value in range(1, 101):
        histogram.record(value, 1)

    assert histogram.summary() == {"p50": 50, "p95": 95, "p99": 99, "p999": 100, "max": 100}


@pytest.mark.parametrize("value", [127, 128, 129, 1000, 65535, 65536, 10**6, 10**9])
def test_large_values_are_near(value: int) -> None:
    """A percentile lies at most 1.6 % below the sample, never above it."""
    histogram = Histogram()
    histogram.record(value, 1)

    assert value * 0.984 <= histogram.percentile(0.5) <= value


def test_runs_count_as_often_as_they_are_long() -> None:
    """A thousand messages with one stamp are a thousand samples."""
    histogram = Histogram()
    histogram.record(10, 999)
    histogram.record(100, 1)

    assert histogram.percentile(0.99) == 10
    assert histogram.percentile(1.0) == 100


def test_nothing_recorded_is_nothing() -> None:
    """Before the first sample, after `clear`, and for a clock that went backwards."""
    histogram = Histogram()
    assert histogram.percentile(0.5) == 0
    histogram.record(-5, 1)
    assert histogram.percentile(0.5) == 0
    histogram.record(77, 1)
    histogram.clear()

    assert histogram.summary() == {"p50": 0, "p95": 0, "p99": 0, "p999": 0, "max": 0}
