"""`mambaamqp store`: look at a store, write it down, make it whole. No broker needs to run, or may.

Exit codes: 0 all is well, 1 the store is damaged or could not be repaired, 2 there is no store to look at.
"""

import logging
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from mambaamqp.config import Config
from mambaamqp.errors import StoreError
from mambaamqp.offline import dump as dumping
from mambaamqp.offline import state
from mambaamqp.offline.repair import Repair
from mambaamqp.store import inspect
from mambaamqp.store.disk import OsDisk

EXIT_DAMAGED = 1
EXIT_NO_STORE = 2

directory_argument = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))


@click.group()
def store() -> None:
    """Check, dump or repair a data directory while no broker uses it."""
    logging.getLogger("mambaamqp.store").disabled = True  # what it would say is reported here


@store.command()
@directory_argument
def check(directory: Path) -> None:
    """Read all of DIR and say what is wrong with it: file, offset, queues. Changes nothing."""
    size = _size(directory)
    with _progress(size, "reading") as bar:
        report = _guarded(inspect.check, str(directory), OsDisk(), bar.update)
    for line in report.lines():
        click.echo(line)
    sys.exit(0 if report.healthy else EXIT_DAMAGED)


@store.command()
@directory_argument
@click.option("--bodies", is_flag=True, help="The bodies too, in base64, not only size and SHA-256.")
def dump(directory: Path, bodies: bool) -> None:
    """Print what a broker would find in DIR: topology and messages, as canonical JSON. Changes nothing."""
    size = _size(directory)
    with _progress(size, "reading") as bar:
        found = _guarded(state.read, str(directory), OsDisk(), bar.update)
    for line in dumping.lines(found.broker, bodies=bodies):
        click.echo(line)
    for finding in found.findings:
        click.echo(str(finding), err=True)
    sys.exit(EXIT_DAMAGED if any(not finding.torn for finding in found.findings) else 0)


@store.command()
@directory_argument
def repair(directory: Path) -> None:
    """Write what can be read of DIR into a new store in its place; the old one is kept beside it."""
    size = _size(directory)
    work = Repair(str(directory), OsDisk(), Config().store.segment_bytes)
    with _progress(size, "reading") as bar:
        _guarded(work.run, bar.update)
    for line in work.said:
        click.echo(line)


def _size(directory: Path) -> int:
    try:
        return state.log_bytes(str(directory), OsDisk())
    except StoreError as error:
        _fail(error, EXIT_NO_STORE)


def _progress(size: int, label: str) -> Any:
    """A bar on standard error, where that is a terminal."""
    return click.progressbar(length=size, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _guarded(work: Any, *arguments: Any) -> Any:
    try:
        return work(*arguments)
    except StoreError as error:
        _fail(error, EXIT_DAMAGED)


def _fail(error: StoreError, code: int) -> NoReturn:
    click.echo(f"mambaamqp: {error}", err=True)
    sys.exit(code)
