"""mambaamqp/broker/argument_values.py: bounds on both sides, and the words beyond them."""

from typing import Any

import pytest

from mambaamqp.broker.argument_values import CONSUMER_CHECKS, QUEUE_CHECKS, unsupported_type
from mambaamqp.wire.table import Table, encode_entries

MILLENNIUM = 315_360_000_000


def problem(key: str, value: Any, **others: Any) -> str:
    """What is wrong with an argument, nothing if it is fine."""
    given = {name.replace("_", "-"): other for name, other in others.items()}
    table = Table(encode_entries({key: value, **given}))
    return (QUEUE_CHECKS | CONSUMER_CHECKS)[key](table.get(key), table, key)


@pytest.mark.parametrize(
    ("key", "legal", "illegal"),
    [
        ("x-expires", [1, MILLENNIUM], [0, -1, MILLENNIUM + 1]),
        ("x-message-ttl", [0, 1, MILLENNIUM], [-1, MILLENNIUM + 1]),
        ("x-max-length", [0, (1 << 63) - 1], [-1, -(1 << 63)]),
        ("x-max-priority", [0, 255], [-1, 256]),
        ("x-queue-version", [0, 1, 2], [-1, 3]),
        ("x-quorum-initial-group-size", [1], [0, -1]),
        ("x-initial-cluster-size", [1], [0, -1]),
        ("x-consumer-timeout", [0], [-1]),
        ("x-delivery-limit", [-1, 0, 20], []),
        ("x-priority", [-(1 << 63), 0, (1 << 63) - 1], []),
    ],
)
def test_numbers_have_bounds(key: str, legal: list[int], illegal: list[int]) -> None:
    """On the bound is legal, one beyond it is not; what is no integer never is."""
    assert [problem(key, value) for value in legal] == [""] * len(legal)
    assert all(problem(key, value).endswith((f",{value}}}", f"'{value}'\"")) for value in illegal)
    for value, kind in (("1", "longstr"), (1.0, "double"), (True, "bool"), (None, "void"), ([1], "array")):
        assert problem(key, value) == f'"expected integer, got {kind}"'


@pytest.mark.parametrize(
    ("key", "legal", "illegal", "text"),
    [
        (
            "x-overflow",
            ["drop-head", "reject-publish", "reject-publish-dlx"],
            ["", "Drop-Head"],
            "invalid_overflow",
        ),
        ("x-dead-letter-strategy", ["at-most-once", "at-least-once"], ["once"], "invalid_dlx_strategy"),
        (
            "x-queue-leader-locator",
            ["client-local", "balanced", "random", "least-leaders", "min-masters"],
            ["", "here"],
            "invalid_queue_locator_arg",
        ),
        ("x-member-placement-tag", ["a"], [""], "invalid_member_placement_tag_arg"),
        (
            "x-max-age",
            ["1Y", "2M", "30D", "7h", "5m", "10s", "007s", "1" * 255 + "s"],
            ["", "D", "0s", "00s", "-1s", "1.5h", "1 h", "1ms", "1d", "s1", "\u0663D", "+1s"],
            "invalid_max_age",
        ),
        ("x-dead-letter-exchange", ["", "d"], [], ""),
    ],
)
def test_texts_have_a_choice(key: str, legal: list[str], illegal: list[str], text: str) -> None:
    """One of few words, or a form; what is no text never is."""
    assert [problem(key, value) for value in legal] == [""] * len(legal)
    assert [problem(key, value) for value in illegal] == [text] * len(illegal)
    for value, kind in ((1, "long"), (b"\xff", "binary"), (True, "bool"), (None, "void"), ({}, "table")):
        assert problem(key, value) == f"{{unacceptable_type,{kind}}}"


def test_a_routing_key_needs_an_exchange() -> None:
    """Even an empty one; its type is asked first."""
    key = "x-dead-letter-routing-key"
    assert problem(key, "k") == "routing_key_but_no_dlx_defined"
    assert problem(key, "k", x_dead_letter_exchange="") == ""
    assert problem(key, 1) == "{unacceptable_type,long}"


def test_a_flag_is_a_boolean() -> None:
    """Not 1, not "true"."""
    key = "x-single-active-consumer"
    assert [problem(key, value) for value in (True, False)] == ["", ""]
    assert problem(key, 1) == "{unacceptable_type,long}"
    assert problem(key, "true") == "{unacceptable_type,longstr}"


def test_an_unknown_type_is_named() -> None:
    """Text by itself, anything else by its type."""
    assert unsupported_type(Table(encode_entries({"x-queue-type": "cubic"}))) == (
        "\"unsupported queue type 'cubic'\""
    )
    assert unsupported_type(Table(encode_entries({"x-queue-type": 1}))) == "{unacceptable_type,long}"
