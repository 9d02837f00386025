"""mambaamqp/bench/outcome.py: figures for people and for machines."""

from mambaamqp.bench.outcome import Outcome, Totals, live_line

LATENCY = {"p50": 1, "p95": 2, "p99": 3, "p999": 4, "max": 5}
NOTHING = dict.fromkeys(LATENCY, 0)


def test_rates_count_from_the_warm_up() -> None:
    """What was published before does not flatter."""
    outcome = Outcome(Totals(300, 200, 100), Totals(100, 100, 0), 2.0, LATENCY, LATENCY)

    assert outcome.rates == (100.0, 50.0, 50.0)
    assert outcome.as_dict()["published_per_s"] == 100
    assert outcome.as_dict()["published"] == 300


def test_the_table_leaves_out_what_did_not_happen() -> None:
    """No row of zeros for confirms that nobody asked for."""
    quiet = Outcome(Totals(1, 0, 1), Totals(), 1.0, NOTHING, LATENCY).table()
    loud = Outcome(Totals(1, 1, 1, 7, 8), Totals(), 1.0, LATENCY, LATENCY).table()

    assert "confirm  " not in quiet
    assert "nacked" not in quiet
    assert "nacked                 7" in loud
    assert "returned               8" in loud


def test_the_live_line_is_one_line() -> None:
    """It is printed over itself."""
    line = live_line(2.5, (1234.0, 0.0, 1000.4), LATENCY)

    assert "1,234/s" in line
    assert "\n" not in line
