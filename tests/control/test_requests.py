"""mambaamqp/control/requests.py: lines of JSON, and what is wrong with them."""

import json
from typing import Any

import pytest

from mambaamqp.control.requests import Reply, Request, parse, refusal
from mambaamqp.errors import NotFound, PreconditionFailed, StoreError


@pytest.mark.parametrize(
    "line",
    [b"", b"x", b"[]", b"5", b"{}", b'{"command": 5}', b"\xff", b"[" * 100_000, b'{"command": "x"'],
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    """In one line, whatever it is."""
    with pytest.raises(PreconditionFailed) as refused:
        parse(line)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", 5),
        ("text", None),
        ("flag", "true"),
        ("object", []),
        ("texts", "a"),
        ("texts", [5]),
        ("number", "5"),
        ("number", True),
        ("number", -1),
        ("number", float("nan")),
        ("number", 1 << 63),
    ],
)
def test_a_value_must_be_of_its_kind(reader: str, value: Any) -> None:
    """The text names it."""
    with pytest.raises(PreconditionFailed, match="it"):
        getattr(Request("x", {"it": value}), reader)("it")


def test_what_nobody_asked_for_is_refused() -> None:
    """It would have been meant to do something."""
    request = parse(b'{"command": "x", "name": "q", "typo": 1}')
    assert (request.command, request.text("name"), request.text("vhost", "/")) == ("x", "q", "/")
    with pytest.raises(PreconditionFailed, match="typo"):
        request.check_all_read()


def test_a_reply_is_rows_and_a_result() -> None:
    """A line each, whatever stands in them."""
    lines = list(Reply(iter([{"name": "a\nb"}, {"name": "\udc80"}]), {"n": 2}).lines())
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    assert json.loads(lines[0]) == {"row": {"name": "a\nb"}}
    assert json.loads(lines[2]) == {"done": {"n": 2}}


def test_a_refusal_says_why() -> None:
    """In one line, and in a word for programs."""
    assert refusal(NotFound("no\nqueue")).error == {"error": "no queue", "reason": "not_found"}
    assert refusal(StoreError("x")).error == {"error": "x", "reason": "failed"}
