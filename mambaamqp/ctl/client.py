"""Ask a running broker over its control socket: one request, its rows and its result.

Knows lines of JSON and sockets; refuses to know commands. What goes wrong is one clear line.
"""

import json
import socket
from pathlib import Path
from typing import Any

from mambaamqp.config.socket_name import reachable
from mambaamqp.errors import MambaError

TIMEOUT_SECONDS = 60.0

Row = dict[str, Any]


class ControlError(MambaError):
    """The broker cannot be asked, or refuses; `reason` is its word for why, "unreachable" without any."""

    def __init__(self, text: str, reason: str = "unreachable") -> None:
        super().__init__(text)
        self.reason = reason


class ControlClient:
    """A connection to the control socket at `path`; ControlError when no broker listens there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = _connect(path)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, command: str, **values: Any) -> Row:
        """The result of a request that has no rows."""
        return self.ask_rows(command, [], **values)

    def ask_rows(self, command: str, rows: list[Row], /, **values: Any) -> Row:
        """The result of a request; its rows are added to `rows`."""
        request = {"command": command, **{key: value for key, value in values.items() if value is not None}}
        try:
            self._socket.sendall(json.dumps(request, ensure_ascii=False).encode() + b"\n")
            for line in self._lines:
                reply = json.loads(line)
                if "row" in reply:
                    rows.append(reply["row"])
                elif "error" in reply:
                    raise ControlError(reply["error"], reply.get("reason", "failed"))
                else:
                    done: Row = reply["done"]
                    return done
        except OSError as error:
            raise ControlError(f"{self._path}: {error.strerror or error}") from None
        raise ControlError(f"{self._path}: the broker has closed the connection")


def _connect(path: Path) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise ControlError("this system has no Unix-domain sockets")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(TIMEOUT_SECONDS)
    try:
        with reachable(path) as name:
            sock.connect(name)
    except OSError as error:
        sock.close()
        raise ControlError(f"no broker listens at {path}: {(error.strerror or str(error)).lower()}") from None
    return sock
