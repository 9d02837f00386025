"""The command line: parse arguments, call the room that does the work, turn its errors into one line.

Knows commands, flags and exit codes (0 done, 1 could not start or failed, 2 wrong usage or configuration).
Refuses to know how anything is done. `mambaamqp` alone is `mambaamqp serve`.
"""

import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Final, NoReturn

import click

from mambaamqp import __version__
from mambaamqp.config import Config, Secret, load
from mambaamqp.config.describe import annotated
from mambaamqp.errors import ConfigError, MambaError, StoreInUse

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2

PRIVATE: Final = 0o077
"""Whatever the broker writes is for its own account only, even where no mode is given."""

CORE_MODULE: Final = "mambaamqp.session.connection"
CONFIG_VARIABLE: Final = "MAMBAAMQP_CONFIG"

HELP: Final = """A message broker for AMQP 0-9-1 that RabbitMQ clients use unchanged.

Without a command: serve."""

ENVIRONMENT_HELP: Final = f"""Every key of the configuration can also be set by an environment variable,
MAMBAAMQP_<SECTION>_<KEY> (MAMBAAMQP_LISTENER_PORT=5673), and {CONFIG_VARIABLE} names the file. Flags win over
variables, variables over the file. `mambaamqp show-config` lists all keys."""


CTL_HELP: Final = """The broker is found by its data directory: --data-dir, the configuration, or
MAMBAAMQP_SERVER_DATA_DIR. MAMBAAMQP_CONTROL_SOCKET names the socket itself."""


class DefaultGroup(click.Group):
    """A group whose missing command is `serve`, so that `mambaamqp --port 0` works."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--version", "--help", "-h")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "bench", "ctl", "store"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "bench":
            from mambaamqp.bench.command import bench  # late: nobody else needs what it needs

            return bench
        if cmd_name == "ctl":
            return ctl_command()
        if cmd_name == "store":
            from mambaamqp.offline.command import store

            return store
        return super().get_command(ctx, cmd_name)


def core_kind() -> str:
    """How the core runs: "compiled" or "pure Python"."""
    try:
        file = importlib.import_module(CORE_MODULE).__file__ or ""
    except ImportError:
        return "absent"
    return "compiled" if file.endswith((".so", ".pyd")) else "pure Python"


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        implementation = platform.python_implementation()
        python = f"{implementation} {platform.python_version()}"
        click.echo(f"mambaamqp {__version__} ({python}, core: {core_kind()})")
        ctx.exit()


config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar=CONFIG_VARIABLE,
    help="Configuration file (TOML).",
)


@click.group(cls=DefaultGroup, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print version, Python, and whether the core is compiled.",
)
def main() -> None:
    """The entry point of the `mambaamqp` command."""


@main.command(epilog=ENVIRONMENT_HELP)
@config_option
@click.option("--host", help="Address to listen on, or several: 127.0.0.1,::1.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on, 0 for a free one.  [default: 5672]")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Directory of the journal.")
def serve(config_path: Path | None, host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Run the broker until SIGTERM or SIGINT."""
    config = _load(config_path, {"listener.host": host, "listener.port": port, "server.data_dir": data_dir})
    from mambaamqp.observe import logs
    from mambaamqp.server.run import run  # late: the other commands need neither trio nor the store

    logs.configure(config.log)
    os.umask(PRIVATE)
    try:
        sys.exit(run(config))
    except ConfigError as error:
        _fail(str(error), EXIT_USAGE)
    except MambaError as error:
        _fail(str(error), EXIT_FAILED)
    except OSError as error:
        _fail(_os_error_text(error), EXIT_FAILED)


@main.command("check-config")
@click.argument("file", type=click.Path(path_type=Path))
def check_config(file: Path) -> None:
    """Check FILE as `serve` would read it, and say what is wrong with it."""
    from mambaamqp.access import Access

    config = _load(file, {})
    try:
        Access.check_config(config)
    except ConfigError as error:
        _fail(f"{file}: {error}", EXIT_USAGE)
    click.echo(f"{file}: good; {_counts(config)}")


@main.command("show-config")
def show_config() -> None:
    """Print every key with its default and meaning, as a file to start from."""
    click.echo(annotated(), nl=False)


@main.command("hash-password")
@click.password_option(help="Asked for if not given; a flag is seen by other users of the machine.")
def hash_password(password: str) -> None:
    """Print the argon2id hash of a password, for password_hash in the configuration."""
    from mambaamqp.access import passwords

    try:
        click.echo(passwords.hash_password(Secret(password)))
    except ValueError as error:
        _fail(str(error), EXIT_USAGE)


data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Directory of the journal."
)


def ctl_command() -> click.Group:
    """`ctl`, told by flags, variables and the configuration where the broker's socket is."""
    from mambaamqp.ctl.asking import register
    from mambaamqp.ctl.command import ctl

    @click.group("ctl", commands=ctl.commands, help=ctl.help, epilog=CTL_HELP)
    @config_option
    @data_dir_option
    @click.option("--socket", type=click.Path(path_type=Path), help="The control socket itself.")
    @click.option("--json", "as_json", is_flag=True, help="JSON instead of text for people.")
    @click.pass_context
    def command(
        ctx: click.Context,
        config_path: Path | None,
        data_dir: Path | None,
        socket: Path | None,
        as_json: bool,
    ) -> None:
        config = _load(config_path, {"server.data_dir": data_dir})
        ctx.obj = register(config, socket, as_json)

    return command


@main.group()
def definitions() -> None:
    """Take over RabbitMQ's definitions, or write them, while no broker uses the data directory."""


@definitions.command("import")
@config_option
@data_dir_option
@click.argument("file", type=click.Path(path_type=Path))
def import_definitions(config_path: Path | None, data_dir: Path | None, file: Path) -> None:
    """Write what FILE says into the journal; what cannot be taken over is told, and exits with 1."""
    from mambaamqp.offline import definitions as offline
    from mambaamqp.store.disk import OsDisk

    config = _load(config_path, {"server.data_dir": data_dir})
    os.umask(PRIVATE)
    try:
        reports = offline.take(config, file, OsDisk(), time.time())
    except ConfigError as error:
        _fail(str(error), EXIT_USAGE)
    except StoreInUse as error:
        _fail(f"{error}; `mambaamqp ctl definitions import` hands the file to it", EXIT_FAILED)
    except MambaError as error:
        _fail(str(error), EXIT_FAILED)
    for report in reports:
        click.echo(f"not taken over: {report}", err=True)
    sys.exit(EXIT_FAILED if reports else 0)


@definitions.command("export")
@config_option
@data_dir_option
def export_definitions(config_path: Path | None, data_dir: Path | None) -> None:
    """Print what a broker would start with, password hashes too, as RabbitMQ takes it."""
    from mambaamqp.offline import definitions as offline
    from mambaamqp.store.disk import OsDisk

    config = _load(config_path, {"server.data_dir": data_dir})
    try:
        click.echo(json.dumps(offline.give(config, OsDisk()), indent=2, ensure_ascii=False))
    except MambaError as error:
        _fail(str(error), EXIT_FAILED)


def _load(path: Path | None, flags: dict[str, object]) -> Config:
    try:
        return load(path, environ=os.environ, flags=flags)
    except ConfigError as error:
        _fail(str(error), EXIT_USAGE)


def _counts(config: Config) -> str:
    counts = {
        "user": len(config.users),
        "virtual host": len(config.vhosts),
        "permission": len(config.permissions),
    }
    return ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items())


def _os_error_text(error: OSError) -> str:
    text = error.strerror or str(error)
    return f"{error.filename}: {text}" if error.filename else text


def _fail(text: str, exit_code: int) -> NoReturn:
    click.echo(f"mambaamqp: {text}", err=True)
    sys.exit(exit_code)
