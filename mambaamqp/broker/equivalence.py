"""Redeclaring what exists: is it the same, and RabbitMQ's words if not.

Values compare by class and value: an integer of any width equals another, and is never equal to `true` or
to 1.0. Refuses to know which properties and arguments count; queues and exchanges say that.
"""

from mambaamqp.broker import terms
from mambaamqp.broker.binding import frozen
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import Table


def check_property(what: str, where: str, current: str, received: str) -> None:
    """406 when a property differs; `where` is e.g. "queue 'q' in vhost '/'"."""
    if current != received:
        raise differs(what, where, f"'{current}'", f"'{received}'")


def check_flag(what: str, where: str, current: bool, received: bool) -> None:
    """406 when a flag differs."""
    check_property(what, where, terms.plain(current), terms.plain(received))


def check_argument(key: str, where: str, current: Table, received: Table) -> None:
    """406 when an argument differs or stands on one side only.

    The text has bare values where both sides have one, and values with their types where only one has.
    """
    if key not in current and key not in received:
        return
    if key not in current or key not in received:
        raise differs(key, where, _typed(key, current), _typed(key, received))
    if frozen(current.get(key)) != frozen(received.get(key)):
        raise differs(key, where, bare(key, current), bare(key, received))


def differs(what: str, where: str, current: str, received: str) -> PreconditionFailed:
    """The refusal, to be raised; both sides as they stand in the text."""
    return PreconditionFailed(
        f"inequivalent arg '{what}' for {where}: received {received} but current is {current}"
    )


def _typed(key: str, table: Table) -> str:
    if key not in table:
        return "none"
    return f"the value '{terms.plain(table.get(key))}' of type '{table.kind(key)}'"


def bare(key: str, table: Table) -> str:
    """An argument's value without its type. A void one has no such form: RabbitMQ takes it for none."""
    value = table.get(key)
    return "none" if value is None else f"'{terms.plain(value)}'"
