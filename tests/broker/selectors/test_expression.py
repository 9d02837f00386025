"""mambaamqp/broker/selectors/expression.py: the tables of three-valued logic, and how deep it goes."""

from typing import Any

import pytest

from mambaamqp.broker.selectors.expression import (
    DEPTH_MAX,
    Between,
    Chain,
    Expression,
    Identifier,
    IsNull,
    Like,
    Literal,
    Negation,
)
from mambaamqp.broker.selectors.like import LikePattern
from mambaamqp.errors import PreconditionFailed

TRUE, FALSE, UNKNOWN = Literal(True), Literal(False), Identifier("absent")


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (TRUE, TRUE, True, True),
        (TRUE, FALSE, False, True),
        (FALSE, FALSE, False, False),
        (UNKNOWN, TRUE, None, True),
        (UNKNOWN, FALSE, False, None),
        (UNKNOWN, UNKNOWN, None, None),
        (Literal(1), TRUE, None, True),
    ],
)
def test_and_or(left: Expression, right: Expression, both: Any, either: Any) -> None:
    """Whichever stands first; what is no condition is unknown."""
    for one, other in ((left, right), (right, left)):
        assert Chain(False, one, other).evaluate({}) is both
        assert Chain(True, one, other).evaluate({}) is either


def test_null() -> None:
    """A header that is not there, or that JMS cannot have."""
    null = IsNull(Identifier("a"))
    assert [null.evaluate(headers) for headers in ({}, {"a": None}, {"a": [1]}, {"a": ""}, {"a": 0})] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_between_with_an_unknown_end() -> None:
    """Out of the known end it is false all the same."""
    between = Between(Identifier("a"), Literal(10), UNKNOWN)
    assert [between.evaluate({"a": value}) for value in (5, 15, "5")] == [False, None, False]


def test_like_of_a_number() -> None:
    """Unknown, and so is its negation."""
    like = Like(Identifier("a"), LikePattern("5", None))
    assert like.evaluate({"a": 5}) is Negation(like).evaluate({"a": 5}) is None


def test_depth_is_bounded_where_it_is_made() -> None:
    """What could not be evaluated is never there."""
    part: Expression = TRUE
    for _ in range(DEPTH_MAX - 1):
        part = Negation(part)
    assert part.evaluate({}) is False
    with pytest.raises(PreconditionFailed, match="nested deeper than 100 levels"):
        Negation(part)


def test_a_chain_is_one_part_however_long() -> None:
    """The client nests AND to the right; people write long ones."""
    for chained in (lambda a, b: Chain(False, a, b), lambda a, b: Chain(False, b, a)):
        chain: Expression = TRUE
        for _ in range(1000):
            chain = chained(TRUE, chain)
        assert (chain.depth, chain.evaluate({})) == (2, True)
