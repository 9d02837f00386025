"""mambaamqp/config/definitions.py: a file that holds definitions, or one line that says why not."""

from pathlib import Path

import pytest

from mambaamqp.config.definitions import read_definitions
from mambaamqp.errors import ConfigError


def test_an_object_is_read(tmp_path: Path) -> None:
    """As it is."""
    file = tmp_path / "d.json"
    file.write_text('{"users": []}')
    assert read_definitions(file) == {"users": []}


@pytest.mark.parametrize(
    ("content", "reason"), [(b"[]", "one JSON object"), (b"{", "not valid JSON"), (b"\xff", "not valid JSON")]
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """Naming the file."""
    file = tmp_path / "d.json"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=reason) as refusal:
        read_definitions(file)
    assert str(file) in str(refusal.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_definitions(tmp_path / "absent")
