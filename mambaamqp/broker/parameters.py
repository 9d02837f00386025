"""What administrators have set at run time, durable: policies now, and what else stands beside topology.

Each is a JSON object under (component, virtual host, name), as RabbitMQ's runtime parameters are; "" is the
virtual host of what belongs to none. A change is written into the journal and applied; recovery applies the
same values through the same table. Whether somebody may change it, and whether a value can be one, has been
asked before (`administration`). What a journal holds and this version cannot apply is reported and kept.
"""

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mambaamqp.broker import accounts, policy
from mambaamqp.broker.events import ARGUMENTS
from mambaamqp.errors import MambaError, PreconditionFailed
from mambaamqp.store import records
from mambaamqp.store.journal import Journal

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker

log = logging.getLogger("mambaamqp.broker")

POLICY: Final = "policy"
OPERATOR_POLICY: Final = "operator_policy"
VHOST: Final = "vhost"
VHOST_LIMITS: Final = "vhost-limits"
LIMITS_NAME: Final = "limits"
"""Under which the limits of a virtual host stand."""
USER: Final = "user"
USER_LIMITS: Final = "user-limits"
PERMISSION: Final = "permission"
TOPIC_PERMISSION: Final = "topic_permission"
"""Under the name of the user, as permissions; all its exchanges together."""
PAUSED: Final = "paused"
"""Under the name of a queue to which nothing is delivered until further notice."""
STAND_IN: Final = "stand_in"
"""Under the name of the user that was there for want of others, until somebody changed users."""

UNTOLD: Final = frozenset({PAUSED, STAND_IN})
"""What is no event by itself."""
EVENTS: Final[dict[str, tuple[str, str, str]]] = {
    POLICY: ("policy.set", "policy.set", "policy.cleared"),
    VHOST: ("vhost.created", "vhost.metadata.set", "vhost.deleted"),
    VHOST_LIMITS: ("vhost.limits.set", "vhost.limits.set", "vhost.limits.cleared"),
    USER: ("user.created", "user.changed", "user.deleted"),
    USER_LIMITS: ("user.limits.set", "user.limits.set", "user.limits.cleared"),
    PERMISSION: ("permission.created", "permission.created", "permission.deleted"),
    TOPIC_PERMISSION: ("topic.permission.created", "topic.permission.created", "topic.permission.deleted"),
}
"""What events call it when something is set, set anew, cleared."""
SECRET: Final = frozenset({"password_hash"})
"""Of a value; nobody is told."""

PARAMETER_BYTES_MAX: Final = 65_536
"""Of one value; all that is of use is far smaller."""

Key = tuple[str, str, str]
"""Component, virtual host, name."""


class Parameters:
    """All that is set in one broker."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.values: dict[Key, dict[str, Any]] = {}

    def get(self, component: str, vhost: str, name: str) -> dict[str, Any] | None:
        """What is set; None if nothing is."""
        return self.values.get((component, vhost, name))

    def of(self, component: str) -> list[tuple[str, str, dict[str, Any]]]:
        """(virtual host, name, value) of all of a component, sorted."""
        found = [key for key in self.values if key[0] == component]
        return [(key[1], key[2], self.values[key]) for key in sorted(found)]

    def put(self, component: str, vhost: str, name: str, value: dict[str, Any]) -> None:
        """Set something, whatever was set there before; the same again is not written again."""
        key = (component, vhost, name)
        if self.values.get(key) == value:
            return
        octets = _octets(value)
        if len(octets) > PARAMETER_BYTES_MAX:
            raise PreconditionFailed(f"{component} '{name}' is larger than {PARAMETER_BYTES_MAX} bytes")
        self.broker.journal.append(records.parameter(component, vhost, name, octets))
        self._tell(key, value)
        self._set(key, value)

    def clear(self, component: str, vhost: str, name: str) -> bool:
        """False if nothing was set."""
        key = (component, vhost, name)
        if key not in self.values:
            return False
        self.broker.journal.append(records.parameter(component, vhost, name, b""))
        self._tell(key, None)
        self._set(key, None)
        return True

    def _tell(self, key: Key, value: dict[str, Any] | None) -> None:
        """Let who listens know of a change that comes."""
        component, vhost, name = key
        if component in UNTOLD:
            return
        kinds = EVENTS.get(component, ("parameter.set", "parameter.set", "parameter.cleared"))
        kind = kinds[2] if value is None else kinds[1] if key in self.values else kinds[0]
        facts: dict[str, Any] = {"component": component, "vhost": vhost, "name": name}
        shown = {word: said for word, said in (value or {}).items() if word not in SECRET}
        self.broker.events.tell(kind, {**facts, ARGUMENTS: shown})

    def restore(self, component: str, vhost: str, name: str, octets: bytes) -> None:
        """Something that the journal holds; empty: it was cleared."""
        try:
            self._set((component, vhost, name), json.loads(octets) if octets else None)
        except (MambaError, ValueError, TypeError, AttributeError, RecursionError) as error:
            log.error("%s '%s' in vhost '%s' has no effect: %s", component, name, vhost, error)

    def forget_vhost(self, vhost: str) -> None:
        """A virtual host is gone, and all that was set in it."""
        for key in [key for key in self.values if key[1] == vhost]:
            del self.values[key]

    def write(self, journal: Journal) -> None:
        """Say all of it again, for a checkpoint."""
        for (component, vhost, name), value in self.values.items():
            journal.append(records.parameter(component, vhost, name, _octets(value)))

    def _set(self, key: Key, value: dict[str, Any] | None) -> None:
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value
        apply = APPLIED.get(key[0])
        if apply is not None:
            apply(self.broker, key[1], key[2], value)


def _octets(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


# What follows from a value, or from None: it was cleared.


def _policy(broker: "Broker", vhost_name: str, name: str, value: dict[str, Any] | None) -> None:
    vhost = broker.put_vhost(vhost_name)
    _have(vhost.policies.plain, name, value, operator=False)
    vhost.govern()


def _operator_policy(broker: "Broker", vhost_name: str, name: str, value: dict[str, Any] | None) -> None:
    vhost = broker.put_vhost(vhost_name)
    _have(vhost.policies.operator, name, value, operator=True)
    vhost.govern()


def _paused(broker: "Broker", vhost_name: str, name: str, value: dict[str, Any] | None) -> None:
    queue = broker.put_vhost(vhost_name).queues.get(name)
    if queue is not None and value is None:
        queue.resume()
    elif queue is not None:
        queue.pause()


def _have(
    policies: dict[str, policy.Policy], name: str, value: dict[str, Any] | None, *, operator: bool
) -> None:
    policies.pop(name, None)
    if value is not None:
        policies[name] = policy.parse(name, value, operator=operator)


APPLIED: Final[dict[str, Callable[["Broker", str, str, dict[str, Any] | None], None]]] = {
    POLICY: _policy,
    OPERATOR_POLICY: _operator_policy,
    VHOST: accounts.apply_vhost,
    VHOST_LIMITS: accounts.apply_vhost_limits,
    USER: accounts.apply_user,
    USER_LIMITS: accounts.apply_user_limits,
    PERMISSION: accounts.apply_permission,
    TOPIC_PERMISSION: accounts.apply_topics,
    STAND_IN: accounts.apply_stand_in,
    PAUSED: _paused,
}
