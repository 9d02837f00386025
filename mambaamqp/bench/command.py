"""`mambaamqp bench`: flags in, a table or JSON out."""

import json
import sys
from typing import Any

import click

from mambaamqp.bench import run as running
from mambaamqp.bench.flow import BenchError
from mambaamqp.bench.target import parse
from mambaamqp.bench.workload import Workload

EXIT_FAILED = 1
COUNT = click.IntRange(min=0)
POSITIVE = click.IntRange(min=1)


def _arguments(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """NAME=VALUE pairs; numbers and true or false are taken as such."""
    arguments: dict[str, Any] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE")
        arguments[name] = _value(value)
    return arguments


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        return text


@click.command()
@click.argument("url", default="amqp://guest:guest@127.0.0.1:5672/")
@click.option("--producers", type=COUNT, default=1, show_default=True, help="Publishing connections.")
@click.option("--consumers", type=COUNT, default=1, show_default=True, help="Consuming connections.")
@click.option("--queues", type=POSITIVE, default=1, show_default=True, help="Dealt out to both in turn.")
@click.option("--size", type=COUNT, default=100, show_default=True, help="Octets of a body.")
@click.option("--rate", type=click.FloatRange(min=0), default=0, help="Messages a second and producer.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=10, show_default=True, help="How long.")
@click.option("--warmup", type=click.FloatRange(min=0), help="Seconds not measured.  [default: a tenth]")
@click.option("--count", type=COUNT, default=0, help="End after so many messages.")
@click.option("--persistent", is_flag=True, help="Publish with delivery mode 2.")
@click.option("--durable", is_flag=True, help="Declare durable queues.")
@click.option("--confirm", type=COUNT, default=0, help="Confirms, with at most so many outstanding.")
@click.option("--tx", type=COUNT, default=0, help="Publish in transactions of so many.")
@click.option("--prefetch", type=click.IntRange(0, 65535), default=0, help="basic.qos of each consumer.")
@click.option("--ack", type=POSITIVE, default=1, show_default=True, help="Messages to one acknowledgement.")
@click.option("--auto-ack", is_flag=True, help="No acknowledgements.")
@click.option("--get", is_flag=True, help="Poll with basic.get instead of consuming.")
@click.option(
    "--exchange-type", type=click.Choice(["fanout", "direct", "topic"]), help="Publish through an exchange."
)
@click.option("--bindings", type=COUNT, default=0, help="Bindings of it, at least one for each queue.")
@click.option("--keys", type=POSITIVE, default=1, show_default=True, help="Routing keys of a producer.")
@click.option("--name", help="How the names of queues begin.  [default: a new one]")
@click.option("--keep", is_flag=True, help="Leave the queues as they are at the end.")
@click.option(
    "--argument", "arguments", multiple=True, callback=_arguments, help="NAME=VALUE of queue.declare."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(url: str, as_json: bool, **settings: Any) -> None:
    """Put load on the broker at URL and measure rates and latencies."""
    try:
        outcome = running.run(parse(url), _workload(settings), _show)
    except BenchError as error:
        click.echo(f"mambaamqp: {error}", err=True)
        sys.exit(EXIT_FAILED)
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
    click.echo(json.dumps(outcome.as_dict()) if as_json else outcome.table())


def _workload(settings: dict[str, Any]) -> Workload:
    if settings["confirm"] and settings["tx"]:
        raise click.UsageError("--confirm and --tx exclude each other")
    if settings["prefetch"] and 0 < settings["prefetch"] < settings["ack"] and not settings["auto_ack"]:
        raise click.UsageError("--ack beyond --prefetch would wait for ever")
    if settings["warmup"] is None:
        settings["warmup"] = settings["seconds"] / 10
    if settings["warmup"] >= settings["seconds"]:
        raise click.UsageError("--warmup leaves nothing to measure")
    return Workload(**{name: value for name, value in settings.items() if value is not None})


def _show(line: str) -> None:
    """The live line overwrites itself on a terminal and keeps out of files."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", err=True, nl=False)
