"""Selectors as the JMS client writes them, and a model of what they mean, small and independent.

A selector is nested tuples here: ("and", a, b), ("ident", "x"), ("like", a, "a%", None), numbers and text as
they are. `text` writes it as the client does; `meaning` says what it comes to, straight from the tables of
SQL's three-valued logic and RabbitMQ's rules for values, with None for unknown.
"""

from typing import Any, Final

from hypothesis import strategies as st

COMPARISONS: Final = ("=", "<>", ">", "<", ">=", "<=")
NAMES: Final = ("a", "b", "c")


def text(term: Any) -> str:
    """With the full stop."""
    return written(term) + "."


def written(term: Any) -> str:
    if isinstance(term, bool):
        return "'true'" if term else "'false'"
    if isinstance(term, str):
        return octets(term)
    if isinstance(term, list):
        return f"[{','.join(map(octets, term))}]"
    if not isinstance(term, tuple):
        return repr(term)
    name, *operands = term
    parts = ["'no_escape'" if operand is None else written(operand) for operand in operands]
    return f"{{'{name}',{','.join(parts)}}}"


def octets(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'<<"{escaped}">>'


NOT: Final = {True: False, False: True, None: None}
AND: Final = {
    (left, right): False if False in (left, right) else None if None in (left, right) else True
    for left in NOT
    for right in NOT
}


def meaning(term: Any, headers: dict[str, Any]) -> Any:
    """True, False, a value, or None for unknown."""
    if not isinstance(term, tuple):
        return term
    name, *operands = term
    if name == "ident":
        value = headers.get(operands[0])
        return value if isinstance(value, bool | int | float | str) else None
    if name == "is_null":
        return meaning(operands[0], headers) is None
    if name.startswith("not_"):
        plain = name.removeprefix("not_").replace("null", "is_null")
        return NOT[meaning((plain, *operands), headers)]
    values = [meaning(operand, headers) for operand in operands]
    if name == "not":
        return NOT[condition(values[0])]
    if name == "and":
        return AND[condition(values[0]), condition(values[1])]
    if name == "or":
        return NOT[AND[NOT[condition(values[0])], NOT[condition(values[1])]]]
    if name == "like":
        return like(*values) if isinstance(values[0], str) else None
    if name == "in":
        return None if values[0] is None else values[0] in values[1]
    if name == "between":
        value, low, high = values
        return AND[relation(">=", value, low), relation("<=", value, high)]
    return relation(name, *values) if name in COMPARISONS else arithmetic(name, *values)


def condition(value: Any) -> Any:
    return value if isinstance(value, bool) else None


def kind(value: Any) -> Any:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


def relation(sign: str, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    if kind(left) is not kind(right) or left != left or right != right:
        return sign == "<>"
    if left == right:
        return sign in ("=", ">=", "<=")
    return sign == "<>" or (sign in ("<", "<=") if left < right else sign in (">", ">="))


def arithmetic(sign: str, left: Any, right: Any) -> Any:
    if kind(left) is not float or kind(right) is not float:
        return None
    if sign == "/":
        return left / right if right else left * float("inf")
    return {"+": left + right, "-": left - right, "*": left * right}[sign]


def like(value: str, pattern: str, escape: str | None) -> bool:
    """By trying every way."""
    if not pattern:
        return not value
    head, rest = pattern[0], pattern[1:]
    if head == escape and rest:
        return value[:1] == rest[0] and like(value[1:], rest[1:], escape)
    if head == "%":
        return any(like(value[at:], rest, escape) for at in range(len(value) + 1))
    return bool(value) and head in ("_", value[0]) and like(value[1:], rest, escape)


# What hypothesis makes of it: small numbers and few letters, so that things are equal now and then.

numbers = st.integers(-3, 3) | st.sampled_from([-1.5, 0.0, 0.5, 2.0])
texts = st.text("ab", max_size=3)
headers = st.dictionaries(
    st.sampled_from(NAMES), numbers | texts | st.booleans() | st.none() | st.just([1]), max_size=3
)
identifiers = st.tuples(st.just("ident"), st.sampled_from(NAMES))
sums = st.recursive(
    numbers | identifiers,
    lambda inner: st.tuples(st.sampled_from("+-*/"), inner, inner),
    max_leaves=4,
)
patterns = st.text("ab%_\\", max_size=5)


def _either(name: str) -> Any:
    return st.sampled_from([name, f"not_{name}"])


comparisons = st.one_of(
    st.tuples(st.sampled_from(COMPARISONS), sums, sums),
    st.tuples(st.sampled_from(COMPARISONS), identifiers, texts | st.booleans()),
    st.tuples(_either("between"), sums, sums, sums),
    st.tuples(_either("in"), identifiers, st.lists(texts, min_size=1, max_size=3)),
    st.tuples(_either("like"), identifiers, patterns, st.none() | st.just("\\")),
    st.tuples(st.sampled_from(["is_null", "not_null"]), identifiers),
)
conditions = st.recursive(
    comparisons | st.booleans() | identifiers,
    lambda inner: st.tuples(st.just("not"), inner) | st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    max_leaves=8,
)
