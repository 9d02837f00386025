"""Logging: one record, one line (and its traceback), to standard error, as text or as JSON.

Knows formats and levels. Refuses to know what is logged, and never shows a Secret: its text is *** however
it is formatted. Names come from clients, so control characters in a message are escaped: no client can
forge a second line or steer a terminal.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

from mambaamqp.config import LogConfig

ROOT: Final = "mambaamqp"
"""The logger that all of ours hang under."""

TEXT_FORMAT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROL_EXCEPT_NEWLINE: Final = {code: text for code, text in _CONTROL.items() if code not in (9, 10)}


class TextFormatter(logging.Formatter):
    """A line for people; a traceback follows on lines of its own."""

    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__(TEXT_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # logging's own name
        record.message = record.message.translate(_CONTROL)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        return super().formatException(ei).translate(_CONTROL_EXCEPT_NEWLINE)  # type: ignore[arg-type]


class JsonFormatter(logging.Formatter):
    """One object a line: time (RFC 3339, UTC), level, logger, message, and exception if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


FORMATTERS: Final = {"text": TextFormatter, "json": JsonFormatter}


def configure(config: LogConfig, stream: TextIO | None = None) -> None:
    """Send our loggers' records of `config.level` and above to `stream` (standard error); call it again to
    change. Other libraries' records are left to whoever embeds us."""
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(FORMATTERS[config.format]())
    logger = logging.getLogger(ROOT)
    logger.handlers[:] = [handler]
    logger.setLevel(config.level.upper())
    logger.propagate = False
