"""The x-arguments of queues and consumers: what they mean, and RabbitMQ's words for what is wrong.

Only arguments that a queue's type knows are read and compared; unknown ones are accepted and ignored.
Two things are ours: `x-delivery-limit` is known on classic queues too, and a stream is refused with a
clear 540 until there are streams.
"""

from collections.abc import Callable
from typing import Final

from mambaamqp.errors import NotImplementedFault, PreconditionFailed
from mambaamqp.wire.table import Table, Value

TIME_MS_MAX: Final = 315_360_000_000
"""Ten years, RabbitMQ's bound for every time span."""
PRIORITY_MAX: Final = 255
DELIVERY_LIMIT_DEFAULT: Final = 20
"""Of quorum queues."""

OVERFLOWS: Final = ("drop-head", "reject-publish", "reject-publish-dlx")
STRATEGIES: Final = ("at-most-once", "at-least-once")
LOCATORS: Final = ("client-local", "balanced", "min-masters", "random")

_COMMON: Final = frozenset(
    {
        "x-expires",
        "x-message-ttl",
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-max-length",
        "x-max-length-bytes",
        "x-overflow",
        "x-single-active-consumer",
        "x-queue-type",
        "x-queue-leader-locator",
        "x-delivery-limit",
    }
)
KNOWN: Final[dict[str, frozenset[str]]] = {
    "classic": _COMMON | {"x-max-priority", "x-queue-mode", "x-queue-version", "x-queue-master-locator"},
    "quorum": _COMMON
    | {
        "x-dead-letter-strategy",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
        "x-quorum-initial-group-size",
        "x-quorum-target-group-size",
        "x-consumer-timeout",
        "x-consumer-disconnected-timeout",
        "x-delayed-retry-type",
        "x-delayed-retry-min",
        "x-delayed-retry-max",
        "x-member-placement-tag",
    },
    "stream": frozenset(
        {
            "x-queue-type",
            "x-queue-leader-locator",
            "x-max-length-bytes",
            "x-max-age",
            "x-stream-max-segment-size-bytes",
            "x-stream-filter-size-bytes",
            "x-initial-cluster-size",
        }
    ),
}
ALL_KNOWN: Final = KNOWN["classic"] | KNOWN["quorum"] | KNOWN["stream"]


class QueueArguments:
    """What a queue was asked to do; None where nothing was asked."""

    def __init__(self) -> None:
        self.queue_type = "classic"
        self.message_ttl_ms: int | None = None
        self.expires_ms: int | None = None
        self.dead_letter_exchange: str | None = None
        self.dead_letter_routing_key: str | None = None
        self.max_length: int | None = None
        self.max_length_bytes: int | None = None
        self.overflow = "drop-head"
        self.max_priority: int | None = None
        self.single_active_consumer = False
        self.delivery_limit: int | None = None


def parse_queue_arguments(
    table: Table,
    *,
    name: str,
    vhost: str,
    durable: bool,
    exclusive: bool,
    auto_delete: bool,
    server_named: bool,
) -> QueueArguments:
    """The arguments of a queue to be declared; 406 in RabbitMQ's words for what cannot be."""
    where = f"queue '{name}' in vhost '{vhost}'"
    queue_type = _queue_type(table, where)
    if queue_type != "classic":
        _check_replicable(queue_type, where, durable, exclusive, auto_delete, server_named)
    for key in table.values:
        if key in ALL_KNOWN and key not in KNOWN[queue_type]:
            raise PreconditionFailed(
                f"invalid arg '{key}' for {where} of queue type rabbit_{queue_type}_queue"
            )
    for key, value in table.values.items():
        check = CHECKS.get(key)
        problem = check(value, table, key) if check is not None else ""
        if problem:
            raise PreconditionFailed(f"invalid arg '{key}' for {where}: {problem}")
    if queue_type == "stream":
        raise NotImplementedFault(f"cannot declare {where}: streams are not supported yet")
    return stored_queue_arguments(table)


def stored_queue_arguments(table: Table) -> QueueArguments:
    """The arguments of a queue that has been declared before, as the journal has them."""
    arguments = QueueArguments()
    arguments.queue_type = table.get("x-queue-type") or "classic"
    arguments.message_ttl_ms = table.get("x-message-ttl")
    arguments.expires_ms = table.get("x-expires")
    arguments.dead_letter_exchange = table.get("x-dead-letter-exchange")
    arguments.dead_letter_routing_key = table.get("x-dead-letter-routing-key")
    arguments.max_length = table.get("x-max-length")
    arguments.max_length_bytes = table.get("x-max-length-bytes")
    arguments.overflow = table.get("x-overflow") or "drop-head"
    arguments.max_priority = table.get("x-max-priority")
    arguments.single_active_consumer = bool(table.get("x-single-active-consumer"))
    default_limit = DELIVERY_LIMIT_DEFAULT if arguments.queue_type == "quorum" else None
    limit = table.get("x-delivery-limit")
    arguments.delivery_limit = default_limit if limit is None else limit
    return arguments


def _queue_type(table: Table, where: str) -> str:
    value = table.get("x-queue-type")
    if value is None:
        return "classic"
    if not isinstance(value, str) or value not in KNOWN:
        raise PreconditionFailed(
            f"invalid arg 'x-queue-type' for {where}: \"unsupported queue type '{value}'\""
        )
    return value


def _check_replicable(
    queue_type: str, where: str, durable: bool, exclusive: bool, auto_delete: bool, server_named: bool
) -> None:
    """Quorum queues and streams are durable, shared and named by their users."""
    if server_named:
        raise PreconditionFailed(f"Cannot declare a server-named queue for type rabbit_{queue_type}_queue")
    for bad, prop in (
        (not durable, "non-durable"),
        (auto_delete, "auto-delete"),
        (exclusive, "exclusive-owner"),
    ):
        if bad:
            raise PreconditionFailed(f"invalid property '{prop}' for {where}")


# Checks of single values: the problem in RabbitMQ's words, or nothing


def _integer(value: Value, table: Table, key: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return f'"expected integer, got {table.kind(key)}"'
    return ""


def _non_negative(value: Value, table: Table, key: str) -> str:
    return _integer(value, table, key) or (f"{{value_negative,{value}}}" if value < 0 else "")


def _time_span(value: Value, table: Table, key: str) -> str:
    problem = _non_negative(value, table, key)
    return problem or (f"{{value_too_large,{value}}}" if value > TIME_MS_MAX else "")


def _expires(value: Value, table: Table, key: str) -> str:
    return _time_span(value, table, key) or ("{value_zero,0}" if value == 0 else "")


def _max_priority(value: Value, table: Table, key: str) -> str:
    problem = _non_negative(value, table, key)
    return problem or (f"{{max_value_exceeded,{value}}}" if value > PRIORITY_MAX else "")


def _text(value: Value, table: Table, key: str) -> str:
    return (
        ""
        if table.code(key) == "S" and isinstance(value, str)
        else f"{{unacceptable_type,{table.kind(key)}}}"
    )


def _boolean(value: Value, table: Table, key: str) -> str:
    return "" if isinstance(value, bool) else f'"expected boolean, got {table.kind(key)}"'


def _routing_key(value: Value, table: Table, key: str) -> str:
    problem = _text(value, table, key)
    if problem or "x-dead-letter-exchange" in table:
        return problem
    return "routing_key_but_no_dlx_defined"


def _overflow(value: Value, table: Table, key: str) -> str:
    return _text(value, table, key) or ("" if value in OVERFLOWS else "invalid_overflow")


def _strategy(value: Value, table: Table, key: str) -> str:
    return _text(value, table, key) or ("" if value in STRATEGIES else "invalid_dlx_strategy")


CHECKS: Final[dict[str, Callable[[Value, Table, str], str]]] = {
    "x-expires": _expires,
    "x-message-ttl": _time_span,
    "x-dead-letter-exchange": _text,
    "x-dead-letter-routing-key": _routing_key,
    "x-dead-letter-strategy": _strategy,
    "x-max-length": _non_negative,
    "x-max-length-bytes": _non_negative,
    "x-max-priority": _max_priority,
    "x-overflow": _overflow,
    "x-single-active-consumer": _boolean,
    "x-delivery-limit": _integer,
    "x-queue-mode": _text,
    "x-queue-type": _text,
}


# Redeclare


def check_equivalent(
    current: Table,
    received: Table,
    *,
    name: str,
    vhost: str,
    durable: tuple[bool, bool],
    auto_delete: tuple[bool, bool],
) -> None:
    """406 when a redeclare differs; `durable` and `auto_delete` are pairs of (current, received).

    Order: durable, auto_delete, then the arguments that the queue's type knows.
    """
    where = f"for queue '{name}' in vhost '{vhost}'"
    _check_flag("durable", durable, where)
    _check_flag("auto_delete", auto_delete, where)
    queue_type = current.get("x-queue-type") or "classic"
    known = KNOWN.get(queue_type, KNOWN["classic"])
    for key in sorted(known):
        if _normal(key, current) != _normal(key, received):
            raise PreconditionFailed(
                f"inequivalent arg '{key}' {where}: {_difference(key, current, received)}"
            )


def _normal(key: str, table: Table) -> Value:
    """A value as it is compared: an absent queue type is classic; numbers have no width."""
    value = table.get(key)
    if key == "x-queue-type":
        return value or "classic"
    return value


def _difference(key: str, current: Table, received: Table) -> str:
    """`received … but current is …`: bare values where both are there, with their types where one is not."""
    if key in current and key in received:
        return f"received '{_shown(received.get(key))}' but current is '{_shown(current.get(key))}'"
    return f"received {_typed(key, received)} but current is {_typed(key, current)}"


def _typed(key: str, table: Table) -> str:
    if key not in table:
        return "none"
    return f"the value '{_shown(table.get(key))}' of type '{table.kind(key)}'"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _check_flag(what: str, pair: tuple[bool, bool], where: str) -> None:
    current, received = pair
    if current != received:
        raise PreconditionFailed(
            f"inequivalent arg '{what}' {where}: "
            f"received '{_shown(received)}' but current is '{_shown(current)}'"
        )


# Consumers


def consumer_priority(table: Table, queue: str, vhost: str) -> int:
    """x-priority of a basic.consume: any integer, 0 without one; 406 for anything else."""
    value = table.get("x-priority")
    if value is None and "x-priority" not in table:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise PreconditionFailed(
            f"invalid arg 'x-priority' for queue '{queue}' in vhost '{vhost}': "
            f'"expected integer, got {table.kind("x-priority")}"'
        )
    return value
