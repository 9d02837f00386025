"""basic.*, confirm.*, tx.* and channel.flow, except what is per message (`session.channel` has that)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mambaamqp.broker import topology
from mambaamqp.broker.arguments import consumer_priority, consumer_timeout
from mambaamqp.broker.entry import Entry
from mambaamqp.broker.replies import REPLY_TO
from mambaamqp.errors import NotAllowed, NotImplementedFault, PreconditionFailed, ResourceLocked
from mambaamqp.session import lost, replies, reporting, streams
from mambaamqp.session.confirms import Confirms
from mambaamqp.session.consuming import ChannelConsumer, counted
from mambaamqp.session.patience import timeout_seconds
from mambaamqp.session.topology import queue_name
from mambaamqp.session.transactions import Transaction
from mambaamqp.wire import fast
from mambaamqp.wire.methods import AccessRequest, AccessRequestOk, Basic, Confirm, Tx
from mambaamqp.wire.methods import Channel as ChannelMethods

if TYPE_CHECKING:
    from mambaamqp.broker.queue import Queue
    from mambaamqp.session.channel import Channel


# Consuming


def qos(channel: "Channel", method: Any) -> None:
    if method.prefetch_size:
        raise NotImplementedFault(f"prefetch_size!=0 ({method.prefetch_size})")
    shared = method.global_ and channel.session.settings.shares_prefetch
    if method.global_ and not shared:
        channel.vhost.broker.strictness.told("global prefetch", "", "it is taken for each consumer")
    if shared:
        channel.prefetch_shared = method.prefetch_count
        channel.wake_consumers()
    else:
        channel.prefetch = method.prefetch_count
    channel.send(Basic.QosOk())


def consume(channel: "Channel", method: Any) -> None:
    session = channel.session
    name = queue_name(channel, method.queue)
    tag = method.consumer_tag or f"amq.ctag-{channel.vhost.broker.token()}"
    if tag in channel.consumers:
        raise NotAllowed(f"attempt to reuse consumer tag '{tag}'")
    if len(channel.consumers) >= session.settings.consumers_per_channel_max:
        raise NotAllowed(
            f"reached maximum ({session.settings.consumers_per_channel_max}) of consumers per channel"
        )
    if name == REPLY_TO:
        replies.consume(channel, method, tag)
        return
    queue = topology.readable_queue(channel.vhost, channel.actor, session, name)
    topology.check_consumable(queue, method.exclusive)
    _check_shared_prefetch(channel, queue)
    queue_type = "stream" if queue.arguments.queue_type == "stream" else ""
    priority = consumer_priority(method.arguments, queue.name, channel.vhost.name, queue_type)
    subscription = streams.subscribe(channel, queue, method)
    consumer = ChannelConsumer(
        channel, queue, tag, no_ack=method.no_ack, exclusive=method.exclusive, priority=priority
    )
    consumer.timeout_ms = consumer_timeout(method.arguments)
    consumer.subscription = subscription
    channel.consumers[tag] = consumer
    if not method.no_ack:
        session.patience.expect(timeout_seconds(session, queue, consumer), channel.vhost.broker.now)
    if not method.nowait:
        channel.send(Basic.ConsumeOk(consumer_tag=tag))
    queue.add_consumer(consumer)
    reporting.consumer(consumer, "consumer.created")


def _check_shared_prefetch(channel: "Channel", queue: "Queue") -> None:
    if channel.prefetch_shared and queue.arguments.queue_type == "quorum":
        raise NotImplementedFault(
            f"queue '{queue.name}' in vhost '{channel.vhost.name}' does not support global qos"
        )


def cancel(channel: "Channel", method: Any) -> None:
    consumer = channel.consumers.pop(method.consumer_tag, None)
    if consumer is not None:
        consumer.stop()
    if not method.nowait:
        channel.send(Basic.CancelOk(consumer_tag=method.consumer_tag))


def get(channel: "Channel", method: Any) -> None:
    name = queue_name(channel, method.queue)
    queue = topology.readable_queue(channel.vhost, channel.actor, channel.session, name)
    if queue.arguments.queue_type == "stream":
        raise topology.unsupported_by_streams("basic.get", queue)
    if queue.arguments.single_active_consumer:
        raise ResourceLocked(
            f"cannot obtain access to locked queue '{name}' in vhost '{channel.vhost.name}'. "
            f"basic.get operations are not supported by {queue.arguments.queue_type} queues "
            "with single active consumer"
        )
    queue.use()
    channel.vhost.broker.catch_up()
    entry = None if queue.paused else queue.take()
    while entry is not None and entry.message.stored is not None and entry.message.stored.damaged:
        lost.lose_waiting(entry)
        entry = queue.take()
    if entry is None:
        channel.send(Basic.GetEmpty())
        return
    _send_get_ok(channel, queue, entry, method.no_ack)


def _send_get_ok(channel: "Channel", queue: "Queue", entry: Entry, no_ack: bool) -> None:
    tag = channel.next_tag()
    message = counted(entry) if entry.redelivered else entry.message
    channel.outbox.write(
        fast.get_ok(channel.number, tag, entry.redelivered, message.address, queue.ready.count)
    )
    channel.write_content(message)
    reporting.delivered(channel, entry)
    if no_ack:
        queue.settle_unseen(entry)
    else:
        queue.hold(entry)
        channel.unacked.add(tag, entry)
        session = channel.session
        session.patience.expect(timeout_seconds(session, queue, None), channel.vhost.broker.now)


def recover(channel: "Channel", method: Any) -> None:
    if not method.requeue:
        raise NotImplementedFault("requeue=false")
    channel.requeue_all(False)
    if method.index == Basic.Recover.index:
        channel.send(Basic.RecoverOk())


def cancel_ok(channel: "Channel", method: Any) -> None:
    """The client's answer to our basic.cancel: nothing to do."""


def flow(channel: "Channel", method: Any) -> None:
    """It always is on; who wants no messages sets a prefetch, or cancels."""
    if not method.active:
        raise NotImplementedFault("active=false")
    channel.send(ChannelMethods.FlowOk(active=True))


def flow_ok(channel: "Channel", method: Any) -> None:
    """We never ask for flow: a stray answer is ignored."""


# Confirms and transactions


def confirm_select(channel: "Channel", method: Any) -> None:
    if channel.transaction is not None:
        raise PreconditionFailed("cannot switch from tx to confirm mode")
    if channel.confirms is None:
        channel.confirms = Confirms(channel.number, channel.outbox)
    if not method.nowait:
        channel.send(Confirm.SelectOk())


def tx_select(channel: "Channel", method: Any) -> None:
    if channel.confirms is not None:
        raise PreconditionFailed("cannot switch from confirm to tx mode")
    if channel.transaction is None:
        settings = channel.session.settings
        channel.session.plan = None
        channel.transaction = Transaction(settings.tx_operations_max, settings.tx_bytes_max)
    channel.send(Tx.SelectOk())


def tx_commit(channel: "Channel", method: Any) -> None:
    _transaction(channel).commit(channel)
    channel.send(Tx.CommitOk())


def tx_rollback(channel: "Channel", method: Any) -> None:
    _transaction(channel).rollback(channel.unacked)
    channel.send(Tx.RollbackOk())


def _transaction(channel: "Channel") -> Transaction:
    if channel.transaction is None:
        raise PreconditionFailed("channel is not transactional")
    return channel.transaction


# Old clients


def access_request(channel: "Channel", method: Any) -> None:
    """access.request: gone from AMQP 0-9-1, still sent by old clients; the ticket means nothing."""
    channel.send(AccessRequestOk(ticket=1))


HANDLERS: Final[dict[int, Callable[["Channel", Any], None]]] = {
    Basic.Qos.index: qos,
    Basic.Consume.index: consume,
    Basic.Cancel.index: cancel,
    Basic.CancelOk.index: cancel_ok,
    Basic.Get.index: get,
    Basic.Recover.index: recover,
    Basic.RecoverAsync.index: recover,
    ChannelMethods.Flow.index: flow,
    ChannelMethods.FlowOk.index: flow_ok,
    Confirm.Select.index: confirm_select,
    Tx.Select.index: tx_select,
    Tx.Commit.index: tx_commit,
    Tx.Rollback.index: tx_rollback,
    AccessRequest.index: access_request,
}
