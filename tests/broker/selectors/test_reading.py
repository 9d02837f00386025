"""mambaamqp/broker/selectors/reading.py: texts in, expressions out, and no text that takes long."""

from time import process_time
from typing import Any

import pytest
from hypothesis import given

from mambaamqp.broker.selectors.reading import TERMS_MAX, read
from mambaamqp.errors import PreconditionFailed
from tests.broker.selectors import terms


@given(terms.conditions, terms.headers)
def test_as_the_model_says(term: Any, headers: dict[str, Any]) -> None:
    """Three-valued logic, comparisons, arithmetic and patterns, nested as they come."""
    found = read(terms.text(term)).evaluate(headers)
    expected = terms.meaning(term, headers)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the end at 0 where a term should begin"),
        ("{'not',", "the end at 7 where a term should begin"),
        ("{'not','true'", "the end at 13 where '{' at 0 should end or go on"),
        ("{'not','true'].", "']' at 13 where '{' at 0 should end or go on"),
        ("{}.", "'}' at 1 where a term should begin"),
        ("[].", "']' at 1 where a term should begin"),
        ("'true'", "the end at 6 where '.' should be"),
        ("'true'. 'true'.", "'true' at 8 behind it"),
        ("{'not' 'true'}.", "'true' at 7 where '{' at 0 should end or go on"),
        (",", "',' at 0 where a term should begin"),
    ],
)
def test_what_is_no_term_is_406(text: str, reason: str) -> None:
    """With what stands where."""
    with pytest.raises(PreconditionFailed) as caught:
        read(text)
    assert str(caught.value) == f"invalid JMS selector pattern: {reason}"


def test_hundreds_of_conditions_are_one_chain() -> None:
    """Nested to the right, as the client does."""
    one = "{'=',{'ident',<<\"x\">>},1}"
    text = f"{{'or',{one}," * 500 + "'false'" + "}" * 500 + "."
    assert read(text).evaluate({"x": 1}) is True


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{" * 30_000, "more than 4096 terms"),
        ("{'in',{'ident',<<>>},[" + "<<>>," * TERMS_MAX, "more than 4096 terms"),
        ("{'not'," * 2000 + "'true'" + "}" * 2000 + ".", "nested deeper than 100 levels"),
    ],
)
def test_bounds(text: str, reason: str) -> None:
    """Count and depth, without a stack that grows with them."""
    began = process_time()
    with pytest.raises(PreconditionFailed, match=reason):
        read(text)
    assert process_time() - began < 10
