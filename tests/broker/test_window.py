"""mambaamqp/broker/window.py: keys in the place of messages."""

import pytest

from mambaamqp.broker.deduplication import digest_of
from mambaamqp.broker.message import Message
from mambaamqp.broker.window import Window
from mambaamqp.wire import fast, properties
from mambaamqp.wire.table import Table, encode_entries
from tests.support.client import World


@pytest.fixture
def window() -> Window:
    """For three keys, each for a second."""
    table = Table(encode_entries({"x-deduplication-exchange": "x"}))
    found = Window(World().broker.vhosts["/"], 1, "w", True, table)
    found.take_rules("id", 3, 1000, True)
    return found


def message(key: str) -> Message:
    content = fast.content_frames(properties.encode({"headers": {"id": key}}, 5), b"hello")
    found = Message(b"\0\0", content, 5, True)
    found.published_ms = 1000
    return found


def test_only_the_digest_is_kept(window: Window) -> None:
    """Neither body nor key; in the journal if the message is."""
    window.remember(message("a" * 10_000), True)
    window.remember(message("b"), False)
    first, second = window.ready.entries()
    assert (first.message.body_bytes, len(first.message.address)) == (0, 34)
    assert len(first.message.content) < 50
    assert (first.journaled, second.journaled) == (True, False)
    assert first.message.segment is not None


def test_the_oldest_makes_room(window: Window) -> None:
    """And what is written of it is settled."""
    for key in "abcd":
        window.remember(message(key), True)
    assert window.ready.count == len(window.keys.until) == 3
    assert window.settled == [(1, 1)]


def test_keys_in_memory_only(window: Window) -> None:
    """If the exchange says so, whatever the message is."""
    window.take_rules("id", 3, -1, False)
    window.remember(message("a"), True)
    (entry,) = window.ready.entries()
    assert not entry.journaled


def test_a_window_is_found_again(window: Window) -> None:
    """By what it holds."""
    for key in "abc":
        window.remember(message(key), True)
    known = dict(window.keys.until)
    window.keys.until.clear()
    window.recovered()
    assert window.keys.until == known


def test_a_window_that_has_become_too_large_is_cut_when_it_is_found_again(window: Window) -> None:
    """The oldest go."""
    for key in "abc":
        window.remember(message(key), True)
    window.arguments.max_length = 1
    window.recovered()
    assert window.ready.count == len(window.keys.until) == 1
    assert window.knows(digest_of("c"), 1000)


def test_what_is_there_no_more_is_not_known(window: Window) -> None:
    """The disk has lost it: otherwise its key would stand in the way for ever."""
    for key in "abc":
        window.remember(message(key), True)
    window.ready.pop()
    window.recall()
    assert window.ready.count == len(window.keys.until) == 2
    assert not window.knows(digest_of("a"), 1000)
