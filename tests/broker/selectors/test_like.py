"""mambaamqp/broker/selectors/like.py: the whole text, in time that grows with it and no faster."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.broker.selectors.like import CHARACTERS_MAX, LikePattern
from mambaamqp.errors import PreconditionFailed
from tests.broker.selectors.terms import like, patterns


@pytest.mark.parametrize(
    ("pattern", "escape", "matching", "others"),
    [
        ("abc", None, ["abc"], ["", "ab", "abcd", "xabc", "ABC"]),
        ("", None, [""], ["a"]),
        ("%", None, ["", "a", "line\nline"], []),
        ("a%", None, ["a", "ab"], ["", "ba"]),
        ("%a", None, ["a", "ba", "aa"], ["ab"]),
        ("%a%b%", None, ["ab", "xaxbx"], ["ba"]),
        ("a_c", None, ["abc", "aéc"], ["ac", "abbc"]),
        ("_%_", None, ["ab", "abc"], ["a"]),
        ("a.c*", None, ["a.c*"], ["abcc"]),
        ("50\\%", "\\", ["50%"], ["50", "500", "50\\%"]),
        ("a!_!!", "!", ["a_!"], ["ab!"]),
        ("a!", "!", ["a!"], ["a"]),
    ],
)
def test_patterns(pattern: str, escape: str | None, matching: list[str], others: list[str]) -> None:
    """Nothing is special but % and _ and the escape; an escape at the end is itself."""
    compiled = LikePattern(pattern, escape)
    assert [text for text in matching + others if compiled.matches(text)] == matching


@given(patterns, st.none() | st.just("\\"), st.text("ab%_\\", max_size=8))
def test_as_trying_every_way(pattern: str, escape: str | None, text: str) -> None:
    """The automaton agrees with the definition."""
    assert LikePattern(pattern, escape).matches(text) == like(text, pattern, escape)


@pytest.mark.parametrize("escape", ["", "ab"])
def test_an_escape_is_one_character(escape: str) -> None:
    """406."""
    with pytest.raises(PreconditionFailed, match="one character"):
        LikePattern("a", escape)


def test_a_long_pattern_is_406() -> None:
    """Before anything is made of it."""
    with pytest.raises(PreconditionFailed, match="1025 characters, at most 1024"):
        LikePattern("%" * (CHARACTERS_MAX + 1), None)


def test_no_pattern_takes_long() -> None:
    """A second at the very worst, where a search that goes back would take years."""
    pattern = LikePattern("%a_" * 300 + "b", None)
    began = process_time()
    assert not pattern.matches("a" * 131_072)
    assert process_time() - began < 10
