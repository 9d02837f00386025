"""One AMQP channel: publishing, deliveries and acknowledgements, tags, and the state around them.

The hot half of a session. Methods that are not per message stand in `topology` and `basic`, by method id
in their tables. Invariant: whatever the channel holds unacknowledged goes back to its queues when it ends.
"""

import logging
from typing import TYPE_CHECKING, Final

from mambaamqp.broker.consumers import Consumer
from mambaamqp.broker.entry import Entry
from mambaamqp.broker.message import Message
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.errors import ContentTooLarge, FrameFault, InternalFault, PreconditionFailed
from mambaamqp.session import reporting
from mambaamqp.session.confirms import Confirms
from mambaamqp.session.content import Assembly
from mambaamqp.session.publishing import (
    NO_ROUTE,
    NO_ROUTE_TEXT,
    Plan,
    Publication,
    Route,
    publication,
    resolve,
)
from mambaamqp.session.spooled import Spooled
from mambaamqp.session.transactions import Transaction
from mambaamqp.session.unacked import Unacked
from mambaamqp.store.body import StoredBody
from mambaamqp.store.commit import NO_ROOM
from mambaamqp.wire import fast, properties
from mambaamqp.wire.framing import FRAME_METHOD, frame
from mambaamqp.wire.methods import Method, encode
from mambaamqp.wire.properties import Summary

if TYPE_CHECKING:
    from mambaamqp.access.permissions import Actor
    from mambaamqp.session.connection import Session
    from mambaamqp.session.consuming import ChannelConsumer

BODY_BYTES_MAX: Final = 512 * 1024 * 1024
"""The absolute maximum of a message's body, as in RabbitMQ, whatever is configured."""

log = logging.getLogger("mambaamqp.session")


class Channel:
    """An open channel of a session."""

    def __init__(self, session: "Session", number: int, vhost: VirtualHost, actor: "Actor") -> None:
        self.session = session
        self.number = number
        self.vhost = vhost
        self.actor = actor
        self.outbox = session.outbox
        self.frame_bytes_max = session.frame_bytes_max
        self.message_bytes_max = session.settings.message_bytes_max
        self.whole_bytes_max = vhost.broker.journal.spool.whole_bytes_max
        """A larger body is written to the disk as it comes."""
        self.closing = False
        """The broker has sent channel.close: everything but close and close-ok is ignored."""
        self.assembly: Assembly | None = None
        self.routes: dict[bytes, Route] = {}
        self.routes_generation = 0
        self.last_properties = b""
        self.last_summary = Summary()
        self.confirms: Confirms | None = None
        self.publishing = False
        """Has published in this batch and waits for its end."""
        self.transaction: Transaction | None = None
        self.unacked = Unacked()
        self.delivery_tag = 0
        self.consumers: dict[str, ChannelConsumer] = {}
        self.reply_consumer: ChannelConsumer | None = None
        """The last consumer of amq.rabbitmq.reply-to; see `session.replies`."""
        self.prefetch = 0
        """Credit of consumers that are started from now on; 0 without limit."""
        self.prefetch_shared = 0
        self.taken_shared = 0
        """Unacknowledged deliveries of consumers, against `prefetch_shared`."""
        self.last_queue = ""
        self.released = False

    # Publishing

    def publish(self, key: bytes, header: bytes, content: bytes, stored: StoredBody | None) -> Route | None:
        """A whole publish. `key` is exchange, routing key and flags; `content` the frames, of a body that is
        `stored` the header's alone.

        Returns the route if that was all it needed: the next publish like it may go the same way unread.
        """
        body_bytes = int.from_bytes(header[4:12], "big")
        if body_bytes > self.message_bytes_max:
            self.refuse_size(body_bytes)
        route = self.routes.get(key)
        if route is None or self.routes_generation != self.vhost.generation:
            route = resolve(self, key)
        props = header[12:]
        if props != self.last_properties:
            self.last_summary = properties.summarise(header)
            self.last_properties = props
        summary = self.last_summary
        message = Message(route.address, content, body_bytes, summary.persistent)
        message.stored = stored
        message.published_ms = self.vhost.broker.wall_ms
        queues = route.queues
        mandatory = route.mandatory
        self.session.published = True
        if route.reads_message or summary.needs_attention:
            special = publication(self, route, message, header, summary)
            if self.transaction is not None:
                self.transaction.publish(special)
                return None
            message = special.message
            queues = special.queues
            mandatory = special.mandatory
            route = None
        elif self.transaction is not None:
            self.transaction.publish(Publication(message, queues, mandatory))
            return None
        self._enqueue(message, queues, mandatory)
        return None if mandatory else route

    def repeat(self, plan: Plan, content: bytes) -> None:
        """A publish that is like the one before but for its body."""
        route = plan.route
        message = Message(route.address, content, plan.body_bytes, plan.persistent)
        message.published_ms = self.vhost.broker.wall_ms
        self.session.published = True
        self._enqueue(message, route.queues, False)

    def _enqueue(self, message: Message, queues: list[Queue], mandatory: bool) -> None:
        if mandatory and not queues:
            self.send_return(message)
        if self.vhost.firehose is not None:
            reporting.published(self, message, queues)
        journal = self.vhost.broker.journal
        position = journal.position
        accepted = True
        if queues:
            accepted = self.vhost.enqueue(message, queues)
            self.session.reached = queues
        confirms = self.confirms
        if confirms is not None:
            if journal.position != position:
                confirms.position = journal.position
            self._count(confirms, accepted)

    def _count(self, confirms: Confirms, accepted: bool) -> None:
        confirms.published += 1
        if accepted:
            confirms.accepted = confirms.published
        else:
            confirms.refuse()
        if not self.publishing:
            self.publishing = True
            self.session.publishers.append(self)

    def refuse_size(self, body_bytes: int) -> None:
        """A body above the limit: 406, or 501 above what no configuration allows."""
        if body_bytes > BODY_BYTES_MAX:
            raise FrameFault(f"content body size {body_bytes} exceeds maximum allowed size")
        raise PreconditionFailed(
            f"message size {body_bytes} is larger than configured max size {self.message_bytes_max}"
        )

    def send_return(self, message: Message) -> None:
        """basic.return: nobody takes a mandatory message."""
        self.outbox.write(fast.basic_return(self.number, NO_ROUTE, NO_ROUTE_TEXT, message.address))
        self.write_content(message)

    def end_batch(self, durable: int) -> bool:
        """The batch is over: confirm what can be; True when the rest waits for the journal."""
        self.publishing = False
        return self.confirms is not None and self.confirms.end_batch(durable)

    # Content in pieces

    def begin_content(self, key: bytes) -> None:
        """basic.publish has come; its header and bodies follow in frames of their own."""
        self.assembly = Assembly(self.number, key)
        self.session.plan = None

    def content_frame(self, kind: int, payload: bytes) -> None:
        """A frame while a publish is incomplete."""
        assembly = self.assembly
        assert assembly is not None
        if assembly.missing < 0:
            assembly.take_header(kind, payload)
            if assembly.body_bytes > self.message_bytes_max:
                self.assembly = None
                self.refuse_size(assembly.body_bytes)
            if assembly.body_bytes > self.whole_bytes_max:
                spool = self.vhost.broker.journal.spool
                assembly.spool(spool.begin(), min(self.frame_bytes_max, spool.chunk_bytes))
        elif assembly.arrival is None:
            assembly.take_body(kind, payload)
        else:
            self._spool(assembly, kind, payload)
        if assembly.missing == 0:
            self.assembly = None
            self._publish_assembled(assembly)

    def _spool(self, assembly: Assembly, kind: int, payload: bytes) -> None:
        """A frame of a large body. One that the disk does not take is refused; what came of it goes."""
        try:
            assembly.take_body(kind, payload)
            if assembly.missing == 0 and assembly.arrival is not None:
                assembly.stored = assembly.arrival.finish()
        except OSError as failure:
            self.assembly = None
            log.error("%s: a large body cannot be kept: %s", self.session.peer.name, str(failure))
            if failure.errno in NO_ROOM:
                raise ContentTooLarge(
                    f"no room for a content body of {assembly.body_bytes} bytes at the present time"
                ) from failure
            raise InternalFault("a content body could not be stored") from failure

    def _publish_assembled(self, assembly: Assembly) -> None:
        self.publish(assembly.key, assembly.header, b"".join(assembly.frames), assembly.stored)
        journal = self.vhost.broker.journal
        if assembly.stored is not None and journal.position > journal.durable:
            # It is on the disk twice until the journal has it for sure: one at a time.
            self.session.congested = True
            self.vhost.broker.await_durable(self.session)

    # Delivering

    def next_tag(self) -> int:
        """The next delivery tag."""
        self.delivery_tag += 1
        return self.delivery_tag

    def write_content(self, message: Message) -> None:
        """Header and body frames of `message`, on this channel and within its frame_max."""
        content = message.content
        if (
            message.stored is None
            and len(content) <= self.frame_bytes_max
            and (content[1] << 8 | content[2]) == self.number
        ):
            self.outbox.write(content)
        else:
            self.outbox.write_pieces(fast.reframe(content, self.number, self.frame_bytes_max))
            if message.stored is not None:
                self.outbox.write_stored(Spooled(message.stored, self.number, self.frame_bytes_max))

    # Acknowledging

    def settle(self, tag: int, multiple: bool) -> None:
        """basic.ack."""
        if not multiple:
            entry = self.unacked.take(tag)
            if entry is None:
                self._check_reclaimed(tag)
                return
            if self.transaction is not None:
                self.transaction.hold(tag, entry, "ack")
                return
            self.give_back_credit(entry)
            if self.vhost.firehose is not None:
                reporting.settled(self, entry, "ack")
            entry.queue.settle(entry)
            return
        for tag_taken, entry in self.take(tag, multiple):
            if self.transaction is not None:
                self.transaction.hold(tag_taken, entry, "ack")
            else:
                self.give_back_credit(entry)
                if self.vhost.firehose is not None:
                    reporting.settled(self, entry, "ack")
                entry.queue.settle(entry)

    def refuse(self, tag: int, multiple: bool, requeue: bool, counted: bool) -> None:
        """basic.nack and basic.reject; `counted` towards the delivery limit when requeued."""
        taken = self.take(tag, multiple)
        if self.transaction is not None:
            action = "reject" if not requeue else ("return" if counted else "requeue")
            for tag_taken, entry in taken:
                self.transaction.hold(tag_taken, entry, action)
            return
        for _, entry in taken:
            self.give_back_credit(entry)
            reporting.settled(self, entry, "requeue" if requeue else "reject")
            if requeue:
                entry.queue.requeue(entry, counted)
            else:
                entry.queue.reject(entry)

    def take(self, tag: int, multiple: bool) -> list[tuple[int, Entry]]:
        """The outstanding deliveries that an acknowledgement names, oldest first; 406 for an unknown tag."""
        if not multiple:
            entry = self.unacked.take(tag)
            if entry is None:
                self._check_reclaimed(tag)
                return []
            return [(tag, entry)]
        if tag == 0:
            return self.unacked.take_all()
        if tag not in self.unacked.entries:
            self._check_reclaimed(tag)
        return self.unacked.take_up_to(tag)

    def _check_reclaimed(self, tag: int) -> None:
        """406 for a tag that is not outstanding, unless it may have been taken away: that comes too late."""
        if not 0 < tag <= self.unacked.reclaimed:
            raise unknown_tag(tag)

    def give_back_credit(self, entry: Entry) -> None:
        """A delivery is no longer outstanding: its consumer may have another one."""
        consumer = entry.consumer
        if consumer is None:
            return
        consumer.credit += 1
        self.taken_shared -= 1
        if self.prefetch_shared and self.taken_shared == self.prefetch_shared - 1:
            self._send_to_the_end(consumer)
            self.wake_consumers()
        elif not consumer.in_rotation:
            consumer.wake()

    def _send_to_the_end(self, consumer: Consumer) -> None:
        """Who was served is woken last, or the first would leave nothing of a shared prefetch to others."""
        tag = consumer.tag
        own = self.consumers.get(tag)
        if own is consumer:
            del self.consumers[tag]
            self.consumers[tag] = own

    def wake_consumers(self) -> None:
        """Something that held all consumers of this channel back is over."""
        for consumer in self.consumers.values():
            consumer.wake()

    def requeue_all(self, counted: bool) -> None:
        """Everything outstanding goes back to its queue (channel end, basic.recover)."""
        taken = self.unacked.take_all()
        for _, entry in taken:
            self.give_back_credit(entry)
        for _, entry in taken:
            entry.queue.requeue(entry, counted)

    # Replies

    def send(self, method: Method) -> None:
        """Write a method frame on this channel."""
        self.outbox.write(frame(FRAME_METHOD, self.number, encode(method)))

    def release(self) -> None:
        """The channel is over: consumers go, deliveries go back, an open transaction is rolled back."""
        self.session.plan = None
        first = not self.released
        if first:
            self.released = True
            self.vhost.broker.admission.close_channel(self.actor)
        if self.transaction is not None:
            self.transaction.rollback(self.unacked)
        consumers = list(self.consumers.values())
        self.consumers.clear()
        # Consumers first, or what goes back would come straight to them again.
        for consumer in consumers:
            consumer.stop()
        self.requeue_all(True)
        self.assembly = None
        self.confirms = None
        self.routes.clear()
        if first:
            reporting.channel(self, "channel.closed")


def unknown_tag(tag: int) -> PreconditionFailed:
    """RabbitMQ's refusal of a delivery tag that is not outstanding on this channel."""
    return PreconditionFailed(f"unknown delivery tag {tag}")
