"""What there is, row by row, with RabbitMQ's names of columns: topology, users, rights and policies.

Which things a reply tells of is settled when it is asked for; a row says how its thing is when it is read,
and what has gone by then is left out.
"""

from collections.abc import Callable, Iterator
from typing import Final

from mambaamqp.broker import description, parameters
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.control.counter import Counter
from mambaamqp.control.requests import Reply, Request, Row


def list_queues(counter: Counter, request: Request) -> Reply:
    """All queues, or those of a virtual host."""
    vhosts = counter.vhosts(request)
    request.check_all_read()
    found = [queue for vhost in vhosts for _, queue in sorted(vhost.queues.items()) if not queue.hidden]
    return Reply(_queue(queue) for queue in found if not queue.deleted)


def _queue(queue: Queue) -> Row:
    ready, kept = queue.ready.count, len(queue.kept)
    return {
        **description.plain(description.of_queue(queue)),
        "state": state_of(queue),
        "messages": ready + queue.unacked + len(queue.delayed) + kept,
        "messages_ready": ready,
        "messages_unacknowledged": queue.unacked,
        "messages_delayed": len(queue.delayed),
        "messages_dlx": kept,
        "message_bytes_ready": queue.ready.body_bytes,
        "consumers": len(queue.consumers),
        "policy": queue.rule.policy,
        "operator_policy": queue.rule.operator_policy,
        "effective_policy_definition": queue.rule.definition,
    }


def state_of(queue: Queue) -> str:
    """Paused by an operator; flow while its publishers wait for its consumers; or running."""
    if queue.paused:
        return "paused"
    return "flow" if queue.pace.waiting else "running"


def list_exchanges(counter: Counter, request: Request) -> Reply:
    """All exchanges, or those of a virtual host."""
    vhosts = counter.vhosts(request)
    request.check_all_read()
    found = [(vhost, exchange) for vhost in vhosts for _, exchange in sorted(vhost.exchanges.items())]
    return Reply(_exchange(vhost, exchange) for vhost, exchange in found)


def _exchange(vhost: VirtualHost, exchange: Exchange) -> Row:
    rule = vhost.policies.rule_for(exchange.name, "exchanges")
    facts: Row = description.plain(description.of_exchange(exchange))
    return {**facts, "policy": rule.policy}


def list_bindings(counter: Counter, request: Request) -> Reply:
    """All bindings, those of the default exchange too, or those of a virtual host."""
    vhosts = counter.vhosts(request)
    request.check_all_read()
    return Reply(row for vhost in vhosts for row in _bindings(vhost))


def _bindings(vhost: VirtualHost) -> Iterator[Row]:
    for name in sorted(name for name, queue in vhost.queues.items() if not queue.hidden):
        yield {
            "source_name": "",
            "source_kind": "exchange",
            "destination_name": name,
            "destination_kind": "queue",
            "vhost": vhost.name,
            "routing_key": name,
            "arguments": {},
        }
    for _, exchange in sorted(vhost.exchanges.items()):
        for binding in list(exchange.bindings) if exchange.name else []:
            yield description.plain(description.of_binding(binding))


def list_users(counter: Counter, request: Request) -> Reply:
    """All users; nothing of their passwords."""
    request.check_all_read()
    broker = counter.broker
    users = sorted(broker.access.users, key=lambda user: user.name)
    return Reply(
        {
            "user": user.name,
            "tags": sorted(user.tags),
            "limits": broker.parameters.get(parameters.USER_LIMITS, "", user.name) or {},
            "configured": user.name in broker.access.configured,
        }
        for user in users
    )


def list_permissions(counter: Counter, request: Request) -> Reply:
    """What each user may do in each virtual host, or in one."""
    vhosts = counter.vhosts(request)
    request.check_all_read()
    return Reply(row for vhost in vhosts for row in _permissions(counter, vhost))


def _permissions(counter: Counter, vhost: VirtualHost) -> Iterator[Row]:
    access = counter.broker.access
    for name in sorted(user.name for user in access.users):
        found = access.permission(name, vhost.name)
        if found is not None:
            rights = {"configure": found.configure, "write": found.write, "read": found.read}
            yield {"user": name, "vhost": vhost.name, **rights}


def list_topic_permissions(counter: Counter, request: Request) -> Reply:
    """The rules about routing keys, of all virtual hosts or of one."""
    names = {vhost.name for vhost in counter.vhosts(request)}
    request.check_all_read()
    return Reply(
        {"user": user, "vhost": vhost, "exchange": exchange, **rule}
        for vhost, user, value in counter.broker.parameters.of(parameters.TOPIC_PERMISSION)
        if vhost in names
        for exchange, rule in sorted(value.items())
    )


def list_vhosts(counter: Counter, request: Request) -> Reply:
    """All virtual hosts."""
    request.check_all_read()
    return Reply(_vhost(counter.broker.vhosts[name]) for name in sorted(counter.broker.vhosts))


def _vhost(vhost: VirtualHost) -> Row:
    stored = vhost.broker.parameters
    said = stored.get(parameters.VHOST, vhost.name, "") or {}
    return {
        "name": vhost.name,
        "description": said.get("description", ""),
        "tags": said.get("tags", []),
        "default_queue_type": vhost.default_queue_type or "classic",
        "tracing": vhost.firehose is not None,
        "limits": stored.get(parameters.VHOST_LIMITS, vhost.name, parameters.LIMITS_NAME) or {},
        "queues": sum(not queue.hidden for queue in vhost.queues.values()),
        "connections": vhost.broker.admission.connections_of_vhosts.get(vhost.name, 0),
    }


def _policies(component: str) -> Callable[[Counter, Request], Reply]:
    def operation(counter: Counter, request: Request) -> Reply:
        names = {vhost.name for vhost in counter.vhosts(request)}
        request.check_all_read()
        return Reply(
            {"vhost": vhost, "name": name, **value}
            for vhost, name, value in counter.broker.parameters.of(component)
            if vhost in names
        )

    return operation


OPERATIONS: Final[dict[str, Callable[[Counter, Request], Reply]]] = {
    "list queues": list_queues,
    "list exchanges": list_exchanges,
    "list bindings": list_bindings,
    "list users": list_users,
    "list permissions": list_permissions,
    "list topic-permissions": list_topic_permissions,
    "list vhosts": list_vhosts,
    "list policies": _policies(parameters.POLICY),
    "list operator-policies": _policies(parameters.OPERATOR_POLICY),
}
