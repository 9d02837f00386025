"""From the text of a selector to its expression, in one go from left to right.

Open tuples and lists stand on a stack of their own, and each becomes a part when it is closed, when all that
is in it has become one: there is no recursion, and no tree of terms in between.
"""

from typing import Final

from mambaamqp.broker.selectors import grammar
from mambaamqp.broker.selectors.expression import Expression, Literal
from mambaamqp.broker.selectors.grammar import Part
from mambaamqp.broker.selectors.tokens import ATOM, END, NUMBER, TEXT, Token, Tokens, number_of, refused

TERMS_MAX: Final = 4096
"""Atoms, texts, numbers, tuples and lists of a selector; a comparison has six."""
CLOSING: Final = {"{": "}", "[": "]"}


class Bracket:
    """A tuple or a list that is open, with what is in it so far."""

    def __init__(self, opening: Token) -> None:
        self.opening = opening
        self.parts: list[Part] = []

    def closed(self, token: Token) -> Part:
        """What it is, with this token at its end."""
        if token.kind != CLOSING[self.opening.kind]:
            raise refused(f"{token} where {self.opening} should end or go on")
        return grammar.items(self.parts) if token.kind == "]" else grammar.compound(self.parts)


def read(text: str) -> Expression:
    """The condition that a selector's text stands for; 406 where it stands for none."""
    tokens = Tokens(text)
    brackets: list[Bracket] = []
    for _ in range(TERMS_MAX):
        token = tokens.next()
        if token.kind in CLOSING:
            brackets.append(Bracket(token))
            continue
        part = _close(tokens, brackets, _leaf(token))
        if part is not None:
            return grammar.condition(part)
    raise refused(f"more than {TERMS_MAX} terms")


def _leaf(token: Token) -> Part:
    if token.kind == ATOM:
        return grammar.atom(token.text)
    if token.kind == TEXT:
        return Literal(token.text)
    if token.kind == NUMBER:
        return Literal(number_of(token))
    raise refused(f"{token} where a term should begin")


def _close(tokens: Tokens, brackets: list[Bracket], part: Part) -> Part | None:
    """Put a part where it belongs, and close what ends behind it; the part of parts if that was all."""
    while brackets:
        brackets[-1].parts.append(part)
        token = tokens.next()
        if token.kind == ",":
            return None
        part = brackets.pop().closed(token)
    _end(tokens)
    return part


def _end(tokens: Tokens) -> None:
    for expected in (".", END):
        token = tokens.next()
        if token.kind != expected:
            raise refused(
                f"{token} where {expected!r} should be" if expected == "." else f"{token} behind it"
            )
