"""basic.consume of a stream: what is refused, and in which order and words (RabbitMQ 4.x)."""

from typing import TYPE_CHECKING, Any

from mambaamqp.broker.queue import Queue
from mambaamqp.broker.subscription import Subscription, subscription
from mambaamqp.errors import NotImplementedFault, PreconditionFailed

if TYPE_CHECKING:
    from mambaamqp.session.channel import Channel


def subscribe(channel: "Channel", queue: Queue, method: Any) -> Subscription | None:
    """What a consumer of a stream asks for; None for any other queue. The arguments have been checked."""
    if queue.arguments.queue_type != "stream":
        return None
    where = f"queue '{queue.name}' in vhost '{channel.vhost.name}'"
    if not channel.prefetch:
        raise PreconditionFailed(f"consumer prefetch count is not set for stream {where}")
    if method.no_ack:
        raise NotImplementedFault(f"automatic acknowledgement not supported by stream {where}")
    if channel.prefetch_shared:
        raise NotImplementedFault(f"{where} does not support global qos")
    return subscription(method.arguments, channel.vhost.broker.wall_ms)
