"""Where the messages of an x-delayed-message exchange wait until their delay is over.

A queue like any other to the journal, to compaction and to the pager: so delayed messages survive a restart,
and millions of them take no memory to speak of. No client reaches it: its name is reserved, it is locked for
everybody, and the default exchange does not know it.
"""

from typing import TYPE_CHECKING, Final

from mambaamqp.broker.arguments import stored_queue_arguments
from mambaamqp.broker.destination import Nobody
from mambaamqp.broker.entry import Entry
from mambaamqp.broker.exchanges.delayed import DELAY, delay_ms
from mambaamqp.broker.message import Message, names_of
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.routing import sender_selected
from mambaamqp.broker.traits import Traits
from mambaamqp.store import records
from mambaamqp.wire import properties
from mambaamqp.wire.table import Table, encode_value

if TYPE_CHECKING:
    from mambaamqp.broker.vhost import VirtualHost

PREFIX: Final = "amq.delayed."
EXCHANGE: Final = "x-delayed-exchange"
"""The argument that names the exchange."""


class DelayQueue(Queue):
    """`exchange_name` is whose messages these are."""

    def __init__(self, vhost: "VirtualHost", serial: int, name: str, durable: bool, table: Table) -> None:
        super().__init__(
            vhost,
            serial,
            name,
            durable=durable,
            auto_delete=False,
            owner=Nobody(),
            table=table,
            arguments=stored_queue_arguments(table),
        )
        self.hidden = True
        self.journaled = durable
        self.exchange_name = str(table.get(EXCHANGE))

    def push(self, entry: Entry) -> None:
        self.resume_clock(entry)
        self.ready.push(entry)

    def ttl_ms(self, message: Message) -> int:
        return delay_ms(Traits(message))

    def put_away(self, entry: Entry, reason: str) -> None:
        """Route what has waited long enough, in one atom of the journal with its end here."""
        vhost, journal = self.vhost, self.broker.journal
        message = self._released(entry.message)
        targets = self._targets(message)
        journal.begin_atom()
        if entry.journaled:
            self.broker.release(entry)
            if not self.deleted:
                journal.append(records.settle(self.serial, [(entry.position, entry.position)]))
        if targets:
            vhost.enqueue(message, targets)
        journal.end_atom()

    def _released(self, message: Message) -> Message:
        """As it will be delivered: its delay is negated, and its own time to live begins."""
        waited = -delay_ms(Traits(message))
        header = properties.with_headers(message.header(), {DELAY: encode_value(waited)}, frozenset())
        released = message.with_header(header)
        released.published_ms = self.broker.wall_ms
        return released

    def _targets(self, message: Message) -> list[Queue]:
        exchange = self.vhost.exchanges.get(self.exchange_name)
        if exchange is None:
            return []
        traits = Traits(message)
        _, routing_key = names_of(message.address)
        keys = [routing_key, *sender_selected(traits.headers)[0]]
        return self.vhost.queues_for(exchange, keys, traits)
