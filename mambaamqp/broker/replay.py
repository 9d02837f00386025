"""The broker's state out of the journal: every record applied in order, as it was when it was written.

Refuses to know files; it is given decoded records. While it runs, each queue's messages stand in a
recollection, by position, since settlements name positions; `finish` turns that into lines of waiting
messages. After an unclean stop every message may have been delivered before and is marked redelivered.
Everything is applied tolerantly: a record about something that is not there (any more) changes nothing.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mambaamqp.broker import exchanges
from mambaamqp.broker.annex import connect, stored_annex
from mambaamqp.broker.arguments import stored_queue_arguments
from mambaamqp.broker.binding import Binding
from mambaamqp.broker.entry import Entry
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.queue_types import new_queue
from mambaamqp.broker.recollection import Recollection
from mambaamqp.broker.revival import Revival
from mambaamqp.broker.stream import Stream
from mambaamqp.errors import PreconditionFailed, StoreError
from mambaamqp.store import records
from mambaamqp.store.body import StoredBody
from mambaamqp.store.segment import Segment
from mambaamqp.wire.table import Table

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker
    from mambaamqp.broker.vhost import VirtualHost

log = logging.getLogger("mambaamqp.store")


class Replay:
    """One recovery."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.queues: dict[int, Queue] = {}
        self.waiting: dict[int, Recollection] = {}
        """By queue id."""
        self.clean = False
        self.lsn = 0
        """Of the record that is being applied."""
        self.revival = Revival()
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
            records.Parameter: self._parameter,
            records.CleanStop: self._clean_stop,
        }

    def run(self, stored: Iterable[tuple[int, Segment, Any]]) -> None:
        """Apply (lsn, segment, record) triples in the order of the journal, then let the queues stand."""
        for lsn, segment, record in stored:
            self.clean = False
            self.lsn = lsn
            self.handlers[type(record)](record, segment)
        self._finish()

    # Topology

    def _declare_vhost(self, record: records.VhostDeclare, segment: Segment) -> None:
        self.broker.put_vhost(record.name)

    def _delete_vhost(self, record: records.VhostDelete, segment: Segment) -> None:
        vhost = self.broker.vhosts.get(record.name)
        if vhost is not None:
            for queue in list(vhost.queues.values()):
                self._drop_queue(queue)
            self.broker.forget_vhost(record.name)

    def _parameter(self, record: records.Parameter, segment: Segment) -> None:
        self.broker.parameters.restore(record.component, record.vhost, record.name, record.value)

    def _declare_exchange(self, record: records.ExchangeDeclare, segment: Segment) -> None:
        vhost = self.broker.put_vhost(record.vhost)
        if record.name in vhost.exchanges:
            return
        try:
            exchange = exchanges.create(
                record.kind,
                record.vhost,
                record.name,
                durable=True,
                auto_delete=record.auto_delete,
                internal=record.internal,
                arguments=Table(record.arguments),
            )
        except PreconditionFailed as failure:
            # Without its plug-in, or with another version of it. To go on would lose its bindings.
            where = f"exchange '{record.name}' in vhost '{record.vhost}'"
            raise StoreError(f"cannot have {where} again: {failure}") from failure
        vhost.put_exchange(exchange)

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
        queue = self._queue(vhost, record)
        queue.next_position = record.next_position
        self.queues[record.queue_id] = queue
        self.waiting[record.queue_id] = Recollection(queue, self.broker.pager)
        self.broker.queue_serial = max(self.broker.queue_serial, record.queue_id)
        vhost.put_queue(queue)

    def _queue(self, vhost: "VirtualHost", record: records.QueueDeclare) -> Queue:
        table = Table(record.arguments)
        annex = stored_annex(vhost, record.queue_id, record.name, table)
        if annex is not None:
            return annex
        return new_queue(
            vhost,
            record.queue_id,
            record.name,
            durable=True,
            auto_delete=record.auto_delete,
            owner=None,
            table=table,
            arguments=stored_queue_arguments(
                table, self.broker.strictness.compatibility.quorum_delivery_limit
            ),
        )

    def _delete_queue(self, record: records.QueueDelete, segment: Segment) -> None:
        queue = self.queues.get(record.queue_id)
        if queue is not None:
            self._drop_queue(queue)

    def _drop_queue(self, queue: Queue) -> None:
        del self.queues[queue.serial]
        self.waiting.pop(queue.serial).forget()
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

    def _publish(self, record: records.Publish, segment: Segment) -> None:
        self._take_segment(segment)
        message = self.revival.message(record, self.lsn)
        if record.spans is not None:
            message.stored = self._body(record.spans, segment)
        found: list[Recollection] = []
        for target in record.targets:
            waiting = self.waiting.get(target.queue_id)
            if waiting is None:
                # Deleted since; its id must not be used again while the journal still names it.
                self.broker.queue_serial = max(self.broker.queue_serial, target.queue_id)
                continue
            queue = waiting.queue
            entry = Entry(message, queue, target.position)
            entry.journaled = True
            entry.redelivered = target.redelivered
            entry.delivery_count = target.delivery_count
            queue.next_position = max(queue.next_position, target.position + 1)
            waiting.put(entry)
            found.append(waiting)
        if found:
            message.enter(segment, len(found))
            found[-1].doze()

    def _body(self, spans: list[records.Span], segment: Segment) -> StoredBody:
        """A large body where it stands in the log."""
        body = self.broker.journal.stored_body(spans, segment)
        if body.damaged:
            log.error(
                "the body of the message at LSN %d is lost: it was damaged before it was moved", self.lsn
            )
        return body

    def _take_segment(self, segment: Segment) -> None:
        """What sleeps is found again by its segment, while the log is replayed too."""
        segments = self.broker.journal.segments
        if not segments or (segments[-1].base_lsn < segment.base_lsn):
            segments.append(segment)

    def _settle(self, record: records.Settle, segment: Segment) -> None:
        waiting = self.waiting.get(record.queue_id)
        if waiting is not None:
            queue = waiting.queue
            if isinstance(queue, Stream):
                # What was published there may be damaged by now; its offset has been used all the same.
                queue.next_position = max(queue.next_position, *(last + 1 for _, last in record.ranges))
            for first, last in record.ranges:
                for position in range(first, last + 1):
                    waiting.remove(position)

    def _requeue(self, record: records.Requeue, segment: Segment) -> None:
        waiting = self.waiting.get(record.queue_id)
        if waiting is not None:
            for position, delivery_count in record.entries:
                waiting.mark(position, delivery_count)

    def _clean_stop(self, record: records.CleanStop, segment: Segment) -> None:
        self.clean = True

    # The end

    def _finish(self) -> None:
        self.broker.marked_all = not self.clean
        for queue in list(self.queues.values()):
            if queue.hidden and not connect(queue):
                self._drop_queue(queue)
        for waiting in self.waiting.values():
            waiting.finish(self.clean or isinstance(waiting.queue, Stream), self._let_stand)
            waiting.queue.recovered()
        self.waiting.clear()

    def _let_stand(self, queue: Queue, entry: Entry) -> None:
        queue.resume_clock(entry)
        queue.ready.push(entry)


class _Found:
    """A binding of a record, with the virtual host that it belongs to."""

    def __init__(self, source_vhost: Any, binding: Binding) -> None:
        self.source_vhost = source_vhost
        self.binding = binding
