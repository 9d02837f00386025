"""exchange.* and queue.*: unpack the method, call the broker's operation, reply.

A reply that speaks of something durable is held back by the session until the journal has it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mambaamqp.broker import topology
from mambaamqp.broker.queue import Queue as ExclusiveQueue
from mambaamqp.broker.replies import check_alive, is_reply_name
from mambaamqp.errors import NotFound
from mambaamqp.wire.methods import Exchange, Queue

if TYPE_CHECKING:
    from mambaamqp.session.channel import Channel
    from mambaamqp.session.connection import Session


def exchange_declare(channel: "Channel", method: Any) -> None:
    if method.passive:
        topology.declare_exchange_passive(channel.vhost, channel.actor, method.exchange)
    else:
        topology.declare_exchange(
            channel.vhost,
            channel.actor,
            method.exchange,
            method.exchange_type,
            durable=method.durable,
            auto_delete=method.auto_delete,
            internal=method.internal,
            arguments=method.arguments,
        )
    if not method.nowait:
        channel.send(Exchange.DeclareOk())


def exchange_delete(channel: "Channel", method: Any) -> None:
    topology.delete_exchange(channel.vhost, channel.actor, method.exchange, if_unused=method.if_unused)
    if not method.nowait:
        channel.send(Exchange.DeleteOk())


def exchange_bind(channel: "Channel", method: Any) -> None:
    _exchange_binding(channel, method, topology.bind)
    if not method.nowait:
        channel.send(Exchange.BindOk())


def exchange_unbind(channel: "Channel", method: Any) -> None:
    _exchange_binding(channel, method, topology.unbind)
    if not method.nowait:
        channel.send(Exchange.UnbindOk())


def _exchange_binding(channel: "Channel", method: Any, operation: Callable[..., None]) -> None:
    operation(
        channel.vhost,
        channel.actor,
        channel.session,
        method.source,
        method.destination,
        to_queue=False,
        routing_key=method.routing_key,
        arguments=method.arguments,
    )


def queue_declare(channel: "Channel", method: Any) -> None:
    if is_reply_name(method.queue):
        _probe(channel, method)
        return
    if method.passive:
        name = queue_name(channel, method.queue)
        queue = topology.declare_queue_passive(channel.vhost, channel.actor, channel.session, name)
    else:
        queue = topology.declare_queue(
            channel.vhost,
            channel.actor,
            channel.session,
            method.queue,
            durable=method.durable,
            exclusive=method.exclusive,
            auto_delete=method.auto_delete,
            arguments=method.arguments,
        )
    if queue.owner is not None:
        _adopt(channel.session, queue)
    channel.last_queue = queue.name
    if not method.nowait:
        channel.vhost.broker.catch_up()
        channel.send(
            Queue.DeclareOk(
                queue=queue.name, message_count=queue.ready.count, consumer_count=len(queue.consumers)
            )
        )


def _probe(channel: "Channel", method: Any) -> None:
    """Whoever declares a reply name asks whether the requester is still there."""
    check_alive(channel.vhost, method.queue)
    if not method.nowait:
        channel.send(Queue.DeclareOk(queue=method.queue, message_count=0, consumer_count=1))


def _adopt(session: "Session", queue: ExclusiveQueue) -> None:
    """Remember an exclusive queue, so that it goes with its connection; forget those that went before it."""
    owned = session.exclusive_queues
    owned[queue.name] = queue
    if len(owned) >= session.exclusive_tidy_at:
        for name in [name for name, known in owned.items() if known.deleted]:
            del owned[name]
        session.exclusive_tidy_at = max(64, 2 * len(owned))


def queue_delete(channel: "Channel", method: Any) -> None:
    count = topology.delete_queue(
        channel.vhost,
        channel.actor,
        channel.session,
        queue_name(channel, method.queue),
        if_unused=method.if_unused,
        if_empty=method.if_empty,
    )
    if not method.nowait:
        channel.send(Queue.DeleteOk(message_count=count))


def queue_purge(channel: "Channel", method: Any) -> None:
    name = queue_name(channel, method.queue)
    count = topology.purge_queue(channel.vhost, channel.actor, channel.session, name)
    # The purge is noted in the journal before its reply can be.
    channel.vhost.broker.write_settlements()
    if not method.nowait:
        channel.send(Queue.PurgeOk(message_count=count))


def queue_bind(channel: "Channel", method: Any) -> None:
    _queue_binding(channel, method, topology.bind)
    if not method.nowait:
        channel.send(Queue.BindOk())


def queue_unbind(channel: "Channel", method: Any) -> None:
    _queue_binding(channel, method, topology.unbind)
    channel.send(Queue.UnbindOk())


def _queue_binding(channel: "Channel", method: Any, operation: Callable[..., None]) -> None:
    name = queue_name(channel, method.queue)
    key = name if not method.queue and not method.routing_key else method.routing_key
    operation(
        channel.vhost,
        channel.actor,
        channel.session,
        method.exchange,
        name,
        to_queue=True,
        routing_key=key,
        arguments=method.arguments,
    )


def queue_name(channel: "Channel", name: str) -> str:
    """A queue's name; the empty one stands for the queue declared last on the channel (404 if none)."""
    if name:
        return topology.plain_name(name)
    if not channel.last_queue:
        raise NotFound("no previously declared queue")
    return channel.last_queue


HANDLERS: Final[dict[int, Callable[["Channel", Any], None]]] = {
    Exchange.Declare.index: exchange_declare,
    Exchange.Delete.index: exchange_delete,
    Exchange.Bind.index: exchange_bind,
    Exchange.Unbind.index: exchange_unbind,
    Queue.Declare.index: queue_declare,
    Queue.Delete.index: queue_delete,
    Queue.Purge.index: queue_purge,
    Queue.Bind.index: queue_bind,
    Queue.Unbind.index: queue_unbind,
}
