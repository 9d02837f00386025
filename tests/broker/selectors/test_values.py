"""mambaamqp/broker/selectors/values.py: like compares with like, unknown stays unknown."""

from decimal import Decimal
from math import inf, isnan
from typing import Any

import pytest

from mambaamqp.broker.selectors.values import compared, computed, known, negated
from mambaamqp.wire.table import Timestamp


@pytest.mark.parametrize(
    ("left", "sign", "right", "expected"),
    [
        (1, "=", 1.0, True),
        (2**53 + 1, "=", 2.0**53, False),
        (1, "<", 1.5, True),
        ("a", "<", "b", True),
        ("é", ">", "z", True),
        (True, "=", True, True),
        (True, ">", False, True),
        # What is not alike is unequal, and neither less nor greater.
        (1, "=", True, False),
        (1, "<>", "1", True),
        ("a", ">", 5, False),
        ("a", "<=", 5, False),
        (None, "<>", 1, None),
        (1, "=", None, None),
    ],
)
def test_comparisons(left: Any, sign: str, right: Any, expected: Any) -> None:
    """Integers with doubles by their exact values, text by its characters."""
    assert compared(sign, left, right) is expected


@pytest.mark.parametrize(
    ("left", "sign", "right", "expected"),
    [
        (1, "/", 2, 0.5),
        (7, "-", 9, -2),
        (2, "*", 1.5, 3.0),
        (1, "/", 0, inf),
        (-1.0, "/", 0, -inf),
        (1e308, "*", 10, inf),
        (10**400, "*", 1.0, None),
        (10**400, "/", 3, None),
        (1, "+", "1", None),
        (1, "+", True, None),
        (None, "*", 0, None),
    ],
)
def test_arithmetic(left: Any, sign: str, right: Any, expected: Any) -> None:
    """Division is that of doubles; what cannot be computed is unknown."""
    assert computed(sign, left, right) == expected


def test_nothing_by_nothing_is_no_number() -> None:
    """Equal to nothing."""
    found = computed("/", 0, 0)
    assert isnan(found)
    assert compared("=", found, found) is False


@pytest.mark.parametrize("value", [None, b"\xff", Timestamp(1), Decimal(1), [1], {"a": 1}])
def test_types_that_jms_does_not_have_are_unknown(value: Any) -> None:
    """RabbitMQ ends the publisher's connection over them."""
    assert known(value) is None


def test_not() -> None:
    """Only of conditions."""
    assert [negated(value) for value in (True, False, None, 1, "a")] == [False, True, None, None, None]
