"""mambaamqp/broker/selectors/selector.py: a message is selected or not."""

from typing import Any

import pytest

from mambaamqp.broker.selectors.selector import Selector
from mambaamqp.errors import PreconditionFailed


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), (False, False), ("true", False), (1, False), (None, False)]
)
def test_only_true_selects(value: Any, expected: bool) -> None:
    """Neither unknown nor another value does."""
    assert Selector("{'ident',<<\"x\">>}.").selects({"x": value}) is expected


def test_a_text_that_is_none_is_406() -> None:
    """At the binding, not with the first message."""
    with pytest.raises(PreconditionFailed):
        Selector("colour = 'blue'")
