"""The history of a dead letter: x-death and its companions, to RabbitMQ's letter.

Pure functions from header octets to header octets. `x-death` lists the deaths of a message, the latest
first; the same queue and reason again raises the count and moves the entry to the front. A client's own
x-death means nothing: only a header that the broker wrote itself (`ours`) is read.
"""

from typing import Final

from mambaamqp.wire import properties
from mambaamqp.wire.table import Timestamp, Value, encode_value

X_DEATH: Final = "x-death"
REJECTED: Final = "rejected"
DEATHS_MAX: Final = 128
"""Entries that x-death keeps, the latest. Each hop of a chain of dead-letter queues reads them all again."""


def death_headers(
    header: bytes,
    queue: str,
    reason: str,
    exchange: str,
    routing_keys: list[str],
    time_seconds: int,
    ours: bool,
) -> bytes:
    """The content header of a message that died in `queue` for `reason`; its expiration is taken out.

    `exchange` and `routing_keys` (CC included) are those it was published with; the time counts for a first
    death of this queue and reason.
    """
    deaths = _deaths(header) if ours else []
    expiration = properties.get(header, "expiration")
    put: dict[str, bytes] = {}
    latest = _record(deaths, queue, reason, exchange, routing_keys, time_seconds, expiration)
    earlier = [death for death in deaths if death is not latest]
    put[X_DEATH] = encode_value([latest, *earlier[: DEATHS_MAX - 1]])
    if not ours or not _has_first(header):
        put.update(_companions("first", queue, reason, exchange))
    put.update(_companions("last", queue, reason, exchange))
    new = properties.with_headers(header, put, frozenset())
    return properties.replace(new, {"expiration": None})


def in_cycle(header: bytes, queue: str, ours: bool) -> bool:
    """Whether a dead letter has been in `queue` before without a consumer's rejection since then."""
    if not ours:
        return False
    deaths = _deaths(header)
    for place, death in enumerate(deaths):
        if death.get("queue") == queue:
            return all(other.get("reason") != REJECTED for other in deaths[: place + 1])
    return False


def _deaths(header: bytes) -> list[dict[str, Value]]:
    headers = properties.get(header, "headers")
    value = headers.get(X_DEATH) if headers is not None else None
    if not isinstance(value, list):
        return []
    return [death for death in value if isinstance(death, dict)]


def _has_first(header: bytes) -> bool:
    headers = properties.get(header, "headers")
    return headers is not None and "x-first-death-reason" in headers


def _record(
    deaths: list[dict[str, Value]],
    queue: str,
    reason: str,
    exchange: str,
    routing_keys: list[str],
    time_seconds: int,
    expiration: str | None,
) -> dict[str, Value]:
    """The entry of this death: the known one counted on, or a new one. The keys' order is RabbitMQ's."""
    for death in deaths:
        if death.get("queue") == queue and death.get("reason") == reason:
            count = death.get("count")
            death["count"] = (count if isinstance(count, int) else 0) + 1
            return death
    new: dict[str, Value] = {}
    if expiration is not None:
        new["original-expiration"] = _milliseconds(expiration)
    new["count"] = 1
    new["reason"] = reason
    new["queue"] = queue
    new["time"] = Timestamp(time_seconds)
    new["exchange"] = exchange
    new["routing-keys"] = list(routing_keys)
    return new


def _milliseconds(expiration: str) -> str:
    """An expiration as the number that it was read as: without a sign or zeros in front."""
    digits = expiration.removeprefix("+")
    return (digits.lstrip("0") or "0") if digits.isascii() and digits.isdecimal() else expiration


def _companions(which: str, queue: str, reason: str, exchange: str) -> dict[str, bytes]:
    return {
        f"x-{which}-death-reason": encode_value(reason),
        f"x-{which}-death-queue": encode_value(queue),
        f"x-{which}-death-exchange": encode_value(exchange),
    }
