"""mambaamqp.observe.logs: one record, one line; no secret, no forged line."""

import io
import json
import logging

import pytest

from mambaamqp.config import LogConfig, Secret
from mambaamqp.observe import logs


@pytest.fixture(autouse=True)
def restored_logger() -> object:
    """Leave the logger as it was: logging is the process's, not the test's."""
    logger = logging.getLogger(logs.ROOT)
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.level, logger.propagate = before


def lines(config: LogConfig, *records: tuple[int, str, object]) -> list[str]:
    stream = io.StringIO()
    logs.configure(config, stream)
    for level, message, argument in records:
        logging.getLogger("mambaamqp.test").log(level, message, argument)
    return stream.getvalue().splitlines()


def test_text_is_a_line_a_record() -> None:
    """Time, level, logger, message."""
    (line,) = lines(LogConfig(), (logging.INFO, "listening on %s", "::1"))

    assert line.endswith(" INFO    mambaamqp.test: listening on ::1")


def test_json_is_an_object_a_record() -> None:
    """A collector reads every line by itself; the time is UTC."""
    (line,) = lines(LogConfig(format="json"), (logging.WARNING, "disk %d", 5))

    entry = json.loads(line)
    assert {key: entry[key] for key in ("level", "logger", "message")} == {
        "level": "warning",
        "logger": "mambaamqp.test",
        "message": "disk 5",
    }
    assert entry["time"].endswith("+00:00")


def test_levels_below_are_left_out() -> None:
    """The level is the least that is written."""
    records = [(logging.INFO, "a%s", ""), (logging.ERROR, "b%s", "")]

    assert [line[-1] for line in lines(LogConfig(level="warning"), *records)] == ["b"]


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_secret_is_never_written(format: str) -> None:
    """Not as an argument, not inside one, not in the traceback's text."""
    secret = Secret("swordfish")
    stream = io.StringIO()
    logs.configure(LogConfig(format=format), stream)
    logger = logging.getLogger("mambaamqp.test")

    logger.info("login %s %r", secret, {"password": secret})
    try:
        raise ValueError(secret)
    except ValueError:
        logger.exception("failed")

    assert "swordfish" not in stream.getvalue()
    assert "***" in stream.getvalue()


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_client_cannot_forge_a_line(format: str) -> None:
    """Line ends and escapes in a name that a client chose are shown, not obeyed."""
    hostile = "q\n2026-01-01 ERROR all lost\r\x1b[2J\x9b"
    written = lines(LogConfig(format=format), (logging.INFO, "queue %s", hostile))

    assert len(written) == 1
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in written[0])


def test_a_traceback_follows_its_line() -> None:
    """Our own faults are written with where they came from, hostile characters escaped."""
    stream = io.StringIO()
    logs.configure(LogConfig(), stream)
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        logging.getLogger("mambaamqp.test").exception("unexpected")

    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("unexpected")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "ValueError: \\x1b[2J"


def test_configuring_twice_does_not_write_twice() -> None:
    """The second configuration replaces the first."""
    logs.configure(LogConfig(), io.StringIO())

    assert len(lines(LogConfig(), (logging.INFO, "once%s", ""))) == 1
