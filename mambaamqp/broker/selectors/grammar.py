"""What a tuple of a selector may be: its name, how many parts of which kinds, and what they make together.

A part is an `Expression`, or what only stands inside of others: an atom, a list, the two ends of a range.
Kinds are checked as far as they are known before there is a message: `{'>',5,<<"a">>}` is refused, a header
may turn out to be anything.
"""

from collections.abc import Callable
from typing import Final

from mambaamqp.broker.selectors.expression import (
    Arithmetic,
    Between,
    Chain,
    Comparison,
    Expression,
    Identifier,
    In,
    IsNull,
    Like,
    Literal,
    Negation,
)
from mambaamqp.broker.selectors.like import LikePattern
from mambaamqp.broker.selectors.tokens import refused
from mambaamqp.broker.selectors.values import (
    ARITHMETIC,
    BOOLEAN,
    COMPARISONS,
    NAMES,
    NUMBER,
    TEXT,
)

NO_ESCAPE: Final = "no_escape"


class Atom:
    """A name: of what a tuple is, or that there is no escape."""

    def __init__(self, name: str) -> None:
        self.name = name


class Items:
    """A list, of texts."""

    def __init__(self, texts: frozenset[str]) -> None:
        self.texts = texts


class Range:
    """What BETWEEN stands between."""

    def __init__(self, low: Expression, high: Expression) -> None:
        self.low = low
        self.high = high


Part = Expression | Atom | Items | Range
Operands = list[Part]


def atom(name: str) -> Part:
    """What an atom stands for."""
    return Literal(name == "true") if name in ("true", "false") else Atom(name)


def items(parts: Operands) -> Part:
    """A list; 406 unless it is one of texts."""
    return Items(frozenset([_text(part) for part in parts]))


def compound(parts: Operands) -> Part:
    """A tuple; 406 for one that selectors do not have."""
    name = parts[0]
    if not isinstance(name, Atom):
        raise refused("a tuple must begin with the name of an operator")
    made = OPERATORS.get((name.name, len(parts) - 1))
    if made is None:
        raise refused(f"there is no operator '{name.name[:40]}' with {len(parts) - 1} operands")
    return made(name.name, parts[1:])


def condition(part: Part) -> Expression:
    """A part that may be true or false, as a whole selector must."""
    return _expression(part, BOOLEAN)


def _expression(part: Part, kinds: int) -> Expression:
    """A part whose value may be of one of these kinds."""
    if not isinstance(part, Expression):
        raise refused(f"there must be {_named(kinds)} where there is {_other(part)}")
    if not part.kinds & kinds:
        raise refused(f"there must be {_named(kinds)} where there is {_named(part.kinds)}")
    return part


def _named(kinds: int) -> str:
    return " or ".join([name for kind, name in NAMES.items() if kind & kinds])


def _other(part: Part) -> str:
    if isinstance(part, Atom):
        return f"the atom '{part.name[:40]}'"
    return "a list" if isinstance(part, Items) else "a range"


def _text(part: Part) -> str:
    """A text that stands there literally."""
    if not isinstance(part, Literal) or not isinstance(part.value, str):
        raise refused("there must be a literal text for an identifier, a pattern, an escape or in a list")
    return part.value


def _identifier(name: str, operands: Operands) -> Part:
    return Identifier(_text(operands[0]))


def _negation(name: str, operands: Operands) -> Part:
    return Negation(condition(operands[0]))


def _chain(name: str, operands: Operands) -> Part:
    return Chain(name == "or", condition(operands[0]), condition(operands[1]))


def _null(name: str, operands: Operands) -> Part:
    null = IsNull(_expression(operands[0], BOOLEAN | NUMBER | TEXT))
    return Negation(null) if name == "not_null" else null


def _sign(name: str, operands: Operands) -> Part:
    return Arithmetic(name, Literal(0), _expression(operands[0], NUMBER))


def _arithmetic(name: str, operands: Operands) -> Part:
    return Arithmetic(name, _expression(operands[0], NUMBER), _expression(operands[1], NUMBER))


def _comparison(name: str, operands: Operands) -> Part:
    left = _expression(operands[0], BOOLEAN | NUMBER | TEXT)
    return Comparison(name, left, _expression(operands[1], left.kinds))


def _range(name: str, operands: Operands) -> Part:
    low = _expression(operands[0], NUMBER | TEXT)
    return Range(low, _expression(operands[1], low.kinds))


def _between(name: str, operands: Operands) -> Part:
    ends = operands[1] if len(operands) == 2 else _range(name, operands[1:])
    if not isinstance(ends, Range):
        raise refused("there must be a range behind 'between'")
    part = _expression(operands[0], ends.low.kinds & ends.high.kinds)
    between = Between(part, ends.low, ends.high)
    return Negation(between) if name == "not_between" else between


def _in(name: str, operands: Operands) -> Part:
    texts = operands[1]
    if not isinstance(texts, Items):
        raise refused("there must be a list behind 'in'")
    found = In(_expression(operands[0], TEXT), texts.texts)
    return Negation(found) if name == "not_in" else found


def _like(name: str, operands: Operands) -> Part:
    escape = operands[2]
    plain = isinstance(escape, Atom) and escape.name == NO_ESCAPE
    pattern = LikePattern(_text(operands[1]), None if plain else _text(escape))
    like = Like(_expression(operands[0], TEXT), pattern)
    return Negation(like) if name == "not_like" else like


OPERATORS: Final[dict[tuple[str, int], Callable[[str, Operands], Part]]] = {
    ("ident", 1): _identifier,
    ("not", 1): _negation,
    ("and", 2): _chain,
    ("or", 2): _chain,
    ("is_null", 1): _null,
    ("not_null", 1): _null,
    ("+", 1): _sign,
    ("-", 1): _sign,
    ("range", 2): _range,
    ("between", 2): _between,
    ("between", 3): _between,
    ("not_between", 2): _between,
    ("not_between", 3): _between,
    ("in", 2): _in,
    ("not_in", 2): _in,
    ("like", 3): _like,
    ("not_like", 3): _like,
    **dict.fromkeys([(sign, 2) for sign in ARITHMETIC], _arithmetic),
    **dict.fromkeys([(sign, 2) for sign in COMPARISONS], _comparison),
}
"""Name and number of operands → what makes the part."""
