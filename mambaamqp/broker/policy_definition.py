"""What a policy may ask for, key by key, and what is left of it beside other wishes.

Three may speak about one thing: the operator policy, the policy, and the queue's own arguments. Of numbers
the smallest counts, whoever asks for it; for anything else the argument goes before the operator policy, and
that before the policy. Over a stream, policies go before arguments. Refuses to know which queues a policy is
about. Source: RabbitMQ "Policies".
"""

from collections.abc import Callable
from typing import Any, Final

from mambaamqp.broker.argument_values import (
    BACKOFFS,
    LOCATORS,
    OVERFLOWS,
    PERCENT_MAX,
    RETRY_TYPES,
    STRATEGIES,
    age_ms,
    is_age,
)
from mambaamqp.broker.arguments import (
    DELIVERY_LIMIT_DEFAULT,
    QueueArguments,
    retry_of,
    stored_queue_arguments,
)
from mambaamqp.broker.deduplication import HEADER
from mambaamqp.broker.retry import DELAY_MS_MAX
from mambaamqp.broker.terms import term
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import INTEGER_MAX, INTEGER_MIN, Table

Definition = dict[str, Any]
"""Key → value as JSON has them."""


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and INTEGER_MIN <= value <= INTEGER_MAX


def _non_negative(value: Any) -> bool:
    return _integer(value) and value >= 0


def _positive(value: Any) -> bool:
    return _integer(value) and value > 0


def _text(value: Any) -> bool:
    """Text that fits where names stand: 255 octets."""
    return isinstance(value, str) and len(value.encode(errors="replace")) <= 255


def _mode(value: Any) -> bool:
    return value in ("default", "lazy")


def _version(value: Any) -> bool:
    return _integer(value) and value in (1, 2)


def _overflow(value: Any) -> bool:
    return value in OVERFLOWS


def _strategy(value: Any) -> bool:
    return value in STRATEGIES


def _retry_type(value: Any) -> bool:
    return value in RETRY_TYPES


def _delay(value: Any) -> bool:
    return _non_negative(value) and value <= DELAY_MS_MAX


def _backoff(value: Any) -> bool:
    return value in BACKOFFS


def _percentage(value: Any) -> bool:
    return _non_negative(value) and value <= PERCENT_MAX


def _locator(value: Any) -> bool:
    return value in LOCATORS


def _age(value: Any) -> bool:
    return isinstance(value, str) and is_age(value)


def _persistence(value: Any) -> bool:
    return value in ("disk", "memory")


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _anything(value: Any) -> bool:
    return True


Check = tuple[Callable[[Any], bool], str]

KEYS: Final[dict[str, Check]] = {
    "alternate-exchange": (_text, "is not a valid alternate exchange name"),
    "consumer-timeout": (_non_negative, "is not a valid consumer timeout"),
    "dead-letter-exchange": (_text, "is not a valid dead letter exchange name"),
    "dead-letter-routing-key": (_text, "is not a valid dead letter routing key"),
    "dead-letter-strategy": (_strategy, "is not a valid dead letter strategy"),
    "delayed-retry-backoff": (_backoff, "is not a valid delayed retry backoff"),
    "delayed-retry-jitter": (_percentage, "is not a valid delayed retry jitter"),
    "delayed-retry-max": (_delay, "is not a valid delayed retry max"),
    "delayed-retry-min": (_delay, "is not a valid delayed retry min"),
    "delayed-retry-type": (_retry_type, "is not a valid delayed retry type"),
    "delivery-limit": (_integer, "is not a valid delivery limit"),
    "expires": (_positive, "is not a valid queue expiry"),
    "max-age": (_age, "is not a valid max age"),
    "max-length": (_non_negative, "is not a valid maximum length"),
    "max-length-bytes": (_non_negative, "is not a valid maximum length in bytes"),
    "message-ttl": (_non_negative, "is not a valid message TTL"),
    "overflow": (_overflow, "is not a valid overflow value"),
    "stream-max-segment-size-bytes": (_positive, "is not a valid segment size"),
    "x-cache-persistence": (_persistence, "is not a valid x-cache-persistence: either disk or memory"),
    "x-cache-size": (_positive, "is not a valid x-cache-size: an integer greater than 0"),
    "x-cache-ttl": (_positive, "is not a valid x-cache-ttl: an integer greater than 0"),
    "x-message-deduplication": (_boolean, "is not a valid x-message-deduplication: a boolean"),
}
"""What has an effect here: whether a value is legal, and RabbitMQ's words if not."""

WITHOUT_EFFECT: Final[dict[str, Check]] = {
    "ha-mode": (_anything, ""),
    "ha-params": (_anything, ""),
    "ha-promote-on-failure": (_anything, ""),
    "ha-promote-on-shutdown": (_anything, ""),
    "ha-sync-batch-size": (_anything, ""),
    "ha-sync-mode": (_anything, ""),
    "initial-cluster-size": (_positive, "is not a valid cluster size"),
    "max-in-memory-bytes": (_non_negative, "is not a valid maximum memory in bytes"),
    "max-in-memory-length": (_non_negative, "is not a valid maximum memory in messages"),
    "queue-leader-locator": (_locator, "is not a valid queue leader locator value"),
    "queue-master-locator": (_locator, "invalid queue-master-locator value"),
    "queue-mode": (_mode, "is not a valid queue-mode value"),
    "queue-version": (_version, "is not a valid queue-version value"),
    "stream-filter-size-bytes": (_positive, "is not a valid filter size"),
    "target-group-size": (_positive, "is not a valid target group size"),
}
"""What RabbitMQ's policies have besides: taken, checked and kept, so that definitions come and go whole."""

OPERATOR_KEYS: Final = frozenset(
    {
        "delivery-limit",
        "expires",
        "max-in-memory-bytes",
        "max-in-memory-length",
        "max-length",
        "max-length-bytes",
        "message-ttl",
        "overflow",
        "queue-version",
        "target-group-size",
    }
)
SMALLEST: Final = frozenset(
    {
        "expires",
        "max-in-memory-bytes",
        "max-in-memory-length",
        "max-length",
        "max-length-bytes",
        "message-ttl",
    }
)
"""Numbers of which the smallest counts."""


def check_definition(definition: Any, *, operator: bool) -> Definition:
    """The definition itself, if it is one; else 406 in RabbitMQ's words."""
    if not isinstance(definition, dict) or not definition:
        raise invalid("no policy provided")
    known = {**KEYS, **WITHOUT_EFFECT}
    strange = {
        key: value
        for key, value in sorted(definition.items())
        if key not in known or (operator and key not in OPERATOR_KEYS)
    }
    if strange:
        pairs = ",".join([f"{{{term(key)},{term(value)}}}" for key, value in strange.items()])
        raise invalid(f"[{pairs}] are not recognised policy settings")
    for key, value in sorted(definition.items()):
        check, complaint = known[key]
        if not check(value):
            raise invalid(f"{term(value)} {complaint}")
    return definition


def invalid(reason: str) -> PreconditionFailed:
    """RabbitMQ's refusal of a policy."""
    return PreconditionFailed(f"Validation failed\n\n{reason}\n")


def merged(policy: Definition, operator: Definition) -> Definition:
    """What policy and operator policy ask for together."""
    together = policy | operator
    for key in policy.keys() & operator.keys():
        together[key] = _resolved(key, policy[key], operator[key])
    return together


def _resolved(key: str, value: Any, stronger: Any) -> Any:
    if key == "delivery-limit":
        return _delivery_limit(value, stronger)
    return min(value, stronger) if key in SMALLEST else stronger


def _delivery_limit(one: int, other: int) -> int:
    """A negative one is no limit, so that the other counts."""
    return max(one, other) if one < 0 or other < 0 else min(one, other)


def arguments_under(
    table: Table, definition: Definition, quorum_delivery_limit: int | None = DELIVERY_LIMIT_DEFAULT
) -> QueueArguments:
    """What a queue with the arguments `table` is to do under a definition."""
    arguments = stored_queue_arguments(table, quorum_delivery_limit)
    if arguments.queue_type == "stream":
        _lay_over_stream(arguments, definition)
        return arguments
    arguments.message_ttl_ms = _smaller(arguments.message_ttl_ms, definition.get("message-ttl"))
    arguments.expires_ms = _smaller(arguments.expires_ms, definition.get("expires"))
    arguments.max_length = _smaller(arguments.max_length, definition.get("max-length"))
    arguments.max_length_bytes = _smaller(arguments.max_length_bytes, definition.get("max-length-bytes"))
    arguments.consumer_timeout_ms = _shorter(
        arguments.consumer_timeout_ms, definition.get("consumer-timeout")
    )
    if arguments.dead_letter_exchange is None:
        arguments.dead_letter_exchange = definition.get("dead-letter-exchange")
    if arguments.dead_letter_routing_key is None:
        arguments.dead_letter_routing_key = definition.get("dead-letter-routing-key")
    if table.get("x-overflow") is None:
        arguments.overflow = definition.get("overflow", arguments.overflow)
    if "x-message-deduplication" not in table and definition.get("x-message-deduplication"):
        arguments.unique_by = HEADER
    if table.get("x-dead-letter-strategy") is None:
        arguments.dead_letter_strategy = definition.get("dead-letter-strategy", "at-most-once")
    arguments.retry = retry_of(table, definition)
    limit = definition.get("delivery-limit")
    if limit is not None:
        own = table.get("x-delivery-limit")
        arguments.delivery_limit = limit if own is None else _delivery_limit(own, limit)
    return arguments


def _lay_over_stream(arguments: QueueArguments, definition: Definition) -> None:
    """Of a stream, unlike other queues, a policy goes before the arguments."""
    if "max-age" in definition:
        arguments.max_age_ms = age_ms(definition["max-age"])
    if "max-length-bytes" in definition:
        arguments.max_length_bytes = definition["max-length-bytes"]
    if "stream-max-segment-size-bytes" in definition:
        arguments.segment_bytes = definition["stream-max-segment-size-bytes"]


def _smaller(own: int | None, other: int | None) -> int | None:
    if own is None or other is None:
        return other if own is None else own
    return min(own, other)


def _shorter(own: int | None, other: int | None) -> int | None:
    """Of two time limits; 0 is none."""
    return _smaller(own, other) if own != 0 and other != 0 else own or other or 0
