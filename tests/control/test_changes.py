"""mambaamqp/control/changes.py: what of a request reaches an operation, and when none is called."""

from typing import Any

import pytest

from mambaamqp.control.changes import NAME, an_object, flag, of_broker, of_vhost, text, texts, together
from mambaamqp.control.changes import whatever_of as whatever
from mambaamqp.control.counter import Counter
from mambaamqp.control.requests import Request
from mambaamqp.errors import MambaError, NotFound, PreconditionFailed
from tests.support.client import World
from tests.support.desk import FakeMachine


class Calls:
    """An operation that notes its arguments."""

    def __init__(self) -> None:
        self.made: list[tuple[Any, ...]] = []

    def __call__(self, *values: Any) -> None:
        self.made.append(values)


@pytest.fixture
def counter() -> Counter:
    return Counter(World().broker, FakeMachine())


def test_values_are_handed_over_in_their_order(counter: Counter) -> None:
    """Behind the broker, and who asks."""
    operation = Calls()
    change = of_broker(
        operation,
        NAME,
        text("note", "none"),
        texts("tags"),
        an_object("limits"),
        flag("on"),
        together("write", "read"),
        whatever("description", "default_queue_type"),
    )
    values = {"name": "kim", "tags": ["a"], "limits": {"b": 1}, "on": True, "write": "c", "read": "d"}
    reply = change(counter, Request("user add", values | {"description": "", "default_queue_type": "quorum"}))
    assert (list(reply.rows), reply.done, reply.error) == ([], {}, None)
    assert operation.made == [
        (
            counter.broker,
            counter.actor,
            "kim",
            "none",
            ["a"],
            {"b": 1},
            True,
            {"write": "c", "read": "d"},
            {"default_queue_type": "quorum"},
        )
    ]


def test_an_operation_of_a_virtual_host_has_it_and_the_operator_there(counter: Counter) -> None:
    """That of the request, "/" if it names none."""
    operation = Calls()
    of_vhost(operation, NAME)(counter, Request("queue pause", {"name": "q"}))
    [(vhost, actor, name)] = operation.made
    assert (vhost.name, actor.vhost, name) == ("/", "/", "q")


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({}, PreconditionFailed, "queue pause needs name"),
        ({"name": 5}, PreconditionFailed, "name must be text"),
        ({"name": "q", "names": "r"}, PreconditionFailed, "queue pause does not know names"),
        ({"name": 5, "vhost": "nowhere"}, NotFound, "no vhost 'nowhere'"),
    ],
)
def test_nothing_is_done_before_all_is_understood(
    counter: Counter, values: dict[str, Any], error: type[MambaError], words: str
) -> None:
    """Wrong, missing, or one value too many."""
    operation = Calls()
    with pytest.raises(error) as refused:
        of_vhost(operation, NAME)(counter, Request("queue pause", values))
    assert str(refused.value) == words
    assert operation.made == []
