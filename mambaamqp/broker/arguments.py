"""The x-arguments of queues and consumers: which there are, what they mean, whether a redeclare agrees.

Only arguments that a queue's type knows are read and compared; unknown ones are accepted and ignored.
Whether a single value is legal is `broker.argument_values`' matter. Two things are ours: classic queues
too know `x-delivery-limit` (which must be a number) and `x-consumer-timeout`, and `x-queue-version` may still
be 1.
"""

from typing import Any, Final

from mambaamqp.broker.argument_values import (
    CONSUMER_CHECKS,
    QUEUE_CHECKS,
    Check,
    age_ms,
    boolean,
    unsupported_type,
)
from mambaamqp.broker.deduplication import HEADER
from mambaamqp.broker.equivalence import bare, check_argument, check_flag, differs
from mambaamqp.broker.retry import NO_RETRY, Retry
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import Table, encode_value, splice

DELIVERY_LIMIT_DEFAULT: Final = 20
"""Of quorum queues."""
SEGMENT_BYTES_MAX: Final = 3_000_000_000
FILTER_BYTES_MIN: Final = 16
FILTER_BYTES_MAX: Final = 255
"""RabbitMQ's bounds for streams."""

KNOWN: Final[dict[str, tuple[str, ...]]] = {
    "classic": (
        "x-expires",
        "x-message-ttl",
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-priority",
        "x-overflow",
        "x-queue-mode",
        "x-queue-version",
        "x-single-active-consumer",
        "x-queue-type",
        "x-queue-master-locator",
        "x-queue-leader-locator",
        "x-delivery-limit",
        "x-consumer-timeout",
        "x-delayed-retry-type",
        "x-delayed-retry-min",
        "x-delayed-retry-max",
        "x-delayed-retry-backoff",
        "x-delayed-retry-jitter",
    ),
    "quorum": (
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-dead-letter-strategy",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
        "x-overflow",
        "x-single-active-consumer",
        "x-queue-type",
        "x-quorum-initial-group-size",
        "x-quorum-target-group-size",
        "x-member-placement-tag",
        "x-delivery-limit",
        "x-message-ttl",
        "x-queue-leader-locator",
        "x-consumer-disconnected-timeout",
        "x-consumer-timeout",
        "x-delayed-retry-type",
        "x-delayed-retry-min",
        "x-delayed-retry-max",
        "x-delayed-retry-backoff",
        "x-delayed-retry-jitter",
    ),
    "stream": (
        "x-max-length-bytes",
        "x-queue-type",
        "x-max-age",
        "x-stream-max-segment-size-bytes",
        "x-stream-filter-size-bytes",
        "x-initial-cluster-size",
        "x-queue-leader-locator",
    ),
}
"""What each type of queue knows, in the order in which a redeclare compares it."""
ALL_KNOWN: Final = frozenset(KNOWN["classic"] + KNOWN["quorum"] + KNOWN["stream"])

CONSUMER_KNOWN: Final[dict[str, tuple[str, ...]]] = {
    "classic": ("x-priority", "x-consumer-timeout"),
    "quorum": ("x-priority", "x-consumer-timeout"),
    "stream": ("x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"),
}
ALL_CONSUMER_KNOWN: Final = frozenset(
    CONSUMER_KNOWN["classic"] + CONSUMER_KNOWN["quorum"] + CONSUMER_KNOWN["stream"]
)

UNSET_TYPES: Final = ("", "undefined")
"""Queue types that stand for the default one."""


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
        self.consumer_timeout_ms: int | None = None
        """0 is no limit; None what the configuration says."""
        self.retry = NO_RETRY
        self.unique_by: str | None = None
        """The header by which duplicates are known, if there are to be none."""
        self.dead_letter_strategy = "at-most-once"
        self.max_age_ms: int | None = None
        self.segment_bytes: int | None = None
        """The step in which a stream lets go of its oldest messages."""

    @property
    def at_least_once(self) -> bool:
        """Whether no dead letter may be lost; only a quorum queue that does not drop its head can do that."""
        return (
            self.dead_letter_strategy == "at-least-once"
            and self.queue_type == "quorum"
            and self.overflow == "reject-publish"
            and self.dead_letter_exchange is not None
        )


def parse_queue_arguments(
    table: Table,
    *,
    name: str,
    vhost: str,
    durable: bool,
    exclusive: bool,
    auto_delete: bool,
    server_named: bool,
    quorum_delivery_limit: int | None = DELIVERY_LIMIT_DEFAULT,
) -> QueueArguments:
    """The arguments of a queue to be declared; 406 in RabbitMQ's words, and order, for what cannot be."""
    where = f"queue '{name}' in vhost '{vhost}'"
    queue_type = queue_type_of(table)
    if server_named and queue_type in ("quorum", "stream"):
        raise PreconditionFailed(f"Cannot declare a server-named queue for type rabbit_{queue_type}_queue")
    if queue_type not in KNOWN:
        raise PreconditionFailed(f"invalid arg 'x-queue-type' for {where}: {unsupported_type(table)}")
    _check_values(table, where, KNOWN[queue_type], QUEUE_CHECKS)
    if queue_type != "stream":
        _check_retry(table, where)
    _check_keys(table, where, queue_type, KNOWN[queue_type], ALL_KNOWN)
    _check_deduplication(table, where)
    if queue_type != "classic":
        _check_replicable(where, durable, exclusive, auto_delete)
    if queue_type == "stream":
        _check_stream(table)
    return stored_queue_arguments(table, quorum_delivery_limit)


def _check_stream(table: Table) -> None:
    """What RabbitMQ's streams refuse besides; the second text has two spaces there too."""
    segment_bytes, filter_bytes = (
        table.get("x-stream-max-segment-size-bytes"),
        table.get("x-stream-filter-size-bytes"),
    )
    if segment_bytes is not None and segment_bytes > SEGMENT_BYTES_MAX:
        raise PreconditionFailed("Exceeded max value for x-stream-max-segment-size-bytes")
    if filter_bytes is not None and not FILTER_BYTES_MIN <= filter_bytes <= FILTER_BYTES_MAX:
        raise PreconditionFailed("Invalid value for  x-stream-filter-size-bytes")


def _check_retry(table: Table, where: str) -> None:
    """Who wants retries delayed must say by how much."""
    asked = table.get("x-delayed-retry-type")
    if asked not in (None, "disabled") and "x-delayed-retry-min" not in table:
        raise PreconditionFailed(
            f"invalid arg 'x-delayed-retry-type' for {where}: delayed_retry_type_but_no_min_defined"
        )


def _check_deduplication(table: Table, where: str) -> None:
    """Of a plug-in, so that no type of queue knows it; a redeclare does not compare it."""
    if "x-message-deduplication" in table:
        problem = boolean(table.get("x-message-deduplication"), table, "x-message-deduplication")
        if problem:
            raise PreconditionFailed(f"invalid arg 'x-message-deduplication' for {where}: {problem}")


def stored_queue_arguments(
    table: Table, quorum_delivery_limit: int | None = DELIVERY_LIMIT_DEFAULT
) -> QueueArguments:
    """The arguments of a queue that has been declared before, as the journal has them.

    `quorum_delivery_limit` is that of a quorum queue which asks for none.
    """
    arguments = QueueArguments()
    arguments.queue_type = queue_type_of(table)
    arguments.message_ttl_ms = table.get("x-message-ttl")
    arguments.expires_ms = table.get("x-expires")
    arguments.dead_letter_exchange = table.get("x-dead-letter-exchange")
    arguments.dead_letter_routing_key = table.get("x-dead-letter-routing-key")
    arguments.max_length = table.get("x-max-length")
    arguments.max_length_bytes = table.get("x-max-length-bytes")
    arguments.overflow = table.get("x-overflow") or "drop-head"
    arguments.max_priority = table.get("x-max-priority")
    arguments.single_active_consumer = bool(table.get("x-single-active-consumer"))
    arguments.consumer_timeout_ms = table.get("x-consumer-timeout")
    arguments.dead_letter_strategy = table.get("x-dead-letter-strategy") or "at-most-once"
    arguments.retry = retry_of(table, {})
    arguments.unique_by = HEADER if table.get("x-message-deduplication") is True else None
    max_age = table.get("x-max-age")
    arguments.max_age_ms = None if max_age is None else age_ms(max_age)
    arguments.segment_bytes = table.get("x-stream-max-segment-size-bytes")
    default_limit = quorum_delivery_limit if arguments.queue_type == "quorum" else None
    limit = table.get("x-delivery-limit")
    arguments.delivery_limit = default_limit if limit is None else limit
    return arguments


def typed(table: Table, queue_type: str) -> Table:
    """The arguments with that type of queue, where they ask for none."""
    if "x-queue-type" in table and table.get("x-queue-type") not in UNSET_TYPES:
        return table
    return Table(splice(table.raw, {"x-queue-type": encode_value(queue_type)}, frozenset()))


def retry_of(table: Table, definition: dict[str, Any]) -> Retry:
    """The delay of what comes back to a queue with these arguments, or else with those of a policy."""
    kind = _delayed_retry(table, definition, "type") or "disabled"
    min_ms = _delayed_retry(table, definition, "min")
    if kind == "disabled" or not min_ms:
        return NO_RETRY
    return Retry(
        kind,
        min_ms,
        _delayed_retry(table, definition, "max"),
        _delayed_retry(table, definition, "backoff") == "exponential",
        _delayed_retry(table, definition, "jitter") or 0,
    )


def _delayed_retry(table: Table, definition: dict[str, Any], part: str) -> Any:
    own = table.get(f"x-delayed-retry-{part}")
    return definition.get(f"delayed-retry-{part}") if own is None else own


def queue_type_of(table: Table) -> str:
    """The type that is asked for, classic without one; not text: the empty string, which is none."""
    if "x-queue-type" not in table:
        return "classic"
    value = table.get("x-queue-type")
    if not isinstance(value, str):
        return ""
    return "classic" if value in UNSET_TYPES else value


def _check_values(table: Table, where: str, known: tuple[str, ...], checks: dict[str, Check]) -> None:
    """In the order of the checks, whatever the order of the table."""
    for key, check in checks.items():
        if key in known and key in table:
            problem = check(table.get(key), table, key)
            if problem:
                raise PreconditionFailed(f"invalid arg '{key}' for {where}: {problem}")


def _check_keys(
    table: Table, where: str, queue_type: str, known: tuple[str, ...], anywhere: frozenset[str]
) -> None:
    """An argument that only another type knows would be asked for in vain."""
    for key in table.values:
        if key in anywhere and key not in known:
            raise PreconditionFailed(
                f"invalid arg '{key}' for {where} of queue type rabbit_{queue_type}_queue"
            )


def _check_replicable(where: str, durable: bool, exclusive: bool, auto_delete: bool) -> None:
    """Quorum queues and streams stay, and are shared."""
    for bad, prop in (
        (auto_delete, "auto-delete"),
        (exclusive, "exclusive-owner"),
        (not durable, "non-durable"),
    ):
        if bad:
            raise PreconditionFailed(f"invalid property '{prop}' for {where}")


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

    Order: durable, auto_delete, then the arguments that the queue's type knows. Nothing else is checked:
    a received argument may be illegal as long as it is not compared.
    """
    where = f"queue '{name}' in vhost '{vhost}'"
    check_flag("durable", where, durable[0], durable[1])
    check_flag("auto_delete", where, auto_delete[0], auto_delete[1])
    for key in KNOWN.get(queue_type_of(current), KNOWN["classic"]):
        if key == "x-queue-type":
            _check_type(where, current, received)
        else:
            check_argument(key, where, current, received)


def _check_type(where: str, current: Table, received: Table) -> None:
    """A queue always has a type: an absent one is classic, in the text too."""
    if queue_type_of(current) != queue_type_of(received):
        shown = f"'{queue_type_of(received)}'" if queue_type_of(received) else bare("x-queue-type", received)
        raise differs("x-queue-type", where, f"'{queue_type_of(current)}'", shown)


# Consumers


def consumer_priority(table: Table, queue: str, vhost: str, queue_type: str = "") -> int:
    """x-priority of a basic.consume: any integer, 0 without one; 406 for anything else.

    With the type of the queue, 406 also for arguments that only consumers of other types have.
    """
    where = f"queue '{queue}' in vhost '{vhost}'"
    known = CONSUMER_KNOWN.get(queue_type, CONSUMER_KNOWN["quorum"])
    _check_values(table, where, known, CONSUMER_CHECKS)
    if queue_type:
        _check_keys(table, where, queue_type, known, ALL_CONSUMER_KNOWN)
    value = table.get("x-priority")
    return value if isinstance(value, int) else 0


def consumer_timeout(table: Table) -> int | None:
    """x-consumer-timeout of a basic.consume in ms, 0 for no limit; None without one. Checked before."""
    value = table.get("x-consumer-timeout")
    return value if isinstance(value, int) else None
