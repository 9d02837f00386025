"""mambaamqp/broker/terms.py: how RabbitMQ would print it."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.broker.terms import plain, term
from mambaamqp.wire.table import Timestamp

SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats()
    | st.text()
    | st.binary()
    | st.integers(0, (1 << 64) - 1).map(Timestamp)
    | st.decimals(0, 1 << 32, places=3)
)
VALUES = st.recursive(
    SIMPLE, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner), max_leaves=20
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "undefined"),
        (True, "true"),
        (False, "false"),
        (-5, "-5"),
        (1.5, "1.5"),
        (1e20, "1.0e20"),
        (1.25e-7, "1.25e-7"),
        ("foo", '<<"foo">>'),
        ("", "<<>>"),
        ("é", '<<"é"/utf8>>'),
        ('a"\\', '<<"a\\"\\\\">>'),
        ("a\0", "<<97,0>>"),
        (b"foo", '<<"foo">>'),
        (b"\xff", "<<255>>"),
        (Timestamp(7), "7"),
        (Decimal("1.5"), "{1,15}"),
        ([], "[]"),
        ([1, "a"], '[{signedint,1},{longstr,<<"a">>}]'),
        ([1 << 40, None], "[{long,1099511627776},{void,undefined}]"),
        ({"a": True, "b": [1.0]}, '[{<<"a">>,bool,true},{<<"b">>,array,[{double,1.0}]}]'),
    ],
)
def test_values_are_erlang_terms(value: Any, text: str) -> None:
    """As they stand in RabbitMQ's reply texts."""
    assert term(value) == text


def test_text_between_quotes_is_itself() -> None:
    """`received 'foo'`, but `received '[…]'`."""
    assert plain("foo") == "foo"
    assert plain("") == ""
    assert plain(True) == "true"
    assert plain([1]) == "[{signedint,1}]"


@given(VALUES)
def test_any_value_has_a_text(value: Any) -> None:
    """Whatever a client sends is answered, in characters that can be encoded."""
    assert term(value).encode()
