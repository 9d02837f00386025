"""mambaamqp/broker/selectors/grammar.py: which tuples there are, and of what kinds their parts."""

import pytest

from mambaamqp.broker.selectors.reading import read
from mambaamqp.errors import PreconditionFailed

X = "{'ident',<<\"x\">>}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{'foo',1}.", "there is no operator 'foo' with 1 operands"),
        ("{'=',1}.", "there is no operator '=' with 1 operands"),
        ("{1,2}.", "a tuple must begin with the name of an operator"),
        ("5.", "there must be a condition where there is a number"),
        ('<<"x">>.', "there must be a condition where there is text"),
        ("'no_escape'.", "there must be a condition where there is the atom 'no_escape'"),
        ("[<<>>].", "there must be a condition where there is a list"),
        ("{'range',1,2}.", "there must be a condition where there is a range"),
        ("{'and',1,'true'}.", "there must be a condition where there is a number"),
        ("{'=',1,<<>>}.", "there must be a number where there is text"),
        ("{'>',{'=',1,1},1}.", "there must be a condition where there is a number"),
        (f"{{'=',{{'+',{X},<<>>}},1}}.", "there must be a number where there is text"),
        (f"{{'between',{X},{{'range',1,<<>>}}}}.", "there must be a number where there is text"),
        (f"{{'between',{X},5}}.", "there must be a range behind 'between'"),
        ("{'between','true',1,2}.", "there must be a number where there is a condition"),
        (f"{{'in',{X},1}}.", "there must be a list behind 'in'"),
        (f"{{'in',{X},[1]}}.", "there must be a literal text"),
        ("{'in',1,[<<>>]}.", "there must be text where there is a number"),
        (f"{{'like',{X},{X},no_escape}}.", "there must be a literal text"),
        (f"{{'like',{X},<<>>,escape}}.", "there must be a literal text"),
        (f"{{'like',{X},<<>>,<<>>}}.", "the escape of LIKE must be one character"),
        ("{'ident',x}.", "there must be a literal text"),
    ],
)
def test_what_makes_no_sense_is_406(text: str, reason: str) -> None:
    """Before any message has come."""
    with pytest.raises(PreconditionFailed) as caught:
        read(text)
    assert str(caught.value).startswith(f"invalid JMS selector pattern: {reason}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{{'between',{X},{{'range',1,9}}}}.", True),
        (f"{{between,{X},1,9}}.", True),
        (f"{{'not_between',{X},{{'range',1,9}}}}.", False),
        (f"{{'=',{{'-',{X}}},-5}}.", True),
        (f"{{'=',{{'+',{X}}},5}}.", True),
        (f"{{'not_null',{X}}}.", True),
        (f"{{'is_null',{X}}}.", False),
        ('{\'in\',{\'ident\',<<"t">>},[<<"a">>,<<"text">>]}.', True),
        ("{'not_in',{'ident',<<\"t\">>},[<<\"a\">>]}.", True),
        ("{'like',{'ident',<<\"t\">>},<<\"t%_\">>,'no_escape'}.", True),
        ('{\'not_like\',{\'ident\',<<"t">>},<<"t!%">>,<<"!">>}.', True),
        (f"{{'like',{X},<<\"5\">>,no_escape}}.", None),
        (X + ".", 5),
    ],
)
def test_every_operator(text: str, expected: object) -> None:
    """As the client writes it, in both notations of a range."""
    assert read(text).evaluate({"x": 5, "t": "text"}) == expected
