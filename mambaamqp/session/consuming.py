"""A consumer as its channel fills it in: credit, deliver frames, and what the client is told."""

from typing import TYPE_CHECKING

from mambaamqp.broker.consumers import Consumer
from mambaamqp.broker.entry import Entry
from mambaamqp.broker.message import Message
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.topology import remove_consumer
from mambaamqp.session import lost, reporting
from mambaamqp.wire import fast, properties
from mambaamqp.wire.framing import FRAME_END_BYTE
from mambaamqp.wire.methods import Basic
from mambaamqp.wire.table import encode_value

if TYPE_CHECKING:
    from mambaamqp.session.channel import Channel

DELIVERY_COUNT_HEADER = "x-delivery-count"
ACQUIRED_COUNT_HEADER = "x-acquired-count"


class ChannelConsumer(Consumer):
    """A basic.consume on a channel."""

    def __init__(
        self, channel: "Channel", queue: Queue, tag: str, *, no_ack: bool, exclusive: bool, priority: int
    ) -> None:
        super().__init__(queue, tag, no_ack=no_ack, exclusive=exclusive, priority=priority)
        self.channel = channel
        self.outbox = channel.outbox
        self.session = channel.session
        self.outbox_bytes_max = channel.session.outbox_bytes_max
        self.tag_octets = tag.encode()
        self.timeout_ms: int | None = None
        """Of its own, for an acknowledgement."""
        self.gone = False
        """Its end has been told."""
        self.head = b""
        self.head_address_bytes = -1
        if channel.prefetch and not no_ack:
            self.credit = channel.prefetch

    def can_take(self) -> bool:
        channel = self.channel
        if self.credit <= 0:
            return False
        if self.outbox.size >= self.outbox_bytes_max:
            self.session.outbox_full = True
            return False
        return not channel.prefetch_shared or channel.taken_shared < channel.prefetch_shared

    def deliver(self, entry: Entry) -> None:
        """Write basic.deliver with its content; the entry is outstanding unless this consumer is no-ack."""
        channel = self.channel
        message = entry.message
        if message.stored is not None and message.stored.damaged:
            lost.lose_delivery(self, entry)
            return
        address = message.address
        if len(address) != self.head_address_bytes:
            self.head_address_bytes = len(address)
            self.head = fast.deliver_head(channel.number, self.tag_octets, len(address))
        tag = channel.delivery_tag + 1
        channel.delivery_tag = tag
        if not self.no_ack:
            channel.unacked.add(tag, entry)
            channel.taken_shared += 1
        if entry.redelivered:
            message = counted(entry)
        self.outbox.write_frame(self.head, fast.tag_octets(tag, entry.redelivered), address, FRAME_END_BYTE)
        channel.write_content(message)
        if channel.vhost.firehose is not None:
            reporting.delivered(channel, entry)
        self.session.touch()

    def cancelled_by_broker(self) -> None:
        """The queue is gone, or its patience: basic.cancel, if the client understands it."""
        channel = self.channel
        channel.consumers.pop(self.tag, None)
        self.told_gone()
        if self.session.understands("consumer_cancel_notify") and not channel.closing:
            channel.send(Basic.Cancel(consumer_tag=self.tag, nowait=True))
            self.session.touch()

    def stop(self) -> None:
        """Leave the queue (basic.cancel, channel end)."""
        remove_consumer(self)
        self.told_gone()

    def told_gone(self) -> None:
        """Let who listens know, once."""
        if not self.gone:
            self.gone = True
            reporting.consumer(self, "consumer.deleted")


def counted(entry: Entry) -> Message:
    """A message that has come back, as it is told where its queue keeps a delivery limit; else as it is.

    `x-acquired-count` is how often it was delivered before, `x-delivery-count` how often that failed.
    """
    if entry.queue.arguments.delivery_limit is None:
        return entry.message
    message = entry.message
    counts = {ACQUIRED_COUNT_HEADER: encode_value(entry.acquired())}
    if entry.delivery_count:
        counts[DELIVERY_COUNT_HEADER] = encode_value(entry.delivery_count)
    return message.with_header(properties.with_headers(message.header(), counts, frozenset()))
