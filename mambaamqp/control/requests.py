"""One request and its reply, as lines of JSON.

A request is an object with `command` and what that needs; a reply is any number of `{"row": {…}}` and at last
`{"done": {…}}` or `{"error": "…", "reason": "not_found"}`. Refuses to know commands.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from mambaamqp.errors import Fault, MambaError, PreconditionFailed

REQUEST_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of one line. Definitions come in portions of some hundred entries."""

Row = dict[str, Any]


class Request:
    """What somebody asks; each accessor says what is wrong with a value (406)."""

    def __init__(self, command: str, values: dict[str, Any]) -> None:
        self.command = command
        self.values = values
        self.read: set[str] = set()

    def text(self, key: str, default: str | None = None) -> str:
        """Text; required without a default."""
        return str(self._value(key, str, "text", default))

    def flag(self, key: str) -> bool:
        """True or false; false if it is not given."""
        return bool(self._value(key, bool, "true or false", False))

    def object(self, key: str) -> dict[str, Any]:
        """An object; required."""
        found: dict[str, Any] = self._value(key, dict, "an object", None)
        return found

    def texts(self, key: str) -> list[str]:
        """A list of texts; empty if it is not given."""
        found: list[str] = self._value(key, list, "a list of texts", [])
        if not all(isinstance(item, str) for item in found):
            raise PreconditionFailed(f"{key} must be a list of texts")
        return found

    def number(self, key: str) -> float | None:
        """A number of bytes or a fraction; None, or not given, stands for the configuration's."""
        value = self.values.get(key)
        self.read.add(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 63:
            raise PreconditionFailed(f"{key} must be a number that is not negative")
        return value

    def _value(self, key: str, kind: type, noun: str, default: Any) -> Any:
        self.read.add(key)
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if value is None:
            raise PreconditionFailed(f"{self.command} needs {key}")
        if not isinstance(value, kind):
            raise PreconditionFailed(f"{key} must be {noun}")
        return value

    def check_all_read(self) -> None:
        """406 for what nobody asked for: it would have been meant to do something."""
        strange = sorted(self.values.keys() - self.read)
        if strange:
            raise PreconditionFailed(f"{self.command} does not know {', '.join(strange)}")


def parse(line: bytes) -> Request:
    """A request out of a line; 406 for what is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise PreconditionFailed("a request must be one line of JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("command"), str):
        raise PreconditionFailed("a request must be an object with a command")
    command = found.pop("command")
    return Request(command, found)


class Reply:
    """What comes back: rows and a result, or an error, once the journal is safe up to `position`."""

    def __init__(self, rows: Iterator[Row] | None = None, done: Row | None = None) -> None:
        self.rows: Iterator[Row] = iter(()) if rows is None else rows
        self.done: Row = {} if done is None else done
        self.error: Row | None = None
        self.position = 0

    def lines(self) -> Iterator[bytes]:
        """The reply as it is sent, row by row."""
        if self.error is not None:
            yield _line(self.error)
            return
        for row in self.rows:
            yield _line({"row": row})
        yield _line({"done": self.done})


def refusal(error: MambaError) -> Reply:
    """The reply that something cannot be done."""
    reply = Reply()
    reason = error.name.lower() if isinstance(error, Fault) else "failed"
    reply.error = {"error": " ".join(str(error).split()), "reason": reason}
    return reply


def _line(value: Row) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"
