"""Values in selectors: booleans, numbers, text, and None for what is unknown.

Unknown is a header that is not there, or whose type JMS does not have. What is computed of it is unknown,
and a selector that comes out unknown selects nothing. Like compares with like only: an integer with a
double, but text never with a number, which makes them unequal and in no order.
"""

import operator
from collections.abc import Callable
from typing import Any, Final

BOOLEAN: Final = 1
NUMBER: Final = 2
TEXT: Final = 4
ANYTHING: Final = BOOLEAN | NUMBER | TEXT
NAMES: Final[dict[int, str]] = {BOOLEAN: "a condition", NUMBER: "a number", TEXT: "text"}

Value = Any
"""bool, int, float, str or None."""


def known(value: Value) -> Value:
    """A header's value, None for one that selectors do not speak of."""
    return value if isinstance(value, bool | int | float | str) else None


def kind_of(value: Value) -> int:
    """BOOLEAN, NUMBER or TEXT; 0 of what is unknown."""
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int | float):
        return NUMBER
    return TEXT if isinstance(value, str) else 0


def negated(value: Value) -> Value:
    """NOT: of what is no condition, unknown."""
    return not value if isinstance(value, bool) else None


COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def compared(sign: str, left: Value, right: Value) -> Value:
    """What a comparison says; `sign` is one of COMPARISONS."""
    kind = kind_of(left)
    other = kind_of(right)
    if not kind or not other:
        return None
    if kind != other:
        return sign == "<>"
    return COMPARISONS[sign](left, right)


def _divided(left: Any, right: Any) -> Any:
    """As doubles; by zero an infinity, or no number."""
    return left / right if right else left * INFINITY


INFINITY: Final = float("inf")
ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
}


def computed(sign: str, left: Value, right: Value) -> Value:
    """What a computation gives; `sign` is one of ARITHMETIC. Unknown beyond what a double holds."""
    if kind_of(left) != NUMBER or kind_of(right) != NUMBER:
        return None
    try:
        return ARITHMETIC[sign](left, right)
    except OverflowError:
        return None
