"""mambaamqp.config.describe: the described file is the defaults."""

import tomllib
from pathlib import Path

import attrs
import pytest

from mambaamqp.config import Config, parse
from mambaamqp.config.describe import annotated, literal
from mambaamqp.config.load import ENTRIES, SECTIONS
from mambaamqp.config.secret import Secret


def test_described_file_equals_the_defaults() -> None:
    """Reading the file back changes nothing."""
    assert parse(tomllib.loads(annotated()), "described") == Config()


def test_described_file_has_every_key() -> None:
    """No key is left out."""
    document = tomllib.loads(annotated())

    assert {*document} == {*SECTIONS, *ENTRIES}
    for name, cls in SECTIONS.items():
        assert [*document[name]] == [field.name for field in attrs.fields(cls)]


def test_described_file_is_the_one_in_conf() -> None:
    """conf/mambaamqp.toml is what `mambaamqp show-config` prints."""
    conf = Path(__file__).parents[2] / "conf" / "mambaamqp.toml"

    assert conf.read_text(encoding="utf-8") == annotated()


def test_lines_fit() -> None:
    """No line is wider than a hundred characters."""
    assert max(map(len, annotated().splitlines())) <= 100


def test_a_secret_is_not_described() -> None:
    """A default that is a secret would be a mistake."""
    with pytest.raises(TypeError):
        literal(Secret("x"))


def test_literals_are_toml() -> None:
    """Every type of default reads back as itself."""
    for value in (True, 5, 0.5, 'a"b\\c', ["x", "y"]):
        shown = literal(tuple(value) if isinstance(value, list) else value)
        assert tomllib.loads(f"key = {shown}")["key"] == value
