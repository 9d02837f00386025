"""mambaamqp/bench/target.py: AMQP URLs."""

import pytest

from mambaamqp.bench.flow import BenchError
from mambaamqp.bench.target import Target, parse


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("amqp://h", Target("h", 5672, "guest", "guest", "/")),
        ("amqp://h/", Target("h", 5672, "guest", "guest", "/")),
        ("amqp://u:p%40@h:1/%2f", Target("h", 1, "u", "p@", "/")),
        ("amqp://u@[::1]:2/v%20w", Target("::1", 2, "u", "guest", "v w")),
    ],
)
def test_what_is_left_out_is_as_usual(url: str, target: Target) -> None:
    """guest, 5672 and "/", as RabbitMQ's clients have it."""
    assert parse(url) == target


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("localhost", "must begin with amqp://"),
        ("http://h", "must begin with amqp://"),
        ("amqps://h", "TLS"),
        ("amqp:///v", "no host"),
        ("amqp://h:99999", "no URL"),
    ],
)
def test_what_cannot_be_meant_is_refused(url: str, text: str) -> None:
    """With the reason."""
    with pytest.raises(BenchError, match=text):
        parse(url)


def test_the_password_is_not_shown() -> None:
    """Nor in what is printed or recorded."""
    assert parse("amqp://u:secret@h/v").shown == "amqp://u@h:5672/v"
