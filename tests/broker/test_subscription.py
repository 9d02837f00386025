"""mambaamqp/broker/subscription.py: what consumers of a stream ask for."""

from typing import Any

import pytest

from mambaamqp.broker.message import Message, address_of
from mambaamqp.broker.subscription import subscription
from mambaamqp.wire import fast, properties
from mambaamqp.wire.table import Table, Timestamp, encode_entries

WALL_MS = 1_700_000_000_000


def asked(**arguments: Any) -> Table:
    return Table(encode_entries({f"x-stream-{key}": value for key, value in arguments.items()}))


def message(**headers: Any) -> Message:
    given = {"headers": {f"x-stream-{key}".replace("_", "-"): value for key, value in headers.items()}}
    content = fast.content_frames(properties.encode(given if headers else {}, 0), b"")
    return Message(address_of("", "s"), content, 0, True)


@pytest.mark.parametrize(
    ("offset", "start", "number"),
    [
        ("first", "first", 0),
        ("last", "last", 0),
        ("next", "next", 0),
        (None, "next", 0),
        (12, "offset", 12),
        (-1, "offset", 0),
        (Timestamp(1_600_000_000), "since", 1_600_000_000_000),
        ("2h", "since", WALL_MS - 7_200_000),
        ("0001D", "since", WALL_MS - 86_400_000),
    ],
)
def test_a_place_to_begin(offset: Any, start: str, number: int) -> None:
    """By name, by number, by time."""
    found = subscription(asked(offset=offset), WALL_MS)
    assert (found.start, found.number, found.wanted) == (start, number, None)


def test_without_a_word_what_comes_next() -> None:
    """RabbitMQ's default."""
    assert subscription(Table(), WALL_MS).start == "next"


def test_a_time_span_beyond_all_bounds() -> None:
    """Is that of everything, and costs nothing to read."""
    assert subscription(asked(offset="9" * 100_000 + "Y"), WALL_MS).number < 0


@pytest.mark.parametrize("asked_for", ["a", ["a"], ["a", 5], [5, "a", "b"]])
def test_values_that_pass(asked_for: Any) -> None:
    """Of an array, what is text."""
    wanted = subscription(asked(filter=asked_for), WALL_MS).wanted
    assert wanted is not None
    assert wanted.passes(message(filter_value="a"))
    for other in ({"filter_value": "c"}, {"filter_value": 5}, {"other": "a"}, {}):
        assert not wanted.passes(message(**other))


def test_what_has_no_value_may_pass_too() -> None:
    """If that was asked for; another value does not."""
    table = Table(encode_entries({"x-stream-filter": "a", "x-stream-match-unfiltered": True}))
    wanted = subscription(table, WALL_MS).wanted
    assert wanted is not None
    assert all(wanted.passes(found) for found in (message(), message(filter_value=5), message(other="c")))
    assert not wanted.passes(message(filter_value="c"))


def test_octets_that_are_no_text_are_compared_too() -> None:
    """A value is what its publisher made it."""
    raw = b"\x15x-stream-filter-valueS\x00\x00\x00\x01\xff"
    content = fast.content_frames(properties.encode({"headers": Table(raw)}, 0), b"")
    table = Table(b"\x0fx-stream-filterS\x00\x00\x00\x01\xff")
    wanted = subscription(table, WALL_MS).wanted
    assert wanted is not None
    assert wanted.passes(Message(address_of("", "s"), content, 0, True))
