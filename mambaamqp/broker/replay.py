"""The broker's state out of the journal: every record applied in order, as it was when it was written.

Refuses to know files; it is given decoded records. While it runs, each queue's messages stand in a
dictionary by position, since settlements name positions; `finish` turns that into lines of waiting
messages. After an unclean stop every message may have been delivered before and is marked redelivered.
Everything is applied tolerantly: a record about something that is not there (any more) changes nothing.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mambaamqp.broker import exchanges
from mambaamqp.broker.arguments import stored_queue_arguments
from mambaamqp.broker.binding import Binding
from mambaamqp.broker.entry import GONE, Entry
from mambaamqp.broker.message import Message
from mambaamqp.broker.queue import Queue
from mambaamqp.store import records
from mambaamqp.store.segment import Segment
from mambaamqp.wire import properties
from mambaamqp.wire.table import Table

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker


class Replay:
    """One recovery."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.queues: dict[int, Queue] = {}
        self.entries: dict[int, dict[int, Entry]] = {}
        """By queue id, then by position."""
        self.clean = False
        self.last_properties = b""
        self.last_summary = properties.Summary()
        self.last_address = b""
        self.handlers: dict[type, Callable[[Any, Segment], None]] = {
            records.Publish: self._publish,
            records.Settle: self._settle,
            records.Requeue: self._requeue,
            records.QueueDeclare: self._declare_queue,
            records.QueueDelete: self._delete_queue,
            records.ExchangeDeclare: self._declare_exchange,
            records.ExchangeDelete: self._delete_exchange,
            records.Bind: self._bind,
            records.Unbind: self._unbind,
            records.VhostDeclare: self._declare_vhost,
            records.VhostDelete: self._delete_vhost,
            records.CleanStop: self._clean_stop,
        }

    def run(self, stored: Iterable[tuple[int, Segment, Any]]) -> None:
        """Apply (lsn, segment, record) triples in the order of the journal, then let the queues stand."""
        for _, segment, record in stored:
            self.clean = False
            self.handlers[type(record)](record, segment)
        self._finish()

    # Topology

    def _declare_vhost(self, record: records.VhostDeclare, segment: Segment) -> None:
        self.broker.put_vhost(record.name)

    def _delete_vhost(self, record: records.VhostDelete, segment: Segment) -> None:
        vhost = self.broker.vhosts.pop(record.name, None)
        if vhost is not None:
            for queue in list(vhost.queues.values()):
                self._drop_queue(queue)

    def _declare_exchange(self, record: records.ExchangeDeclare, segment: Segment) -> None:
        vhost = self.broker.put_vhost(record.vhost)
        if record.name in vhost.exchanges:
            return
        vhost.put_exchange(
            exchanges.create(
                record.kind,
                record.vhost,
                record.name,
                durable=True,
                auto_delete=record.auto_delete,
                internal=record.internal,
                arguments=Table(record.arguments),
            )
        )

    def _delete_exchange(self, record: records.ExchangeDelete, segment: Segment) -> None:
        vhost = self.broker.vhosts.get(record.vhost)
        exchange = vhost.exchanges.get(record.name) if vhost is not None else None
        if vhost is not None and exchange is not None:
            vhost.drop_exchange(exchange)

    def _declare_queue(self, record: records.QueueDeclare, segment: Segment) -> None:
        known = self.queues.get(record.queue_id)
        if known is not None:
            known.next_position = max(known.next_position, record.next_position)
            return
        vhost = self.broker.put_vhost(record.vhost)
        namesake = vhost.queues.get(record.name)
        if namesake is not None:
            # The record of its deletion was damaged: nobody could ever reach it again.
            self._drop_queue(namesake)
        table = Table(record.arguments)
        queue = Queue(
            vhost,
            record.queue_id,
            record.name,
            durable=True,
            auto_delete=record.auto_delete,
            owner=None,
            table=table,
            arguments=stored_queue_arguments(table),
        )
        queue.next_position = record.next_position
        self.queues[record.queue_id] = queue
        self.entries[record.queue_id] = {}
        self.broker.queue_serial = max(self.broker.queue_serial, record.queue_id)
        vhost.put_queue(queue)

    def _delete_queue(self, record: records.QueueDelete, segment: Segment) -> None:
        queue = self.queues.get(record.queue_id)
        if queue is not None:
            self._drop_queue(queue)

    def _drop_queue(self, queue: Queue) -> None:
        del self.queues[queue.serial]
        for entry in self.entries.pop(queue.serial).values():
            self.broker.release(entry)
        queue.vhost.forget_queue(queue)

    def _bind(self, record: records.Bind, segment: Segment) -> None:
        binding = self._binding(record)
        if binding is not None:
            binding.source_vhost.put_binding(binding.binding)

    def _unbind(self, record: records.Unbind, segment: Segment) -> None:
        found = self._binding(record)
        if found is not None:
            binding = found.binding
            found.source_vhost.drop_binding(
                binding.source, binding.destination, binding.routing_key, binding.arguments
            )

    def _binding(self, record: records.Bind) -> "_Found | None":
        vhost = self.broker.vhosts.get(record.vhost)
        if vhost is None:
            return None
        source = vhost.exchanges.get(record.source)
        to_queue = record.destination_is_queue
        destination = (
            vhost.queues.get(record.destination) if to_queue else vhost.exchanges.get(record.destination)
        )
        if source is None or destination is None:
            return None
        key = record.routing_key.decode()
        return _Found(vhost, Binding(source, destination, key, Table(record.arguments)))

    # Messages

    def _message(self, record: records.Publish) -> Message:
        """The message of a record; what is kept beside the content is read from it again.

        Publishers repeat themselves: properties and address like those before are read and kept once.
        """
        content = record.content
        first = content[0]
        header = first[7 : 7 + int.from_bytes(first[3:7], "big")]
        props = header[12:]
        if props != self.last_properties:
            self.last_summary = properties.summarise(header)
            self.last_properties = props
        if record.address != self.last_address:
            self.last_address = record.address
        summary = self.last_summary
        message = Message(self.last_address, first, properties.body_size(header), summary.persistent)
        message.published_ms = record.published_ms
        if len(content) > 1:
            message.more = content[1:]
        if record.dead_lettered:
            message.dead_lettered = True
        if summary.needs_attention:
            message.priority = summary.priority
            if summary.expiration is not None:
                message.expiration_ms = int(summary.expiration)
        return message

    def _publish(self, record: records.Publish, segment: Segment) -> None:
        message = self._message(record)
        references = 0
        for target in record.targets:
            queue = self.queues.get(target.queue_id)
            if queue is None:
                # Deleted since; its id must not be used again while the journal still names it.
                self.broker.queue_serial = max(self.broker.queue_serial, target.queue_id)
                continue
            entry = Entry(message, queue, target.position)
            entry.journaled = True
            entry.redelivered = target.redelivered
            entry.delivery_count = target.delivery_count
            queue.next_position = max(queue.next_position, target.position + 1)
            self._replace(self.entries[target.queue_id], entry)
            references += 1
        if references:
            message.enter(segment, references)

    def _replace(self, entries: dict[int, Entry], entry: Entry) -> None:
        """A message that was moved to the journal's end stands there twice: the later copy counts."""
        old = entries.get(entry.position)
        if old is not None:
            self.broker.release(old)
        entries[entry.position] = entry

    def _settle(self, record: records.Settle, segment: Segment) -> None:
        entries = self.entries.get(record.queue_id)
        if entries is None:
            return
        for first, last in record.ranges:
            for position in range(first, last + 1):
                entry = entries.pop(position, None)
                if entry is not None:
                    entry.state = GONE
                    self.broker.release(entry)

    def _requeue(self, record: records.Requeue, segment: Segment) -> None:
        entries = self.entries.get(record.queue_id, {})
        for position, delivery_count in record.entries:
            entry = entries.get(position)
            if entry is not None:
                entry.redelivered = True
                entry.delivery_count = delivery_count

    def _clean_stop(self, record: records.CleanStop, segment: Segment) -> None:
        self.clean = True

    # The end

    def _finish(self) -> None:
        self.broker.marked_all = not self.clean
        for serial, queue in self.queues.items():
            # Moved messages stand behind younger ones in the journal; the queue's order is by position.
            for _, entry in sorted(self.entries[serial].items()):
                if not self.clean:
                    entry.redelivered = True
                self._let_stand(queue, entry)
        self.entries.clear()

    def _let_stand(self, queue: Queue, entry: Entry) -> None:
        ttl_ms = queue.ttl_ms(entry.message)
        if ttl_ms >= 0:
            age_ms = self.broker.wall_ms - entry.message.published_ms
            entry.deadline = self.broker.now + (ttl_ms - age_ms) / 1000
            queue.expiry.add(entry)
            self.broker.agenda.schedule(queue, entry.deadline)
        queue.ready.push(entry)


class _Found:
    """A binding of a record, with the virtual host that it belongs to."""

    def __init__(self, source_vhost: Any, binding: Binding) -> None:
        self.source_vhost = source_vhost
        self.binding = binding
