"""mambaamqp/ctl/table.py: rows for people."""

from typing import Any

import pytest

from mambaamqp.ctl.table import cell, lines


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a b", "a b"),
        ("", ""),
        (None, ""),
        (5, "5"),
        (True, "true"),
        (["a", "b"], "a, b"),
        ([1], "[1]"),
        ({"x": "ü"}, '{"x": "ü"}'),
        ("a\x1b[31m\nb", "a\\x1b[31m\\nb"),
    ],
)
def test_a_value_is_one_line(value: Any, shown: str) -> None:
    """Names come from clients: nothing in them moves a terminal."""
    assert cell(value) == shown


def test_columns_are_as_wide_as_they_need_to_be() -> None:
    """Nothing hangs over at the end of a line."""
    rows = [{"name": "long name", "n": 1}, {"name": "x"}]
    assert list(lines(rows, ("name", "n"))) == ["name       n", "long name  1", "x"]
    assert list(lines([], ("name", "n"))) == ["name  n"]
