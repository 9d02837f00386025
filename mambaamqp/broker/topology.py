"""What a client may do to exchanges, queues and bindings: check, write to the journal, apply.

Each operation asks `authorize` itself, so that every way in (AMQP today, HTTP and definitions later) is
checked at the one place. Order of the checks and texts as in RabbitMQ 4.x. An operation that changes
something durable appends to the journal; the caller holds its reply back until that position is durable.
`owner` is the connection that asks, an opaque object, for exclusive queues.
"""

from mambaamqp.access.permissions import Actor, authorize, authorize_any, authorize_topic
from mambaamqp.broker import exchanges
from mambaamqp.broker.annex import open_annex
from mambaamqp.broker.arguments import QueueArguments, check_equivalent, parse_queue_arguments, typed
from mambaamqp.broker.binding import Binding
from mambaamqp.broker.consumers import Consumer
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.queue_types import new_queue
from mambaamqp.broker.replies import check_bindable
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.errors import (
    AccessRefused,
    NotFound,
    NotImplementedFault,
    PreconditionFailed,
    ResourceLocked,
)
from mambaamqp.store import records
from mambaamqp.wire.table import Table

RESERVED_PREFIX = "amq."
TOPIC = "topic"
"""The type of exchange that topic permissions are about."""


def plain_name(name: str) -> str:
    """A name without the line ends that RabbitMQ strips from entity names."""
    return name.replace("\r", "").replace("\n", "")


# Look-ups


def find_exchange(vhost: VirtualHost, name: str) -> Exchange:
    """The exchange, or 404."""
    exchange = vhost.exchanges.get(name)
    if exchange is None:
        raise NotFound(f"no exchange '{name}' in vhost '{vhost.name}'")
    return exchange


def find_queue(vhost: VirtualHost, owner: object, name: str) -> Queue:
    """The queue, or 404; 405 when it is another connection's exclusive queue."""
    queue = vhost.queues.get(name)
    if queue is None:
        raise NotFound(f"no queue '{name}' in vhost '{vhost.name}'")
    check_unlocked(queue, owner)
    return queue


def check_unlocked(queue: Queue, owner: object) -> None:
    """405 when the queue is exclusive to another connection."""
    if queue.owner is not None and queue.owner is not owner:
        raise locked(queue)


def locked(queue: Queue) -> ResourceLocked:
    """RabbitMQ's refusal of a queue that is exclusive to another connection."""
    return ResourceLocked(
        f"cannot obtain exclusive access to locked queue '{queue.name}' in vhost '{queue.vhost.name}'. "
        "It could be originally declared on another connection or the exclusive property value does not "
        "match that of the original declaration."
    )


# Exchanges


def declare_exchange(
    vhost: VirtualHost,
    actor: Actor,
    name: str,
    kind: str,
    *,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    arguments: Table,
) -> Exchange:
    """Have an exchange of these properties: create it, or check that the present one is the same (406)."""
    name = plain_name(name)
    _check_type(vhost, kind)
    _check_not_default(name)
    authorize(actor, "configure", "exchange", name)
    exchange = vhost.exchanges.get(name)
    if exchange is not None:
        exchanges.check_equivalent(
            exchange, kind, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments
        )
        open_annex(vhost, exchange)
        return exchange
    _check_not_reserved("exchange", name)
    if len(vhost.exchanges) >= vhost.broker.limits.exchanges_per_vhost_max:
        limit = vhost.broker.limits.exchanges_per_vhost_max
        raise PreconditionFailed(
            f"cannot declare exchange '{name}': exchange limit in vhost '{vhost.name}' ({limit}) is reached"
        )
    exchange = exchanges.create(
        kind,
        vhost.name,
        name,
        durable=durable,
        auto_delete=auto_delete,
        internal=internal,
        arguments=arguments,
    )
    if exchange.alternate is not None:
        authorize(actor, "read", "exchange", name)
        authorize(actor, "write", "exchange", exchange.alternate)
    create_exchange(vhost, exchange)
    return exchange


def _check_type(vhost: VirtualHost, kind: str) -> None:
    try:
        exchanges.check_type(kind)
    except PreconditionFailed as refusal:
        raise vhost.broker.strictness.unknown_type(refusal) from None


def create_exchange(vhost: VirtualHost, exchange: Exchange) -> None:
    """Put a new exchange in its place, journaled if it is durable, with all that belongs to it."""
    journal = vhost.broker.journal
    journal.begin_atom()
    if exchange.durable:
        journal.append(
            records.exchange_declare(
                vhost.name,
                exchange.name,
                exchange.kind,
                exchange.auto_delete,
                exchange.internal,
                exchange.arguments.raw,
            )
        )
    vhost.put_exchange(exchange)
    open_annex(vhost, exchange)
    journal.end_atom()


def declare_exchange_passive(vhost: VirtualHost, actor: Actor, name: str) -> Exchange:
    """The exchange, if it exists (404 otherwise) and the actor may do anything with it."""
    name = plain_name(name)
    _check_not_default(name)
    authorize_any(actor, "exchange", name)
    return find_exchange(vhost, name)


def delete_exchange(vhost: VirtualHost, actor: Actor, name: str, *, if_unused: bool) -> None:
    """Delete an exchange; a missing one is fine."""
    name = plain_name(name)
    _check_not_default(name)
    if name.startswith(RESERVED_PREFIX):
        raise AccessRefused(f"deletion of system exchange '{name}' in vhost '{vhost.name}' not allowed")
    authorize(actor, "configure", "exchange", name)
    exchange = vhost.exchanges.get(name)
    if exchange is None:
        return
    if if_unused and exchange.is_bound:
        raise PreconditionFailed(f"exchange '{name}' in vhost '{vhost.name}' in use")
    if exchange.durable:
        vhost.broker.journal.append(records.exchange_delete(vhost.name, name))
    vhost.drop_exchange(exchange)


# Queues


def declare_queue(
    vhost: VirtualHost,
    actor: Actor,
    owner: object,
    name: str,
    *,
    durable: bool,
    exclusive: bool,
    auto_delete: bool,
    arguments: Table,
) -> Queue:
    """Have a queue of these properties: create it (named by the broker if `name` is empty), or check it."""
    name = plain_name(name)
    server_named = not name
    if server_named:
        name = f"amq.gen-{vhost.broker.token()}"
    else:
        _check_not_reserved("queue", name)
        if vhost.default_queue_type and durable and not exclusive and not auto_delete:
            arguments = typed(arguments, vhost.default_queue_type)
    authorize(actor, "configure", "queue", name)
    queue = vhost.queues.get(name)
    if queue is not None:
        return _redeclare(queue, owner, durable, exclusive, auto_delete, arguments)
    limit = vhost.broker.limits.queues_per_vhost_max
    if vhost.queues_max is not None:
        limit = min(limit, vhost.queues_max)
    if len(vhost.queues) >= limit:
        raise PreconditionFailed(
            f"cannot declare queue '{name}': queue limit in vhost '{vhost.name}' ({limit}) is reached"
        )
    where = f"queue '{name}' in vhost '{vhost.name}'"
    strictness = vhost.broker.strictness
    strictness.check_values(where, arguments)
    parsed = parse_queue_arguments(
        arguments,
        name=name,
        vhost=vhost.name,
        durable=durable,
        exclusive=exclusive,
        auto_delete=auto_delete,
        server_named=server_named,
        quorum_delivery_limit=strictness.compatibility.quorum_delivery_limit,
    )
    strictness.check_features(where, durable, exclusive, arguments, parsed.queue_type)
    if parsed.dead_letter_exchange is not None:
        authorize(actor, "read", "queue", name)
        authorize(actor, "write", "exchange", parsed.dead_letter_exchange)
    return create_queue(vhost, name, durable, auto_delete, owner if exclusive else None, arguments, parsed)


def create_queue(
    vhost: VirtualHost,
    name: str,
    durable: bool,
    auto_delete: bool,
    owner: object | None,
    table: Table,
    arguments: QueueArguments,
) -> Queue:
    """A new queue, journaled if it is to survive."""
    queue = new_queue(
        vhost,
        vhost.broker.next_serial(),
        name,
        durable=durable,
        auto_delete=auto_delete,
        owner=owner,
        table=table,
        arguments=arguments,
    )
    if queue.journaled:
        vhost.broker.journal.append(
            records.queue_declare(queue.serial, vhost.name, name, auto_delete, table.raw, queue.next_position)
        )
    vhost.put_queue(queue)
    return queue


def _redeclare(
    queue: Queue, owner: object, durable: bool, exclusive: bool, auto_delete: bool, arguments: Table
) -> Queue:
    if queue.owner is not (owner if exclusive else None):
        raise locked(queue)
    check_equivalent(
        queue.table,
        arguments,
        name=queue.name,
        vhost=queue.vhost.name,
        durable=(queue.durable, durable),
        auto_delete=(queue.auto_delete, auto_delete),
    )
    queue.use()
    return queue


def declare_queue_passive(vhost: VirtualHost, actor: Actor, owner: object, name: str) -> Queue:
    """The queue, if it exists (404 otherwise) and the actor may do anything with it."""
    name = plain_name(name)
    authorize_any(actor, "queue", name)
    queue = find_queue(vhost, owner, name)
    queue.use()
    return queue


def delete_queue(
    vhost: VirtualHost, actor: Actor, owner: object, name: str, *, if_unused: bool, if_empty: bool
) -> int:
    """Delete a queue and return how many messages waited in it; a missing one is fine (0)."""
    name = plain_name(name)
    authorize(actor, "configure", "queue", name)
    queue = vhost.queues.get(name)
    if queue is None:
        return 0
    check_unlocked(queue, owner)
    vhost.broker.catch_up()
    _check_deletable(queue, if_unused, if_empty)
    return vhost.drop_queue(queue)


def _check_deletable(queue: Queue, if_unused: bool, if_empty: bool) -> None:
    """A stream is deleted whatever was asked, as in RabbitMQ."""
    if queue.arguments.queue_type == "stream":
        return
    where = f"queue '{queue.name}' in vhost '{queue.vhost.name}'"
    if queue.arguments.queue_type == "quorum" and (if_unused or if_empty):
        flag = "if-unused" if if_unused else "if-empty"
        raise NotImplementedFault(
            f"cannot delete {where}. queue.delete operations with {flag} flag set are not supported "
            "by quorum queues"
        )
    if if_unused and queue.consumers:
        raise PreconditionFailed(f"{where} in use")
    if if_empty and (queue.ready.count or len(queue.delayed)):
        raise PreconditionFailed(f"{where} not empty")


def unsupported_by_streams(method: str, queue: Queue) -> NotImplementedFault:
    """RabbitMQ's refusal, in its words."""
    where = f"queue '{queue.name}' in vhost '{queue.vhost.name}'"
    return NotImplementedFault(f"{method} not supported by stream queues {where}")


def purge_queue(vhost: VirtualHost, actor: Actor, owner: object, name: str) -> int:
    """Drop what waits in a queue and return how many messages that were."""
    authorize(actor, "read", "queue", name)
    queue = find_queue(vhost, owner, name)
    if queue.arguments.queue_type == "stream":
        raise unsupported_by_streams("queue.purge", queue)
    vhost.broker.catch_up()
    return queue.purge()


# Bindings


def bind(
    vhost: VirtualHost,
    actor: Actor,
    owner: object,
    source_name: str,
    destination_name: str,
    *,
    to_queue: bool,
    routing_key: str,
    arguments: Table,
) -> None:
    """Bind an exchange to a queue or another exchange; an equal binding stays as it is."""
    source_name = plain_name(source_name)
    destination_name = plain_name(destination_name)
    if to_queue:
        check_bindable(destination_name)
    _check_binding_rights(vhost, actor, source_name, destination_name, to_queue, routing_key)
    source = find_exchange(vhost, source_name)
    destination = _find_destination(vhost, owner, destination_name, to_queue)
    source.validate_binding(routing_key, arguments)
    binding = Binding(source, destination, routing_key, arguments)
    if source.has(binding):
        return
    limit = vhost.broker.limits.bindings_per_vhost_max
    if vhost.binding_count >= limit:
        raise PreconditionFailed(
            f"cannot bind to exchange '{source_name}': binding limit in vhost '{vhost.name}' ({limit}) "
            "is reached"
        )
    if vhost.put_binding(binding) and vhost.is_durable(binding):
        vhost.broker.journal.append(
            records.bind(
                vhost.name, source_name, to_queue, destination_name, routing_key.encode(), arguments.raw
            )
        )
    for message in source.greeting():
        vhost.greet(destination, message)


def unbind(
    vhost: VirtualHost,
    actor: Actor,
    owner: object,
    source_name: str,
    destination_name: str,
    *,
    to_queue: bool,
    routing_key: str,
    arguments: Table,
) -> None:
    """Remove a binding; one that is not there, or whose ends are not, is fine."""
    source_name = plain_name(source_name)
    destination_name = plain_name(destination_name)
    if to_queue:
        check_bindable(destination_name)
    _check_binding_rights(vhost, actor, source_name, destination_name, to_queue, routing_key)
    source = vhost.exchanges.get(source_name)
    found = vhost.queues.get(destination_name) if to_queue else vhost.exchanges.get(destination_name)
    if source is None or found is None:
        return
    if isinstance(found, Queue):
        check_unlocked(found, owner)
    durable = vhost.is_durable(Binding(source, found, routing_key, arguments))
    if vhost.drop_binding(source, found, routing_key, arguments) and durable:
        vhost.broker.journal.append(
            records.unbind(
                vhost.name, source_name, to_queue, destination_name, routing_key.encode(), arguments.raw
            )
        )


def _check_binding_rights(
    vhost: VirtualHost,
    actor: Actor,
    source_name: str,
    destination_name: str,
    to_queue: bool,
    routing_key: str,
) -> None:
    authorize(actor, "write", "queue" if to_queue else "exchange", destination_name)
    if not to_queue:
        _check_not_default(destination_name)
    _check_not_default(source_name)
    authorize(actor, "read", "exchange", source_name)
    source = vhost.exchanges.get(source_name)
    if source is not None and source.kind == TOPIC:
        authorize_topic(actor, "read", source_name, routing_key)


def _find_destination(vhost: VirtualHost, owner: object, name: str, to_queue: bool) -> Destination:
    return find_queue(vhost, owner, name) if to_queue else find_exchange(vhost, name)


# Consumers


def readable_queue(vhost: VirtualHost, actor: Actor, owner: object, name: str) -> Queue:
    """The queue, for consume and get: read permission, existence, exclusivity."""
    authorize(actor, "read", "queue", name)
    return find_queue(vhost, owner, name)


def check_consumable(queue: Queue, exclusive: bool) -> None:
    """403 when an exclusive consumer stands against another one, whichever came first; not of a stream."""
    if queue.arguments.queue_type == "stream":
        return
    taken = any(consumer.exclusive for consumer in queue.consumers)
    unfit = exclusive and (bool(queue.consumers) or queue.arguments.single_active_consumer)
    if taken or unfit:
        raise AccessRefused(f"queue '{queue.name}' in vhost '{queue.vhost.name}' in exclusive use")


def remove_consumer(consumer: Consumer) -> None:
    """Let a consumer go; an auto-delete queue goes with its last one."""
    queue = consumer.queue
    if consumer not in queue.consumers:
        return
    queue.remove_consumer(consumer)
    if queue.auto_delete and queue.had_consumer and not queue.consumers:
        queue.vhost.drop_queue(queue)


# Publishing


def check_topic(exchange: Exchange, actor: Actor, routing_key: str) -> None:
    """403 when topic permissions keep the actor from publishing with that key to a topic exchange."""
    if exchange.kind == TOPIC:
        authorize_topic(actor, "write", exchange.name, routing_key)


def writable_exchange(vhost: VirtualHost, actor: Actor, name: str) -> Exchange:
    """The exchange, for publishing: write permission, existence, not internal."""
    authorize(actor, "write", "exchange", name)
    exchange = find_exchange(vhost, name)
    if exchange.internal:
        raise AccessRefused(f"cannot publish to internal exchange '{name}' in vhost '{vhost.name}'")
    return exchange


def _check_not_default(name: str) -> None:
    if not name:
        raise AccessRefused("operation not permitted on the default exchange")


def _check_not_reserved(kind: str, name: str) -> None:
    if name.startswith(RESERVED_PREFIX):
        raise AccessRefused(f"{kind} name '{name}' contains reserved prefix 'amq.*'")
