"""mambaamqp/broker/equivalence.py: same or not, and the words."""

from decimal import Decimal
from typing import Any

import pytest

from mambaamqp.broker.equivalence import check_argument, check_flag, check_property
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import EMPTY, Table, Timestamp, encode_entries

WHERE = "queue 'q' in vhost '/'"
ABSENT = object()


def table(value: Any) -> Table:
    return EMPTY if value is ABSENT else Table(encode_entries({"x-arg": value}))


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 1.5, "a", b"\xff", Decimal("1.5"), Timestamp(1), [1, ["a"]], {"a": {"b": 1}}, ABSENT],
)
def test_a_value_is_the_same_as_itself(value: Any) -> None:
    """Of every class, at any depth, and none is none."""
    check_argument("x-arg", WHERE, table(value), table(value))


@pytest.mark.parametrize("octets", [b"b\5", b"B\5", b"s\0\5", b"u\0\5", b"I\0\0\0\5", b"i\0\0\0\5"])
def test_widths_do_not_count(octets: bytes) -> None:
    """5 is 5."""
    check_argument("x-arg", WHERE, Table(b"\5x-arg" + octets), table(5))


@pytest.mark.parametrize(
    ("current", "received", "text"),
    [
        (1, 2, "received '2' but current is '1'"),
        (1, "1", "received '1' but current is '1'"),
        (1, True, "received 'true' but current is '1'"),
        (True, 1, "received '1' but current is 'true'"),
        (1, 1.0, "received '1.0' but current is '1'"),
        (1, None, "received none but current is '1'"),
        (1, [1], "received '[{signedint,1}]' but current is '1'"),
        ("a", "é", "received 'é' but current is 'a'"),
        (1, ABSENT, "received none but current is the value '1' of type 'long'"),
        (ABSENT, "a", "received the value 'a' of type 'longstr' but current is none"),
        (ABSENT, None, "received the value 'undefined' of type 'void' but current is none"),
        (ABSENT, [], "received the value '[]' of type 'array' but current is none"),
    ],
)
def test_what_differs_is_told(current: Any, received: Any, text: str) -> None:
    """Bare values where both are there, types where only one is."""
    with pytest.raises(PreconditionFailed) as failure:
        check_argument("x-arg", WHERE, table(current), table(received))
    assert str(failure.value) == f"inequivalent arg 'x-arg' for {WHERE}: {text}"


def test_properties_and_flags() -> None:
    """Always bare, flags in Erlang's letters."""
    check_flag("durable", WHERE, True, True)
    check_property("type", WHERE, "direct", "direct")
    with pytest.raises(PreconditionFailed) as failure:
        check_flag("durable", WHERE, True, False)
    assert str(failure.value) == (
        f"inequivalent arg 'durable' for {WHERE}: received 'false' but current is 'true'"
    )
