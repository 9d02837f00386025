"""mambaamqp/broker/ready.py: the line of waiting messages against a sorted list."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.broker.entry import GONE, READY, UNACKED, Entry
from mambaamqp.broker.ready import BLOCK, TOMBSTONES_MIN, Line, PriorityReady, Ready
from tests.broker.conftest import message

QUEUE: Any = None


def entry(position: int, priority: int = -1, body: bytes = b"") -> Entry:
    made = message(body)
    made.priority = priority
    return Entry(made, QUEUE, position)


@pytest.mark.parametrize("make", [Ready, lambda: PriorityReady(3)])
@given(
    actions=st.lists(
        st.tuples(st.sampled_from(["push", "push", "pop", "back", "remove"]), st.integers(0, 99))
    )
)
def test_the_line_agrees_with_a_sorted_list(make: Any, actions: list[tuple[str, int]]) -> None:
    """Pushed, taken, put back and removed in any order: highest priority first, then by position."""
    ready = make()
    waiting: list[Entry] = []
    out: list[Entry] = []
    position = 0

    def order(item: Entry) -> tuple[int, int]:
        return (-item.message.priority if isinstance(ready, PriorityReady) else 0, item.position)

    for action, number in actions:
        if action == "push":
            position += 1
            waiting.append(entry(position, number % 4, bytes(number)))
            ready.push(waiting[-1])
        elif action == "pop":
            taken = ready.pop()
            assert taken is (min(waiting, key=order) if waiting else None)
            if taken is not None:
                waiting.remove(taken)
                taken.state = UNACKED
                out.append(taken)
        elif action == "back" and out:
            back = out.pop(number % len(out))
            back.state = READY
            waiting.append(back)
            ready.push_back(back)
        elif action == "remove" and waiting:
            gone = waiting.pop(number % len(waiting))
            gone.state = GONE
            ready.remove(gone)
        waiting.sort(key=order)
        assert ready.entries() == waiting
        assert ready.peek() is (waiting[0] if waiting else None)
        assert ready.count == len(waiting)
        assert ready.body_bytes == sum(item.message.body_bytes for item in waiting)


@pytest.mark.parametrize("ready", [Ready(), PriorityReady(9)])
def test_removed_entries_do_not_pile_up(ready: Ready) -> None:
    """Memory stays proportional to what waits, although the head never moves."""
    head = entry(0, 9)
    ready.push(head)
    for position in range(1, 20 * TOMBSTONES_MIN):
        item = entry(position, 0)
        ready.push(item)
        item.state = GONE
        ready.remove(item)
    lines = [line for line in getattr(ready, "lines", [ready.line]) if line is not None]
    assert sum(len(block.entries) for line in lines for block in line.blocks) <= 2 * TOMBSTONES_MIN + 2
    assert ready.pop() is head


@pytest.mark.parametrize("default", [0, 4])
def test_a_message_without_a_priority_has_the_default(default: int) -> None:
    """0 in priority queues, 4 in quorum queues."""
    ready = PriorityReady(9, default)
    entries = [entry(1), entry(2, default), entry(3, default + 1)]
    for item in entries:
        ready.push(item)
    assert [item.position for item in ready.entries()] == [3, 1, 2]


def test_priorities_beyond_the_highest_are_the_highest() -> None:
    """x-max-priority bounds what publishers say."""
    ready = PriorityReady(3)
    for position, priority in ((1, 3), (2, 200)):
        ready.push(entry(position, priority))
    assert [ready.pop().position, ready.pop().position] == [1, 2]  # type: ignore[union-attr]


def test_returned_entries_come_out_by_position() -> None:
    """In whatever order a thousand of them come back."""
    ready = Ready()
    back = [entry(position) for position in range(1000)]
    ready.push(entry(1000))
    for item in random.Random(1).sample(back, len(back)):
        ready.push_back(item)
    assert [item.position for item in ready.entries()] == list(range(1001))


def after(line: Line, position: int) -> list[Entry]:
    """The entries of the next block that were never taken out."""
    block = line.block_after(position)
    entries = [] if block is None else block.entries
    return [item for item in entries if item is not None and item.position > position]


def test_a_walk_along_the_line_goes_on_where_it_was() -> None:
    """From a position, whatever was taken out in front, removed, or rebuilt in between."""
    ready = Ready()
    entries = [entry(position) for position in range(1, 10 * BLOCK, 2)]
    for item in entries:
        ready.push(item)
    assert after(ready.line, 0) == entries[:BLOCK]
    assert after(ready.line, 4) == entries[2:BLOCK]
    for _ in range(BLOCK + 3):
        ready.pop()
    assert after(ready.line, 0) == entries[BLOCK + 3 : 2 * BLOCK]
    while ready.pop() is not None:
        pass
    assert after(ready.line, 0) == []


@given(actions=st.lists(st.tuples(st.sampled_from(["push", "pop", "remove"]), st.integers(0, 3 * BLOCK))))
def test_the_walk_meets_what_waits(actions: list[tuple[str, int]]) -> None:
    """Whatever came and went before."""
    ready, position = Ready(), 0
    for action, count in actions:
        for _ in range(count):
            if action == "push":
                position += 1
                ready.push(entry(position))
            elif action == "pop":
                ready.pop()
            elif (last := ready.peek()) is not None:
                last.state = GONE
                ready.remove(last)
    found, at = [], 0
    while part := after(ready.line, at):
        found += part
        at = part[-1].position
    assert [item for item in found if item.state == READY] == ready.entries()
