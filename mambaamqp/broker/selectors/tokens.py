"""The text of an Erlang term, cut into tokens: as much of Erlang's notation as selectors need.

Marks `{ } [ ] , .`, atoms with and without quotes, octets as `<<"text">>`, integers of 64 bits and floats.
What else Erlang has (comments, variables, other bases, the rarer escapes) is refused.
"""

import re
from typing import Final

from mambaamqp.errors import PreconditionFailed

CHARACTERS_MAX: Final = 32_768
"""Of a selector; what people write has some hundreds."""
NUMBER_CHARACTERS_MAX: Final = 64
INTEGER_MIN: Final = -(1 << 63)
INTEGER_MAX: Final = (1 << 63) - 1

ATOM: Final = "atom"
TEXT: Final = "text"
NUMBER: Final = "number"
END: Final = "the end"

# Possessive all through: no text makes it search twice.
_TOKEN: Final = re.compile(
    r"""(?P<mark>[{}\[\],.])
      | '(?P<quoted>[^'\\]*+)'
      | (?P<bare>[a-z][a-zA-Z0-9_@]*+)
      | <<\s*+(?:"(?P<text>(?:[^"\\]|\\.)*+)"\s*+)?+>>
      | (?P<number>[-+]?+[0-9]++(?:\.[0-9]++(?:[eE][-+]?+[0-9]++)?+)?+)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_BLANK: Final = re.compile(r"\s*+")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final[dict[str, str]] = {
    '"': '"',
    "'": "'",
    "\\": "\\",
    "b": "\b",
    "d": "\x7f",
    "e": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "s": " ",
    "t": "\t",
    "v": "\v",
}


def refused(reason: str) -> PreconditionFailed:
    """RabbitMQ's refusal of a selector."""
    return PreconditionFailed(f"invalid JMS selector pattern: {reason}")


class Token:
    """`kind` is ATOM, TEXT, NUMBER, END or the mark itself; `text` its content; `at` where it begins."""

    __slots__ = ("at", "kind", "text")

    def __init__(self, kind: str, text: str, at: int) -> None:
        self.kind = kind
        self.text = text
        self.at = at

    def __str__(self) -> str:
        return f"{self.kind if self.kind == END else repr(self.text)} at {self.at}"


class Tokens:
    """The tokens of a text, one after the other; 406 for a text that is too long."""

    def __init__(self, text: str) -> None:
        if len(text) > CHARACTERS_MAX:
            raise refused(f"{len(text)} characters, at most {CHARACTERS_MAX} are read")
        self.text = text
        self.at = 0

    def next(self) -> Token:
        """The next one, END behind the last; 406 for what is none."""
        blank = _BLANK.match(self.text, self.at)
        start = blank.end() if blank is not None else self.at
        if start == len(self.text):
            return Token(END, "", start)
        found = _TOKEN.match(self.text, start)
        if found is None:
            raise refused(f"{self.text[start : start + 20]!r} at {start} is not understood")
        self.at = found.end()
        return _token(found, start)


def _token(found: re.Match[str], start: int) -> Token:
    kind = found.lastgroup
    if kind is None:
        return Token(TEXT, "", start)
    text: str = found[kind]
    if kind == "mark":
        return Token(text, text, start)
    if kind == "text":
        return Token(TEXT, _ESCAPE.sub(_unescaped, text), start)
    return Token(NUMBER if kind == "number" else ATOM, text, start)


def _unescaped(found: re.Match[str]) -> str:
    character = _ESCAPED.get(found[1])
    if character is None:
        raise refused(f"the escape {found[0]!r} is not understood")
    return character


def number_of(token: Token) -> int | float:
    """The number that a token stands for; 406 for one that 64 bits do not hold."""
    text = token.text
    if len(text) > NUMBER_CHARACTERS_MAX:
        raise refused(f"the number at {token.at} is too long")
    if "." in text:
        double = float(text)
        if double - double != 0:
            raise refused(f"the number at {token.at} is too large")
        return double
    integer = int(text)
    if not INTEGER_MIN <= integer <= INTEGER_MAX:
        raise refused(f"the number at {token.at} is too large")
    return integer
