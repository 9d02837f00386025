"""mambaamqp/broker/exchanges/hashing.py: the same number everywhere."""

from mambaamqp.broker.exchanges.hashing import END, number


def test_numbers_are_what_they_were() -> None:
    """Or messages would change queues with a new version."""
    assert number(b"") == 16476032584258269876
    assert number(b"key") == 14878992315609337077
    assert number(b"key", b"salt") == 16247286780239465913


def test_numbers_are_spread() -> None:
    """Over the whole range, evenly."""
    upper = sum(number(b"%d" % value) >= END // 2 for value in range(2000))
    assert 900 < upper < 1100
