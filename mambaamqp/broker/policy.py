"""Policies: what an administrator lays over queues and exchanges by their names.

Each queue and exchange is under one policy and one operator policy at most: of those that match its name
and kind, the one of the highest priority, and among equals the first by name. A policy of a kind of queue
with keys that this kind does not know is not for it. Refuses to know what a definition means
(`policy_definition`) and what follows from a change (`vhost`).
"""

import re
from typing import Any, Final

from mambaamqp.access.patterns import compile_pattern
from mambaamqp.broker.policy_definition import Definition, check_definition, invalid, merged
from mambaamqp.errors import ConfigError
from mambaamqp.wire.table import INTEGER_MAX, INTEGER_MIN

EXCHANGE: Final = "exchanges"
QUEUES: Final[dict[str, str]] = {
    "classic": "classic_queues",
    "quorum": "quorum_queues",
    "stream": "streams",
}
"""Type of a queue → how `apply-to` names it."""
APPLY_TO: Final = ("queues", *QUEUES.values(), EXCHANGE, "all")

STREAM_KEYS: Final = frozenset(
    {"initial-cluster-size", "max-age", "stream-filter-size-bytes", "stream-max-segment-size-bytes"}
)
UNFIT: Final[dict[str, frozenset[str]]] = {
    "classic_queues": STREAM_KEYS | {"dead-letter-strategy", "target-group-size"},
    "quorum_queues": STREAM_KEYS | {"queue-mode"},
    "streams": frozenset(
        {
            "consumer-timeout",
            "dead-letter-exchange",
            "dead-letter-routing-key",
            "dead-letter-strategy",
            "delivery-limit",
            "expires",
            "ha-mode",
            "ha-params",
            "ha-promote-on-failure",
            "ha-promote-on-shutdown",
            "ha-sync-mode",
            "max-in-memory-bytes",
            "max-in-memory-length",
            "max-length",
            "message-ttl",
            "overflow",
            "queue-master-locator",
            "queue-mode",
            "target-group-size",
        }
    ),
}
"""Keys that a kind of queue does not know. A delivery limit is for classic queues too, here."""


class Policy:
    """One policy, or operator policy, of a virtual host."""

    def __init__(self, name: str, pattern: str, definition: Definition, priority: int, apply_to: str) -> None:
        self.name = name
        self.pattern = pattern
        self.definition = definition
        self.priority = priority
        self.apply_to = apply_to
        # An empty pattern is that of every name here, not of the empty one.
        self._compiled: re.Pattern[str] = compile_pattern(pattern or "^")

    def matches(self, name: str, kind: str) -> bool:
        """Whether the policy is for the queue or exchange of that name; `kind` as in `apply-to`."""
        if self.apply_to not in ("all", kind) and (self.apply_to != "queues" or kind == EXCHANGE):
            return False
        if not UNFIT.get(kind, frozenset()).isdisjoint(self.definition):
            return False
        try:
            return self._compiled.search(name) is not None
        except (re.error, RecursionError, SystemError, MemoryError):
            return False

    def value(self) -> dict[str, Any]:
        """All but the name, as RabbitMQ writes it down."""
        return {
            "pattern": self.pattern,
            "definition": self.definition,
            "priority": self.priority,
            "apply-to": self.apply_to,
        }


def parse(name: str, value: dict[str, Any], *, operator: bool) -> Policy:
    """A policy out of what is written down of it; 406 in RabbitMQ's words for what cannot be one."""
    pattern = value.get("pattern")
    if not isinstance(pattern, str):
        raise invalid("pattern should be a regular expression in quotes")
    priority = value.get("priority", 0)
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise invalid("priority should be number")
    if not INTEGER_MIN <= priority <= INTEGER_MAX:
        raise invalid("priority should fit 64 bits")
    apply_to = value.get("apply-to", "all")
    if apply_to not in APPLY_TO:
        raise invalid(f"apply-to '{apply_to}' unrecognised; should be one of {', '.join(APPLY_TO)}")
    definition = check_definition(value.get("definition"), operator=operator)
    try:
        return Policy(name, pattern, definition, priority, apply_to)
    except ConfigError as error:
        raise invalid(f"pattern should be regular expression but is invalid: {error}") from None


class Rule:
    """What is laid over one queue or exchange: the policies' names, "" without one, and the definition."""

    def __init__(self, policy: str, operator_policy: str, definition: Definition) -> None:
        self.policy = policy
        self.operator_policy = operator_policy
        self.definition = definition


NO_RULE: Final = Rule("", "", {})


class Policies:
    """All policies of one virtual host."""

    def __init__(self) -> None:
        self.plain: dict[str, Policy] = {}
        self.operator: dict[str, Policy] = {}

    @property
    def is_empty(self) -> bool:
        """Whether there is none at all."""
        return not self.plain and not self.operator

    def rule_for(self, name: str, kind: str) -> Rule:
        """What is laid over the queue or exchange of that name; `kind` as in `apply-to`."""
        policy = _first(self.plain, name, kind)
        operator = _first(self.operator, name, kind)
        if policy is None and operator is None:
            return NO_RULE
        definition = merged(
            {} if policy is None else policy.definition, {} if operator is None else operator.definition
        )
        return Rule(
            "" if policy is None else policy.name, "" if operator is None else operator.name, definition
        )


def _first(policies: dict[str, Policy], name: str, kind: str) -> Policy | None:
    found: Policy | None = None
    for policy in policies.values():
        if found is not None and (-policy.priority, policy.name) > (-found.priority, found.name):
            continue
        if policy.matches(name, kind):
            found = policy
    return found
