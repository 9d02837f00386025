"""docs/limits.md: every limit is there, with the default that the code has."""

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from mambaamqp.config import Config
from mambaamqp.config.describe import literal
from mambaamqp.config.load import SECTIONS

PAGE = (Path(__file__).parents[1] / "docs" / "limits.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|", PAGE, re.MULTILINE))

LISTED = {
    "limits": [field.name for field in attrs.fields(SECTIONS["limits"])],
    "listener": [
        field.name for field in attrs.fields(SECTIONS["listener"]) if field.name not in ("host", "port")
    ],
    "protocol": [field.name for field in attrs.fields(SECTIONS["protocol"])],
}
"""Section → the keys that are limits; an address is none."""


@pytest.mark.parametrize("key", [f"{section}.{name}" for section, names in LISTED.items() for name in names])
def test_every_limit_is_on_the_page_with_its_default(key: str) -> None:
    """A reader can trust the page."""
    section, name = key.split(".")
    default: Any = getattr(getattr(Config(), section), name)

    assert ROWS.get(key) == literal(default)


def test_the_page_names_no_limit_that_is_not_there() -> None:
    """A key that was renamed or dropped leaves the page too."""
    assert set(ROWS) == {f"{section}.{name}" for section, names in LISTED.items() for name in names}
