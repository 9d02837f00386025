"""Permission patterns: compiled, and refused if some name could keep them searching.

Theory of operation. `re` backtracks: `^(a+)+b` looks at 2^n ways through n letters. Patterns are written by
administrators, names by clients, and a name has up to 255 octets, so one careless pattern would let any
client stop the broker. `ways` computes, over the parsed pattern, an upper bound of the ways that a search
of a longest name may try: alternatives add up, what follows multiplies, a repetition of a choice raises it
to a power, and a search that is not anchored starts anywhere. A repetition counts for nothing when what
may follow it cannot begin it (`[a-z]+\\.`): going back into it fails at once. The bound is coarse and errs
to the safe side; possessive repetitions (`*+`, `++`) are the way out for whoever needs more.

Refuses to know what patterns are for. A defence against CVE-2026-66074, 67413, 67240 and their like.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]  # the only reader of patterns that agrees with `re`
from typing import Any, Final

from mambaamqp.errors import ConfigError

PATTERN_CHARACTERS_MAX: Final = 1024
"""RabbitMQ's own limit."""
NAME_CHARACTERS_MAX: Final = 255
WAYS_MAX: Final = (NAME_CHARACTERS_MAX + 1) ** 3
"""A second at the very worst, mostly milliseconds; three plain `.*` are within."""

_MULTILINE: Final = re.compile(r"\(\?[aiLsux]*m")


@lru_cache(maxsize=1024)  # thousands of users share a handful of patterns; clients add none
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """`pattern` ready to search with, "" standing for "^$".

    ConfigError if it is too long, not a regular expression, or may try more than WAYS_MAX ways.
    """
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        raise ConfigError(f"pattern is longer than {PATTERN_CHARACTERS_MAX} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # what a later Python may read otherwise
            compiled = re.compile(pattern or "^$")
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"{pattern!r} is not a regular expression: {error}") from None
    if _MULTILINE.search(pattern):
        raise ConfigError(f"{pattern!r}: the flag m is refused, a name has no lines")
    if ways(pattern) > WAYS_MAX:
        raise ConfigError(
            f"{pattern!r} could search for minutes in an unlucky name: anchor it with ^,"
            " use fewer of * + ? {} and none inside another, or possessive ones (*+, ++)"
        )
    return compiled


def ways(pattern: str) -> int:
    """An upper bound of the ways that a search of `pattern` in a longest name may try; capped."""
    items = list(_parser.parse(pattern))
    anchored = bool(items) and str(items[0][0]) == "AT" and str(items[0][1]).startswith("AT_BEGINNING")
    starts = 1 if anchored else NAME_CHARACTERS_MAX
    return _capped(starts * _sequence_ways(items, END))


# What can stand at a place of a name, as a set: the octets of ASCII one by one, all other characters
# together, and the end of the name. Sets are unions of what is possible, so they may be too large, never
# too small.

_FOLDED_FROM_OTHERS: Final = "iIkKsS"
"""The dotted and dotless i, the Kelvin sign and the long s equal these when case does not count."""

Characters = frozenset[int]
Items = Sequence[tuple[Any, Any]]

OTHER: Final = 128
END_MARK: Final = 129
END: Final[Characters] = frozenset((END_MARK,))
ANY_CHARACTER: Final[Characters] = frozenset(range(OTHER + 1))
ANYTHING: Final[Characters] = ANY_CHARACTER | END


def _character(code: int) -> Characters:
    """One literal, in every case: the flags may say that case does not count."""
    letter = chr(code)
    cases = {letter, *letter.lower(), *letter.upper()}
    others = {OTHER} if letter in _FOLDED_FROM_OTHERS else set()
    return frozenset({min(ord(case), OTHER) for case in cases} | others)


def _class(members: Items) -> Characters:
    """What a [set] may match; a negated one, and one with categories, counts as anything but END."""
    result: Characters = frozenset()
    for kind, value in members:
        if str(kind) == "LITERAL":
            result |= _character(value)
        elif str(kind) == "RANGE":
            low, high = value
            result |= frozenset().union(*(_character(code) for code in range(low, min(high, OTHER) + 1)))
            result |= frozenset((OTHER,)) if high >= OTHER else frozenset()
        elif str(kind) == "NEGATE":
            return ANY_CHARACTER - _certain(members[1:])
        else:
            return ANY_CHARACTER
    return result


def _certain(members: Items) -> Characters:
    """What a [set] matches for certain, whatever the flags: its ASCII literals."""
    return frozenset(value for kind, value in members if str(kind) == "LITERAL" and value < OTHER)


def _first(items: Items, follow: Characters) -> Characters:
    """What may stand where `items` begin, if `follow` may stand behind them."""
    result: Characters = frozenset()
    for item in items:
        begin, nullable = _item_first(item)
        result |= begin
        if not nullable:
            return result
    return result | follow


def _item_first(item: tuple[Any, Any]) -> tuple[Characters, bool]:
    """What one item may begin with, and whether it may match nothing."""
    kind, value = str(item[0]), item[1]
    if kind == "LITERAL":
        return _character(value), False
    if kind == "IN":
        return _class(value), False
    if kind == "NOT_LITERAL":
        return ANY_CHARACTER - _certain([("LITERAL", value)]), False
    if kind == "ANY":
        return ANY_CHARACTER, False
    if kind == "AT" and str(value) in ("AT_END", "AT_END_STRING"):
        return END, False  # before a newline that ends the name as well, which adds one place only
    if kind == "SUBPATTERN":
        return _nullable_first(value[-1])
    if kind == "ATOMIC_GROUP":
        return _nullable_first(value)
    if kind == "BRANCH":
        firsts = [_nullable_first(branch) for branch in value[1]]
        return frozenset().union(*(first for first, _ in firsts)), any(empty for _, empty in firsts)
    if kind in REPEATS:
        begin, nullable = _nullable_first(value[2])
        return begin, nullable or value[0] == 0
    return ANYTHING, True  # lookarounds, references, other anchors: nothing is known


_EMPTY: Final = -1


def _nullable_first(items: Items) -> tuple[Characters, bool]:
    result = _first(items, frozenset((_EMPTY,)))
    return result - {_EMPTY}, _EMPTY in result


# Counting.

CAP: Final = WAYS_MAX * 1000
REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


def _capped(count: int) -> int:
    return min(count, CAP)


def _sequence_ways(items: Items, follow: Characters) -> int:
    """The ways of items one behind the other, `follow` being what may stand behind the last."""
    result = 1
    for index, (kind, value) in enumerate(items):
        count = COUNTERS.get(str(kind))
        if count is not None:
            result = _capped(result * count(value, _first(items[index + 1 :], follow)))
    return result


def _repeat_ways(value: Any, follow: Characters) -> int:
    least, most, body = value
    begin, nullable = _nullable_first(body)
    inner = _sequence_ways(body, begin | follow)
    most = min(int(most), NAME_CHARACTERS_MAX)
    if inner > 1:
        return CAP if most > 64 else _capped(inner**most * (most + 1))
    if nullable or begin & follow:
        return most - min(int(least), most) + 1
    return 1


def _possessive_ways(value: Any, follow: Characters) -> int:
    """Once through it there is no way back in; only finding the way counts."""
    return _sequence_ways(value[2], ANYTHING)


def _branch_ways(value: Any, follow: Characters) -> int:
    """Alternatives that begin differently are no choice."""
    counts = [_sequence_ways(branch, follow) for branch in value[1]]
    firsts = [_first(branch, follow) for branch in value[1]]
    distinct = sum(len(first) for first in firsts) == len(frozenset().union(*firsts))
    return max(counts) if distinct else _capped(sum(counts))


def _conditional_ways(value: Any, follow: Characters) -> int:
    _, yes, no = value
    return _sequence_ways(yes, follow) + _sequence_ways(no or [], follow)


COUNTERS: Final[dict[str, Callable[[Any, Characters], int]]] = {
    "ASSERT": lambda value, _: _sequence_ways(value[1], ANYTHING),
    "ASSERT_NOT": lambda value, _: _sequence_ways(value[1], ANYTHING),
    "ATOMIC_GROUP": lambda value, _: _sequence_ways(value, ANYTHING),
    "BRANCH": _branch_ways,
    "GROUPREF_EXISTS": _conditional_ways,
    "MAX_REPEAT": _repeat_ways,
    "MIN_REPEAT": _repeat_ways,
    "POSSESSIVE_REPEAT": _possessive_ways,
    "SUBPATTERN": lambda value, follow: _sequence_ways(value[-1], follow),
}
"""What has more than one way, and how many; what is not here has one."""
