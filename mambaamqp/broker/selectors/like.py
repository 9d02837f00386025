"""LIKE: `%` stands for any characters, `_` for one, an escape character for the literal one behind it.

Theory of operation. A pattern of m places is an automaton with m + 1 states, kept as the bits of one integer:
bit i says that the text so far may be the first i places. A character moves those bits up by one whose place
takes it, and leaves those where a `%` stands. So a text of n characters costs n steps on an integer of m
bits, whatever the pattern; nothing is ever tried twice. The whole text must match.
"""

from typing import Final

from mambaamqp.broker.selectors.tokens import refused

CHARACTERS_MAX: Final = 1024
"""Of a pattern: it is the width of the integer."""
ANY: Final = "%"
ONE: Final = "_"


class LikePattern:
    """One pattern, ready to match; 406 for one that is too long, or an escape that is not one character."""

    def __init__(self, pattern: str, escape: str | None) -> None:
        if len(pattern) > CHARACTERS_MAX:
            raise refused(f"a LIKE pattern of {len(pattern)} characters, at most {CHARACTERS_MAX} are read")
        if escape is not None and len(escape) != 1:
            raise refused("the escape of LIKE must be one character")
        self.takers: dict[str, int] = {}
        """Character → the states that it leads to."""
        self.ones = 0
        """The states that any character leads to."""
        self.stays = 0
        """The states that any character leaves as they are: a `%` comes next."""
        self.end = 1
        self._read(pattern, escape)

    def _read(self, pattern: str, escape: str | None) -> None:
        at = 0
        while at < len(pattern):
            character = pattern[at]
            at += 1
            if character == escape and at < len(pattern):
                self._place(pattern[at])
                at += 1
            elif character == ANY:
                self.stays |= self.end
            elif character == ONE:
                self.end <<= 1
                self.ones |= self.end
            else:
                self._place(character)

    def _place(self, character: str) -> None:
        self.end <<= 1
        self.takers[character] = self.takers.get(character, 0) | self.end

    def matches(self, text: str) -> bool:
        """Whether the whole text is as the pattern says."""
        states = 1
        for character in text:
            states = (states << 1) & (self.takers.get(character, 0) | self.ones) | states & self.stays
            if not states:
                return False
        return bool(states & self.end)
