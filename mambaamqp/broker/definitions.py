"""RabbitMQ's definitions: what its `export_definitions` writes, taken over; and the same written of a broker.

What is there already stays as it is (exchanges, queues, bindings) or is replaced (all that can be set). An
entry that cannot be taken over is reported, and the others are. What has no place here, such as parameters
of plug-ins, is reported too and not kept. Refuses to know files and who asks.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from mambaamqp.broker import accounts, exchanges, parameters, policy
from mambaamqp.broker.admission import USER_LIMITS, VHOST_LIMITS, parse_limits
from mambaamqp.broker.arguments import parse_queue_arguments
from mambaamqp.broker.binding import Binding
from mambaamqp.broker.topology import create_exchange, create_queue
from mambaamqp.errors import MambaError, PreconditionFailed
from mambaamqp.store import records
from mambaamqp.wire.table import Table, encode_entries

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker
    from mambaamqp.broker.vhost import VirtualHost

Entry = dict[str, Any]

SALTED_BYTES: Final = {48: "rabbit_password_hashing_sha256", 92: "rabbit_password_hashing_sha512"}
"""Characters of RabbitMQ's two hashes in base 64 → their names."""
PORTION: Final = 200
"""Entries that a running broker takes over in one go."""
SAID_ELSEWHERE: Final = frozenset(
    {"rabbit_version", "rabbitmq_version", "product_name", "product_version", "rabbitmq_definition_format"}
    | {"original_cluster_name", "explanation", "original_vhost_name", "metadata"}
)
"""What a document says about itself."""


class Import:
    """One document being taken over; `reports` has a line for each entry that was not."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.reports: list[str] = []

    def take(self, document: Entry) -> list[str]:
        """Take over what can be, in the order in which things need each other; returns the reports."""
        for section, take in SECTIONS.items():
            entries = document.get(section, [])
            if not isinstance(entries, list):
                self.reports.append(f"{section}: is not a list")
                continue
            for entry in entries:
                self._take(section, take, entry)
        for section in sorted(document.keys() - SECTIONS.keys() - SAID_ELSEWHERE):
            if document[section]:
                self.reports.append(f"{section}: is not known here")
        return self.reports

    def _take(self, section: str, take: Callable[["Broker", Entry], None], entry: Any) -> None:
        try:
            take(self.broker, entry)
        except KeyError as error:
            self.reports.append(f"{section}: {_named(entry)}: {error} is missing")
        except (MambaError, TypeError, ValueError, AttributeError) as error:
            text = " ".join(str(error).split())
            self.reports.append(f"{section}: {_named(entry)}: {text}")


def portions(document: Entry, entries_max: int = PORTION) -> Iterator[Entry]:
    """A document cut into smaller ones, in the order in which things need each other.

    A running broker takes one after the other over, and does its other work in between.
    """
    for section in SECTIONS:
        entries = document.get(section, [])
        if not isinstance(entries, list):
            yield {section: entries}
            continue
        for at in range(0, len(entries), entries_max):
            yield {section: entries[at : at + entries_max]}
    rest = {section: document[section] for section in document.keys() - SECTIONS.keys()}
    yield {section: "left out" for section in rest if rest[section]}


def _named(entry: Any) -> str:
    """Which entry it was; nothing secret."""
    if not isinstance(entry, dict):
        return "an entry that is no object"
    words = [f"{key} '{entry[key]}'" for key in ("name", "user", "source", "destination") if key in entry]
    return " ".join([*words, f"in vhost '{entry['vhost']}'"] if "vhost" in entry else words)


def _vhost(broker: "Broker", entry: Entry) -> None:
    """Older versions have what is said of it in the entry itself, newer ones in `metadata`."""
    name = _name(entry["name"])
    said = {**entry, **entry.get("metadata", {})}
    value = {
        key: said[key]
        for key in ("description", "tags", "default_queue_type")
        if said.get(key) not in (None, "", [])
    }
    if (broker.parameters.get(parameters.VHOST, name, "") or {}).get("tracing"):
        value["tracing"] = True
    broker.parameters.put(parameters.VHOST, name, "", accounts.check_vhost(name, value))


def _user(broker: "Broker", entry: Entry) -> None:
    name = _name(entry["name"])
    if name in broker.access.configured:
        raise PreconditionFailed("stands in the configuration, which goes first")
    tags = entry.get("tags", [])
    if isinstance(tags, str):
        tags = [tag.strip() for tag in tags.split(",") if tag.strip()]
    value = {"password_hash": entry.get("mambaamqp_password_hash", entry["password_hash"]), "tags": tags}
    accounts.parse_user(name, value)
    limits = parse_limits(_object(entry.get("limits", {})), USER_LIMITS, "user-limits")
    broker.parameters.put(parameters.USER, "", name, value)
    if limits or broker.parameters.get(parameters.USER_LIMITS, "", name):
        broker.parameters.put(parameters.USER_LIMITS, "", name, limits)


def _permission(broker: "Broker", entry: Entry) -> None:
    user, vhost = _user_name(broker, entry), _vhost_of(broker, entry)
    if user in broker.access.configured:
        raise PreconditionFailed("the user stands in the configuration, which goes first")
    value = {right: entry[right] for right in ("configure", "write", "read")}
    accounts.parse_permission(value)
    broker.parameters.put(parameters.PERMISSION, vhost.name, user, value)


def _topic_permission(broker: "Broker", entry: Entry) -> None:
    user, vhost = _user_name(broker, entry), _vhost_of(broker, entry)
    rule = {_name(entry["exchange"]): {"write": entry["write"], "read": entry["read"]}}
    value = (broker.parameters.get(parameters.TOPIC_PERMISSION, vhost.name, user) or {}) | rule
    accounts.parse_topics(user, vhost.name, value)
    broker.parameters.put(parameters.TOPIC_PERMISSION, vhost.name, user, value)


def _policy(broker: "Broker", entry: Entry) -> None:
    _put_policy(broker, entry, _name(entry["name"]), entry, operator=False)


def _put_policy(broker: "Broker", entry: Entry, name: str, value: Entry, *, operator: bool) -> None:
    vhost = _vhost_of(broker, entry)
    given = value | {"definition": _object(value.get("definition"))}
    parsed = policy.parse(name, given, operator=operator)
    component = parameters.OPERATOR_POLICY if operator else parameters.POLICY
    broker.parameters.put(component, vhost.name, name, parsed.value())


def _parameter(broker: "Broker", entry: Entry) -> None:
    """Runtime parameters: of those of RabbitMQ itself two kinds stand here, others are of plug-ins."""
    component, name, value = entry["component"], _name(entry["name"]), _object(entry["value"])
    if component == parameters.OPERATOR_POLICY:
        _put_policy(broker, entry, name, value, operator=True)
    elif component == parameters.VHOST_LIMITS:
        limits = parse_limits(value, VHOST_LIMITS, "limits")
        vhost = _vhost_of(broker, entry)
        broker.parameters.put(component, vhost.name, parameters.LIMITS_NAME, limits)
    else:
        raise PreconditionFailed(f"a parameter of '{component}' has no effect here and was not kept")


def _global_parameter(broker: "Broker", entry: Entry) -> None:
    raise PreconditionFailed("a global parameter has no effect here and was not kept")


def _exchange(broker: "Broker", entry: Entry) -> None:
    vhost, name = _vhost_of(broker, entry), _name(entry["name"])
    if name in vhost.exchanges:
        return
    exchange = exchanges.create(
        entry["type"],
        vhost.name,
        name,
        durable=bool(entry["durable"]),
        auto_delete=bool(entry.get("auto_delete")),
        internal=bool(entry.get("internal")),
        arguments=_table(entry),
    )
    create_exchange(vhost, exchange)


def _queue(broker: "Broker", entry: Entry) -> None:
    vhost, name, table = _vhost_of(broker, entry), _name(entry["name"]), _table(entry)
    if name in vhost.queues:
        return
    durable, auto_delete = bool(entry["durable"]), bool(entry.get("auto_delete"))
    parsed = parse_queue_arguments(
        table,
        name=name,
        vhost=vhost.name,
        durable=durable,
        exclusive=False,
        auto_delete=auto_delete,
        server_named=False,
        quorum_delivery_limit=broker.strictness.compatibility.quorum_delivery_limit,
    )
    create_queue(vhost, name, durable, auto_delete, None, table, parsed)


def _binding(broker: "Broker", entry: Entry) -> None:
    vhost, table, key = _vhost_of(broker, entry), _table(entry), entry["routing_key"]
    to_queue = entry["destination_type"] == "queue"
    names = (entry["source"], entry["destination"])
    source = vhost.exchanges.get(names[0])
    destination = vhost.queues.get(names[1]) if to_queue else vhost.exchanges.get(names[1])
    if source is None or destination is None or not names[0]:
        raise PreconditionFailed("there is nothing to bind")
    source.validate_binding(key, table)
    binding = Binding(source, destination, key, table)
    if vhost.put_binding(binding) and vhost.is_durable(binding):
        broker.journal.append(records.bind(vhost.name, names[0], to_queue, names[1], key.encode(), table.raw))


SECTIONS: Final[dict[str, Callable[["Broker", Entry], None]]] = {
    "vhosts": _vhost,
    "users": _user,
    "permissions": _permission,
    "topic_permissions": _topic_permission,
    "parameters": _parameter,
    "global_parameters": _global_parameter,
    "policies": _policy,
    "exchanges": _exchange,
    "queues": _queue,
    "bindings": _binding,
}


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value.encode()) <= 255:
        raise PreconditionFailed("a name must be 1 to 255 bytes of UTF-8")
    return value


def _vhost_of(broker: "Broker", entry: Entry) -> "VirtualHost":
    vhost = broker.vhosts.get(entry["vhost"])
    if vhost is None:
        raise PreconditionFailed("there is no such virtual host")
    return vhost


def _user_name(broker: "Broker", entry: Entry) -> str:
    name = _name(entry["user"])
    if name not in broker.access.users:
        raise PreconditionFailed("there is no such user")
    return name


def _object(value: Any) -> Any:
    """Some versions write an object as a list of pairs, an empty one as an empty list."""
    if isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        return {pair[0]: pair[1] for pair in value}
    return value


def _table(entry: Entry) -> Table:
    arguments = _object(entry.get("arguments", {}))
    if not isinstance(arguments, dict):
        raise PreconditionFailed("arguments must be an object")
    return Table(encode_entries(arguments))


# Written


def exported(broker: "Broker", version: str) -> Entry:
    """What `Import` takes, of all that is durable; `version` is what the document calls RabbitMQ's."""
    document: Entry = {"rabbit_version": version, "rabbitmq_version": version}
    document["users"] = [_exported_user(broker, name) for name in sorted(u.name for u in broker.access.users)]
    document["vhosts"] = [_exported_vhost(broker, name) for name in sorted(broker.vhosts)]
    document["permissions"] = list(_exported_permissions(broker))
    document["topic_permissions"] = [
        {"user": user, "vhost": vhost, "exchange": exchange, **rule}
        for vhost, user, value in broker.parameters.of(parameters.TOPIC_PERMISSION)
        for exchange, rule in sorted(value.items())
    ]
    document["parameters"] = [
        {"component": component, "vhost": vhost, "name": name, "value": value}
        for component in (parameters.OPERATOR_POLICY, parameters.VHOST_LIMITS)
        for vhost, name, value in broker.parameters.of(component)
    ]
    document["global_parameters"] = []
    document["policies"] = [
        {"vhost": vhost, "name": name, **value}
        for vhost, name, value in broker.parameters.of(parameters.POLICY)
    ]
    vhosts = [broker.vhosts[name] for name in sorted(broker.vhosts)]
    document["queues"] = [entry for vhost in vhosts for entry in _exported_queues(vhost)]
    document["exchanges"] = [entry for vhost in vhosts for entry in _exported_exchanges(vhost)]
    document["bindings"] = [entry for vhost in vhosts for entry in _exported_bindings(vhost)]
    return document


def _exported_user(broker: "Broker", name: str) -> Entry:
    """RabbitMQ cannot read argon2: there such a user has no password, and here the one it had."""
    user = broker.access.users.get(name)
    assert user is not None
    kept = user.password_hash
    entry: Entry = {
        "name": name,
        "tags": sorted(user.tags),
        "limits": broker.parameters.get(parameters.USER_LIMITS, "", name) or {},
        "hashing_algorithm": SALTED_BYTES.get(len(kept), SALTED_BYTES[48]),
        "password_hash": "" if kept.startswith("$") else kept,
    }
    return entry | ({"mambaamqp_password_hash": kept} if kept.startswith("$") else {})


def _exported_vhost(broker: "Broker", name: str) -> Entry:
    said = broker.parameters.get(parameters.VHOST, name, "") or {}
    return {"name": name, "metadata": {"description": "", "tags": []} | said}


def _exported_permissions(broker: "Broker") -> Iterator[Entry]:
    for vhost in broker.access.vhosts:
        for name in sorted(user.name for user in broker.access.users):
            found = broker.access.permission(name, vhost)
            if found is not None:
                rights = {"configure": found.configure, "write": found.write, "read": found.read}
                yield {"user": name, "vhost": vhost, **rights}


def _exported_queues(vhost: "VirtualHost") -> Iterator[Entry]:
    for name, queue in sorted(vhost.queues.items()):
        if queue.journaled and not queue.hidden:
            head = {"name": name, "vhost": vhost.name, "durable": True, "auto_delete": queue.auto_delete}
            yield head | {"arguments": queue.table.values, "type": queue.arguments.queue_type}


def _exported_exchanges(vhost: "VirtualHost") -> Iterator[Entry]:
    for name, exchange in sorted(vhost.exchanges.items()):
        if exchange.durable and name and not name.startswith("amq."):
            head = {"name": name, "vhost": vhost.name, "type": exchange.kind, "durable": True}
            flags = {"auto_delete": exchange.auto_delete, "internal": exchange.internal}
            yield head | flags | {"arguments": exchange.arguments.values}


def _exported_bindings(vhost: "VirtualHost") -> Iterator[Entry]:
    for name, exchange in sorted(vhost.exchanges.items()):
        for binding in exchange.bindings:
            if name and vhost.is_durable(binding):
                yield {
                    "source": name,
                    "vhost": vhost.name,
                    "destination": binding.destination.name,
                    "destination_type": "queue" if binding.destination.is_queue else "exchange",
                    "routing_key": binding.routing_key,
                    "arguments": binding.arguments.values,
                }
