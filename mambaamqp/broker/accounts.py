"""Users, permissions and virtual hosts that are set at run time: what is written down of them, and applied.

The configuration goes first: what it says about a user stands, whatever is stored. Values are objects as
RabbitMQ's definitions have them, without the names under which they stand.
"""

from typing import TYPE_CHECKING, Any, Final

from mambaamqp.access.passwords import check_hash
from mambaamqp.access.permissions import Permission, TopicPermission
from mambaamqp.access.users import User
from mambaamqp.broker.admission import (
    MAX_CONNECTIONS,
    MAX_QUEUES,
    USER_LIMITS,
    VHOST_LIMITS,
    limit_of,
    parse_limits,
)
from mambaamqp.errors import ConfigError, PreconditionFailed

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker

Value = dict[str, Any]

DEFAULT_TYPES: Final = ("", "classic", "quorum", "stream", "undefined")


def parse_user(name: str, value: Value) -> User:
    """A user; 406 for a hash that cannot be used. An empty hash is that of nobody's password."""
    tags = value.get("tags", [])
    password_hash = value.get("password_hash", "")
    if not isinstance(password_hash, str) or not _are_texts(tags):
        raise PreconditionFailed(f"user '{name}': password_hash must be text, tags a list of texts")
    try:
        kept = check_hash(password_hash) if password_hash else ""
    except ConfigError as error:
        raise PreconditionFailed(f"user '{name}': password_hash {error}") from None
    return User(name, kept, frozenset(tags))


def parse_permission(value: Value) -> Permission:
    """What a user may do in a virtual host; 406 for what is no pattern."""
    configure, write, read = value.get("configure", ""), value.get("write", ""), value.get("read", "")
    if not _are_texts([configure, write, read]):
        raise PreconditionFailed("configure, write and read must be regular expressions in quotes")
    try:
        return Permission(configure=configure, write=write, read=read)
    except ConfigError as error:
        raise PreconditionFailed(f"permission: {error}") from None


def parse_topics(user: str, vhost: str, value: Value) -> dict[str, TopicPermission]:
    """Exchange → what a user may do with routing keys there; 406 for what is no pattern."""
    found: dict[str, TopicPermission] = {}
    for exchange, patterns in value.items():
        if not isinstance(patterns, dict) or not _are_texts(list(patterns.values())):
            raise PreconditionFailed("write and read must be regular expressions in quotes")
        rule = TopicPermission(write=patterns.get("write", ""), read=patterns.get("read", ""))
        try:
            rule.bound(user, vhost)
        except ConfigError as error:
            raise PreconditionFailed(f"topic permission: {error}") from None
        found[exchange] = rule
    return found


def check_vhost(name: str, value: Value) -> Value:
    """What is said of a virtual host itself; 406 for what it cannot mean."""
    if not isinstance(value.get("tracing", False), bool):
        raise PreconditionFailed(f"vhost '{name}': tracing must be true or false")
    kind = value.get("default_queue_type", "")
    if kind not in DEFAULT_TYPES:
        raise PreconditionFailed(f"vhost '{name}': default_queue_type {kind!r} is not supported")
    return value


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


# What follows from a value, or from None: it was cleared.


def apply_vhost(broker: "Broker", vhost_name: str, name: str, value: Value | None) -> None:
    """A virtual host that the configuration need not name."""
    if value is None:
        return
    kind = check_vhost(vhost_name, value).get("default_queue_type", "")
    broker.access.add_vhost(vhost_name)
    vhost = broker.put_vhost(vhost_name)
    vhost.default_queue_type = "" if kind == "undefined" else kind
    vhost.trace(value.get("tracing") is True)


def apply_vhost_limits(broker: "Broker", vhost_name: str, name: str, value: Value | None) -> None:
    limits = {} if value is None else parse_limits(value, VHOST_LIMITS, "limits")
    vhost = broker.put_vhost(vhost_name)
    vhost.connections_max = limit_of(limits, MAX_CONNECTIONS)
    vhost.queues_max = limit_of(limits, MAX_QUEUES)


def apply_user(broker: "Broker", vhost_name: str, name: str, value: Value | None) -> None:
    if name in broker.access.configured:
        return
    if value is None:
        broker.access.remove_user(name)
        return
    user = parse_user(name, value)
    broker.access.retire_stand_in()
    broker.access.put_user(user)


def apply_user_limits(broker: "Broker", vhost_name: str, name: str, value: Value | None) -> None:
    if value is None:
        broker.admission.user_limits.pop(name, None)
    else:
        broker.admission.user_limits[name] = parse_limits(value, USER_LIMITS, "user-limits")


def apply_permission(broker: "Broker", vhost_name: str, name: str, value: Value | None) -> None:
    if broker.access.is_configured(name, vhost_name):
        return
    if value is None:
        broker.access.clear_permission(name, vhost_name)
    else:
        broker.access.set_permission(name, vhost_name, parse_permission(value))


def apply_stand_in(broker: "Broker", vhost_name: str, name: str, value: Value | None) -> None:
    """Whoever stood in for others does so no more; what is said about its routing keys still counts."""
    broker.access.retire_stand_in()
    for vhost, user, topics in broker.parameters.of("topic_permission"):
        if user == name:
            apply_topics(broker, vhost, user, topics)


def apply_topics(broker: "Broker", vhost_name: str, name: str, value: Value | None) -> None:
    rules = {} if value is None else parse_topics(name, vhost_name, value)
    broker.access.set_topic_permissions(name, vhost_name, rules)
