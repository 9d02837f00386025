"""Which values the x-arguments of queues and consumers may have, and RabbitMQ's words for the others.

A check takes the value, its table (for the value's type) and its key, and returns the problem as RabbitMQ
prints it, or nothing. The tables are in the order in which RabbitMQ checks: of several problems a client is
told the first. Refuses to know which arguments a type of queue has.
Source: RabbitMQ 4.x; x-queue-version as up to 4.2.
"""

from collections.abc import Callable
from typing import Final

from mambaamqp.broker.terms import term
from mambaamqp.wire.table import Table, Timestamp, Value

Check = Callable[[Value, Table, str], str]

TIME_MS_MAX: Final = 315_360_000_000
"""Ten years, RabbitMQ's bound for every time span."""
PRIORITY_MAX: Final = 255
VERSION_MAX: Final = 2

OVERFLOWS: Final = ("drop-head", "reject-publish", "reject-publish-dlx")
STRATEGIES: Final = ("at-most-once", "at-least-once")
LOCATORS: Final = ("client-local", "balanced", "random", "least-leaders", "min-masters")
"""The last three are names of old for `balanced`."""
RETRY_TYPES: Final = ("disabled", "all", "failed", "returned")
BACKOFFS: Final = ("linear", "exponential")
PERCENT_MAX: Final = 100
AGE_UNITS: Final[dict[str, int]] = {
    "Y": 365 * 86_400,
    "M": 30 * 86_400,
    "D": 86_400,
    "h": 3600,
    "m": 60,
    "s": 1,
}
"""Unit of an age → its seconds."""
AGE_DIGITS_MAX: Final = 12
"""More are not read: turning a long text into a number is quadratic."""
STREAM_OFFSETS: Final = ("first", "last", "next")


def integer(value: Value, table: Table, key: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return f'"expected integer, got {table.kind(key)}"'
    return ""


def non_negative(value: Value, table: Table, key: str) -> str:
    return integer(value, table, key) or (f"{{value_negative,{value}}}" if value < 0 else "")


def positive(value: Value, table: Table, key: str) -> str:
    return non_negative(value, table, key) or ("" if value else "{value_zero,0}")


def time_span(value: Value, table: Table, key: str) -> str:
    problem = non_negative(value, table, key)
    return problem or (f"{{value_too_large,{value}}}" if value > TIME_MS_MAX else "")


def expires(value: Value, table: Table, key: str) -> str:
    return time_span(value, table, key) or ("" if value else "{value_zero,0}")


def max_priority(value: Value, table: Table, key: str) -> str:
    problem = non_negative(value, table, key)
    return problem or (f"{{max_value_exceeded,{value}}}" if value > PRIORITY_MAX else "")


def version(value: Value, table: Table, key: str) -> str:
    problem = non_negative(value, table, key)
    return problem or (f"\"unsupported queue version '{value}'\"" if value > VERSION_MAX else "")


def boolean(value: Value, table: Table, key: str) -> str:
    return "" if isinstance(value, bool) else unacceptable(table, key)


def text(value: Value, table: Table, key: str) -> str:
    """A long string that is UTF-8: what is no text can be no name."""
    return "" if isinstance(value, str) else unacceptable(table, key)


def unacceptable(table: Table, key: str) -> str:
    """The value is of a type that the argument cannot have."""
    return f"{{unacceptable_type,{table.kind(key)}}}"


def unsupported_type(table: Table) -> str:
    """What is wrong with an x-queue-type that nobody knows."""
    value = table.get("x-queue-type")
    if not isinstance(value, str):
        return unacceptable(table, "x-queue-type")
    return f"\"unsupported queue type '{value}'\""


def routing_key(value: Value, table: Table, key: str) -> str:
    problem = text(value, table, key)
    if problem or "x-dead-letter-exchange" in table:
        return problem
    return "routing_key_but_no_dlx_defined"


def overflow(value: Value, table: Table, key: str) -> str:
    return text(value, table, key) or ("" if value in OVERFLOWS else "invalid_overflow")


def strategy(value: Value, table: Table, key: str) -> str:
    return text(value, table, key) or ("" if value in STRATEGIES else "invalid_dlx_strategy")


def retry_type(value: Value, table: Table, key: str) -> str:
    return text(value, table, key) or ("" if value in RETRY_TYPES else "invalid_delayed_retry_type")


def backoff(value: Value, table: Table, key: str) -> str:
    return text(value, table, key) or ("" if value in BACKOFFS else "invalid_delayed_retry_backoff")


def percentage(value: Value, table: Table, key: str) -> str:
    problem = non_negative(value, table, key)
    return problem or (f"{{max_value_exceeded,{value}}}" if value > PERCENT_MAX else "")


def locator(value: Value, table: Table, key: str) -> str:
    return text(value, table, key) or ("" if value in LOCATORS else "invalid_queue_locator_arg")


def placement_tag(value: Value, table: Table, key: str) -> str:
    return text(value, table, key) or ("" if value else "invalid_member_placement_tag_arg")


def max_age(value: Value, table: Table, key: str) -> str:
    return text(value, table, key) or ("" if is_age(value) else "invalid_max_age")


def is_age(value: str) -> bool:
    """Whether it is a number of at least 1 and one of six units, e.g. `7D`."""
    number, unit = value[:-1], value[-1:]
    return unit in AGE_UNITS and number.isascii() and number.isdecimal() and bool(number.strip("0"))


def age_ms(value: str) -> int:
    """A time span like `7D` in milliseconds; of a number that nobody lives to see, fewer."""
    digits = value[:-1].lstrip("0")
    return int(digits[:AGE_DIGITS_MAX]) * AGE_UNITS[value[-1]] * 1000


def stream_offset(value: Value, table: Table, key: str) -> str:
    """Where a consumer of a stream begins: a name, a time span, a number or a moment."""
    if isinstance(value, str):
        legal = value in STREAM_OFFSETS or is_age(value)
    else:
        legal = isinstance(value, (int, Timestamp)) and not isinstance(value, bool)
    return "" if legal else f"{{invalid_stream_offset_arg,{{{table.kind(key)},{term(value)}}}}}"


QUEUE_CHECKS: Final[dict[str, Check]] = {
    "x-expires": expires,
    "x-message-ttl": time_span,
    "x-dead-letter-exchange": text,
    "x-dead-letter-routing-key": routing_key,
    "x-dead-letter-strategy": strategy,
    "x-max-length": non_negative,
    "x-max-length-bytes": non_negative,
    "x-max-in-memory-length": non_negative,
    "x-max-in-memory-bytes": non_negative,
    "x-max-priority": max_priority,
    "x-overflow": overflow,
    "x-queue-version": version,
    "x-single-active-consumer": boolean,
    "x-delivery-limit": integer,
    "x-consumer-timeout": time_span,
    "x-consumer-disconnected-timeout": non_negative,
    "x-delayed-retry-type": retry_type,
    "x-delayed-retry-min": time_span,
    "x-delayed-retry-max": time_span,
    "x-delayed-retry-backoff": backoff,
    "x-delayed-retry-jitter": percentage,
    "x-quorum-initial-group-size": positive,
    "x-max-age": max_age,
    "x-stream-max-segment-size-bytes": non_negative,
    "x-stream-filter-size-bytes": non_negative,
    "x-initial-cluster-size": positive,
    "x-queue-leader-locator": locator,
    "x-member-placement-tag": placement_tag,
}

CONSUMER_CHECKS: Final[dict[str, Check]] = {
    "x-priority": integer,
    "x-stream-offset": stream_offset,
    "x-consumer-timeout": time_span,
}
