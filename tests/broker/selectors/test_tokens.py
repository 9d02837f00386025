"""mambaamqp/broker/selectors/tokens.py: Erlang's notation, as far as selectors go."""

import pytest

from mambaamqp.broker.selectors.tokens import ATOM, CHARACTERS_MAX, END, NUMBER, TEXT, Tokens, number_of
from mambaamqp.errors import PreconditionFailed


def all_of(text: str) -> list[tuple[str, str]]:
    """Kinds and contents, without the end."""
    tokens = Tokens(text)
    found = []
    while (token := tokens.next()).kind != END:
        found.append((token.kind, token.text))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n{ } [ ],.", [(mark, mark) for mark in "{}[],."]),
        ("'is_null' true 'a b'", [(ATOM, "is_null"), (ATOM, "true"), (ATOM, "a b")]),
        ('<<"">><<>> << "x" >>', [(TEXT, ""), (TEXT, ""), (TEXT, "x")]),
        (r'<<"say \"\\\" é%">>', [(TEXT, 'say "\\" é%')]),
        (r'<<"a\n\tb\s">>', [(TEXT, "a\n\tb ")]),
        (
            "-5+5 1.5E-3 0.0.",
            [(NUMBER, "-5"), (NUMBER, "+5"), (NUMBER, "1.5E-3"), (NUMBER, "0.0"), (".", ".")],
        ),
    ],
)
def test_what_is_read(text: str, expected: list[tuple[str, str]]) -> None:
    """Blanks between tokens mean nothing."""
    assert all_of(text) == expected


@pytest.mark.parametrize(
    "text", ["'open", '<<"open', '"text"', "Variable", "$a", "% remark", "<<1,2>>", "\ud800"]
)
def test_what_is_not_understood_is_406(text: str) -> None:
    """With the place where it stands."""
    with pytest.raises(
        PreconditionFailed, match=r"^invalid JMS selector pattern: .* at 1 is not understood$"
    ):
        all_of(" " + text)


def test_rare_escapes_are_406() -> None:
    """Rather than read as something else."""
    with pytest.raises(PreconditionFailed, match="the escape"):
        all_of(r'<<"\x41">>')


def test_a_long_text_is_406_before_it_is_read() -> None:
    """Its length is known."""
    with pytest.raises(PreconditionFailed, match="32769 characters, at most 32768"):
        Tokens("?" * (CHARACTERS_MAX + 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)), ("1.0E300", 1e300), ("+1", 1)],
)
def test_numbers(text: str, expected: float) -> None:
    """Integers of 64 bits, doubles."""
    assert number_of(Tokens(text).next()) == expected


@pytest.mark.parametrize("text", ["9223372036854775808", "1.0E400", "1" * 65])
def test_numbers_that_do_not_fit_are_406(text: str) -> None:
    """Nothing is rounded in silence."""
    with pytest.raises(PreconditionFailed, match="too l"):
        number_of(Tokens(text).next())
