"""`mambaamqp ctl`: ask a running broker, or have it changed. The broker's account or root may."""

import json
import sys
from pathlib import Path
from typing import Final

import click

from mambaamqp.broker.definitions import portions
from mambaamqp.config.definitions import read_definitions
from mambaamqp.ctl import accounts, table
from mambaamqp.ctl.asking import (
    EXIT_REFUSED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    Asker,
    asking,
    fail,
    parsed,
    vhost_option,
)
from mambaamqp.ctl.client import ControlError, Row
from mambaamqp.errors import ConfigError

SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "queues": ("vhost", "name", "type", "state", "messages_ready", "messages_unacknowledged", "consumers"),
    "exchanges": ("vhost", "name", "type", "durable", "auto_delete", "internal"),
    "bindings": ("vhost", "source_name", "destination_name", "destination_kind", "routing_key", "arguments"),
    "connections": ("name", "user", "vhost", "state", "channels"),
    "channels": ("pid", "user", "vhost", "consumer_count", "messages_unacknowledged", "confirm"),
    "consumers": ("vhost", "queue_name", "consumer_tag", "channel_pid", "ack_required", "activity_status"),
    "users": ("user", "tags", "limits"),
    "permissions": ("vhost", "user", "configure", "write", "read"),
    "topic-permissions": ("vhost", "user", "exchange", "write", "read"),
    "vhosts": ("name", "description", "default_queue_type", "tracing", "queues", "connections"),
    "policies": ("vhost", "name", "pattern", "apply-to", "definition", "priority"),
    "operator-policies": ("vhost", "name", "pattern", "apply-to", "definition", "priority"),
}
"""What can be listed → the columns that are shown if none are named."""
OF_NO_VHOST: Final = ("users", "vhosts")


@click.group()
def ctl() -> None:
    """Ask a running broker, or change it."""


@ctl.command()
@asking
def status(asker: Asker) -> None:
    """Version, uptime, alarms, memory, and how much there is of everything."""
    done = asker.ask("status")
    if asker.as_json:
        click.echo(json.dumps(done, ensure_ascii=False))
        return
    facts = {key: value for key, value in done.items() if key != "totals"} | done["totals"]
    facts["alarms"] = facts["alarms"] or "none"
    for line in table.lines(
        [{"": key, " ": value} for key, value in facts.items()], ("", " "), heading=False
    ):
        click.echo(line)


@ctl.command("list")
@click.option("--vhost", "-p", default=None, help="Of one virtual host only.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each row, with all columns.")
@click.argument("what", type=click.Choice(list(SHOWN)))
@click.argument("columns", nargs=-1)
@asking
def list_(asker: Asker, what: str, columns: tuple[str, ...], vhost: str | None, as_json: bool) -> None:
    """List WHAT, with the COLUMNS named as in rabbitmqctl; --json has all of them."""
    rows: list[Row] = []
    asker.ask_rows(f"list {what}", rows, vhost=None if what in OF_NO_VHOST else vhost)
    strange = [column for column in columns if rows and column not in rows[0]]
    if strange:
        fail(f"{what} have no column {strange[0]}; they have {', '.join(rows[0])}", EXIT_USAGE)
    if as_json or asker.as_json:
        for row in rows:
            shown = {column: row[column] for column in columns} if columns else row
            click.echo(json.dumps(shown, ensure_ascii=False))
        return
    for line in table.lines(rows, columns or SHOWN[what]):
        click.echo(line)


# Queues and connections


@ctl.group()
def queue() -> None:
    """Pause, resume, purge or delete a queue."""


@queue.command("pause")
@vhost_option
@click.argument("name")
@asking
def queue_pause(asker: Asker, name: str, vhost: str) -> None:
    """Deliver nothing of a queue until it is resumed; it goes on taking messages."""
    asker.show(asker.ask("queue pause", vhost=vhost, name=name))


@queue.command("resume")
@vhost_option
@click.argument("name")
@asking
def queue_resume(asker: Asker, name: str, vhost: str) -> None:
    """Deliver again."""
    asker.show(asker.ask("queue resume", vhost=vhost, name=name))


@queue.command("purge")
@vhost_option
@click.argument("name")
@asking
def queue_purge(asker: Asker, name: str, vhost: str) -> None:
    """Drop what waits in a queue."""
    asker.show(asker.ask("queue purge", vhost=vhost, name=name))


@queue.command("delete")
@vhost_option
@click.option("--if-unused", is_flag=True, help="Only without consumers.")
@click.option("--if-empty", is_flag=True, help="Only without messages.")
@click.argument("name")
@asking
def queue_delete(asker: Asker, name: str, vhost: str, if_unused: bool, if_empty: bool) -> None:
    """Delete a queue with what is in it."""
    flags = {"if-unused": if_unused, "if-empty": if_empty}
    asker.show(asker.ask("queue delete", vhost=vhost, name=name, **flags))


@ctl.group()
def connection() -> None:
    """Close connections."""


@connection.command("close")
@click.argument("name")
@click.argument("reason", required=False)
@asking
def connection_close(asker: Asker, name: str, reason: str | None) -> None:
    """Close the connection NAME, as `list connections` has it: 320, with REASON."""
    asker.show(asker.ask("connection close", name=name, reason=reason))


@connection.command("close-all")
@click.option("--vhost", "-p", default=None, help="Of one virtual host only.")
@click.option("--user", default=None, help="Of one user only.")
@click.argument("reason", required=False)
@asking
def connection_close_all(asker: Asker, reason: str | None, vhost: str | None, user: str | None) -> None:
    """Close all connections: 320, with REASON."""
    asker.show(asker.ask("connection close-all", vhost=vhost, user=user, reason=reason))


for group in (accounts.user, accounts.permissions, accounts.topic_permissions, accounts.vhost):
    ctl.add_command(group)


# Policies


def policy_group(kind: str, noun: str) -> click.Group:
    """`policy`, and `operator-policy`, which is set in the same words."""

    @click.group(kind, help=f"Set or clear {noun}.")
    def group() -> None:
        pass

    @group.command("set", help=f"Set {noun}: DEFINITION is '{{\"max-length\": 1000}}'.")
    @vhost_option
    @click.option("--priority", type=int, default=0, show_default=True)
    @click.option("--apply-to", default="all", show_default=True)
    @click.argument("name")
    @click.argument("pattern")
    @click.argument("definition")
    @asking
    def set_(
        asker: Asker, name: str, pattern: str, definition: str, vhost: str, priority: int, apply_to: str
    ) -> None:
        value = {
            "pattern": pattern,
            "definition": parsed(definition, "DEFINITION"),
            "priority": priority,
            "apply-to": apply_to,
        }
        asker.show(asker.ask(f"{kind} set", vhost=vhost, name=name, policy=value))

    @group.command("clear", help=f"Take {noun} off.")
    @vhost_option
    @click.argument("name")
    @asking
    def clear(asker: Asker, name: str, vhost: str) -> None:
        asker.show(asker.ask(f"{kind} clear", vhost=vhost, name=name))

    return group


ctl.add_command(policy_group("policy", "a policy"))
ctl.add_command(policy_group("operator-policy", "an operator policy"))


# Definitions


@ctl.group()
def definitions() -> None:
    """RabbitMQ's definitions, into and out of the running broker."""


@definitions.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@asking
def definitions_import(asker: Asker, file: Path) -> None:
    """Have what FILE says; what cannot be taken over is told, and exits with 1."""
    take(asker, file)


@definitions.command("export")
@asking
def definitions_export(asker: Asker) -> None:
    """Print all that is durable, password hashes too, as RabbitMQ takes it."""
    rows: list[Row] = []
    asker.ask_rows("definitions export", rows)
    document = {row["section"]: row["value"] for row in rows}
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


@ctl.command("reload")
@asking
def reload_(asker: Asker) -> None:
    """Read the broker's [definitions] file again, as it does at its start."""
    file = asker.ask("status")["definitions_file"]
    if not file:
        fail("the broker has no file of definitions", EXIT_REFUSED)
    take(asker, Path(file))


def take(asker: Asker, file: Path) -> None:
    """Hand a file of definitions over, in portions; reports go to standard error."""
    try:
        document = read_definitions(file)
        with asker.client() as client:
            reports = [
                report
                for portion in portions(document)
                for report in client.ask("definitions import", definitions=portion)["reports"]
            ]
    except ConfigError as error:
        fail(str(error), EXIT_USAGE)
    except ControlError as error:
        fail(str(error), EXIT_UNREACHABLE if error.reason == "unreachable" else EXIT_REFUSED)
    for report in reports:
        click.echo(f"not taken over: {report}", err=True)
    sys.exit(EXIT_REFUSED if reports else 0)


# Alarms and the firehose


UNITS: Final = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "k": 1024,
    "m": 1024**2,
    "g": 1024**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
"""As RabbitMQ reads them."""


def mark(text: str) -> float | None:
    """A mark: a number with or without a unit, or `default`, which is None."""
    text = text.strip().lower()
    if text == "default":
        return None
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    factor = UNITS.get(text[len(number) :])
    try:
        if factor is None:
            raise ValueError
        return int(number) * factor if number.isdecimal() else float(number) * factor
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a number, as 0.4, 2GB or 50MiB, nor default") from None


@ctl.group()
def alarm() -> None:
    """At which marks publishers are blocked, until the next start."""


@alarm.command("memory")
@click.argument("mark", type=mark)
@asking
def alarm_memory(asker: Asker, mark: float | None) -> None:
    """Memory above which publishers are blocked: a fraction (0.4), bytes (2GB), or default."""
    asker.show(asker.ask("alarm memory", value=mark))


@alarm.command("disk")
@click.argument("mark", type=mark)
@asking
def alarm_disk(asker: Asker, mark: float | None) -> None:
    """Free bytes on disk below which publishers are blocked: 50MB, or default."""
    asker.show(asker.ask("alarm disk", value=mark))


@ctl.command()
@vhost_option
@click.argument("switch", type=click.Choice(["on", "off"]))
@asking
def trace(asker: Asker, switch: str, vhost: str) -> None:
    """Copy all that passes in a virtual host to amq.rabbitmq.trace, or no more."""
    asker.show(asker.ask("trace", vhost=vhost, on=switch == "on"))
