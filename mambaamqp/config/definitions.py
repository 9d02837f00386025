"""A file of definitions, read: RabbitMQ's JSON, whose content `broker.definitions` judges."""

import json
from pathlib import Path
from typing import Any, Final

from mambaamqp.errors import ConfigError

FILE_BYTES_MAX: Final = 256 * 1024 * 1024
"""A million queues take less."""


def read_definitions(path: Path) -> dict[str, Any]:
    """The object in the file; ConfigError, on one line, for what is none."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: larger than {FILE_BYTES_MAX} bytes")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: must hold one JSON object")
    return document
