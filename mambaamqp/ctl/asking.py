"""What every command of `ctl` needs: whom to ask, how to show the answer, and how to end.

Exit codes: 0 done, 1 the broker refused, 2 wrong usage, 3 no broker could be asked.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from mambaamqp.config import Config
from mambaamqp.ctl import table
from mambaamqp.ctl.client import ControlClient, ControlError, Row

EXIT_REFUSED: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREACHABLE: Final = 3


class Asker:
    """Where to ask, and how to show the answer."""

    def __init__(self, path: Path | None, as_json: bool) -> None:
        self.path = path
        self.as_json = as_json

    def ask(self, command: str, **values: Any) -> Row:
        """One request; whatever goes wrong is one line and the end."""
        return self.ask_rows(command, [], **values)

    def ask_rows(self, command: str, rows: list[Row], /, **values: Any) -> Row:
        """One request with rows."""
        try:
            with self.client() as client:
                return client.ask_rows(command, rows, **values)
        except ControlError as error:
            fail(str(error), EXIT_UNREACHABLE if error.reason == "unreachable" else EXIT_REFUSED)

    def client(self) -> ControlClient:
        """A connection for several requests."""
        if self.path is None:
            fail("the control socket is turned off", EXIT_UNREACHABLE)
        return ControlClient(self.path)

    def show(self, done: Row) -> None:
        """The result of a change: what came of it, if anything did."""
        if self.as_json:
            click.echo(json.dumps(done, ensure_ascii=False))
        elif done:
            click.echo(", ".join(f"{key}: {table.cell(value)}" for key, value in done.items()))


def fail(text: str, code: int) -> NoReturn:
    click.echo(f"mambaamqp: {text}", err=True)
    sys.exit(code)


def parsed(text: str, noun: str) -> dict[str, Any]:
    """A JSON object out of an argument."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{noun} must be a JSON object: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"{noun} must be a JSON object")
    return found


def register(config: Config, socket: Path | None, as_json: bool) -> Asker:
    """Who asks: the socket that was named, or the configuration's."""
    path = socket if socket is not None else config.control.socket_path(config.server.data_dir)
    return Asker(path, as_json)


vhost_option = click.option(
    "--vhost", "-p", default="/", show_default=True, envvar="MAMBAAMQP_VHOST", help="Virtual host."
)
asking = click.pass_obj
