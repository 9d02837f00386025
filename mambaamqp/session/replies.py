"""Direct reply-to on a channel: its one consumer of answers, and requests that name it."""

from typing import TYPE_CHECKING, Any

from mambaamqp.broker.message import Message
from mambaamqp.broker.replies import create_reply_queue
from mambaamqp.errors import PreconditionFailed
from mambaamqp.session.consuming import ChannelConsumer
from mambaamqp.wire import properties
from mambaamqp.wire.methods import Basic

if TYPE_CHECKING:
    from mambaamqp.session.channel import Channel


def consume(channel: "Channel", method: Any, tag: str) -> None:
    """basic.consume of amq.rabbitmq.reply-to: one a channel, without acknowledgements (406 otherwise)."""
    if not method.no_ack:
        raise PreconditionFailed("reply consumer cannot acknowledge")
    if consumer_of(channel) is not None:
        raise PreconditionFailed("reply consumer already set")
    queue = create_reply_queue(channel.vhost, channel.session)
    consumer = ChannelConsumer(channel, queue, tag, no_ack=True, exclusive=True, priority=0)
    channel.consumers[tag] = consumer
    channel.reply_consumer = consumer
    if not method.nowait:
        channel.send(Basic.ConsumeOk(consumer_tag=tag))
    queue.add_consumer(consumer)


def consumer_of(channel: "Channel") -> ChannelConsumer | None:
    """The channel's consumer of answers, while it has one."""
    consumer = channel.reply_consumer
    if consumer is not None and channel.consumers.get(consumer.tag) is not consumer:
        channel.reply_consumer = None
        return None
    return consumer


def address_request(channel: "Channel", message: Message, header: bytes) -> Message:
    """A request whose reply_to is amq.rabbitmq.reply-to: a copy that says where the answer is to go."""
    consumer = consumer_of(channel)
    if consumer is None:
        raise PreconditionFailed("fast reply consumer does not exist")
    octets = consumer.queue.name.encode()
    return message.with_header(properties.replace(header, {"reply_to": bytes((len(octets),)) + octets}))
