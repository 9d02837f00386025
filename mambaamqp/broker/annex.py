"""Hidden queues that belong to an exchange: what it delays waits in one, what it has routed is known to one.

An annex comes and goes with its exchange, and is journaled if that is durable. After a start it finds its
exchange by the name in its arguments.
"""

from typing import TYPE_CHECKING

from mambaamqp.broker import delay_queue, window
from mambaamqp.broker.delay_queue import DelayQueue
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.exchanges.deduplication import DeduplicationExchange
from mambaamqp.broker.exchanges.delayed import DelayedExchange
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.window import Window
from mambaamqp.store import records
from mambaamqp.wire.table import Table, encode_entries

if TYPE_CHECKING:
    from mambaamqp.broker.vhost import VirtualHost


def annex_of(exchange: Exchange) -> Queue | None:
    """The hidden queue of an exchange, if it has one."""
    if isinstance(exchange, DeduplicationExchange):
        return exchange.window
    waiting = exchange.waiting if isinstance(exchange, DelayedExchange) else None
    return waiting if isinstance(waiting, Queue) else None


def open_annex(vhost: "VirtualHost", exchange: Exchange) -> None:
    """Give an exchange its hidden queue, unless it needs none or has one."""
    if not isinstance(exchange, DelayedExchange | DeduplicationExchange) or annex_of(exchange) is not None:
        return
    serial = vhost.broker.next_serial()
    queue = _new(vhost, exchange, serial)
    if queue.journaled:
        vhost.broker.journal.append(
            records.queue_declare(serial, vhost.name, queue.name, False, queue.table.raw, queue.next_position)
        )
    vhost.put_queue(queue)
    connect(queue)


def _new(vhost: "VirtualHost", exchange: Exchange, serial: int) -> Queue:
    if isinstance(exchange, DeduplicationExchange):
        table = Table(encode_entries({window.EXCHANGE: exchange.name}))
        return Window(vhost, serial, f"{window.PREFIX}{serial}", exchange.durable, table)
    table = Table(encode_entries({delay_queue.EXCHANGE: exchange.name}))
    return DelayQueue(vhost, serial, f"{delay_queue.PREFIX}{serial}", exchange.durable, table)


def stored_annex(vhost: "VirtualHost", serial: int, name: str, table: Table) -> Queue | None:
    """The hidden queue of that name out of the journal; None for the name of any other queue."""
    if name.startswith(delay_queue.PREFIX):
        return DelayQueue(vhost, serial, name, True, table)
    return Window(vhost, serial, name, True, table) if name.startswith(window.PREFIX) else None


def connect(queue: Queue) -> bool:
    """Let the exchange of a hidden queue know it; False if there is no such exchange."""
    if isinstance(queue, Window):
        owner = queue.vhost.exchanges.get(queue.exchange_name)
        if isinstance(owner, DeduplicationExchange):
            owner.attach(queue)
            return True
    elif isinstance(queue, DelayQueue):
        exchange = queue.vhost.exchanges.get(queue.exchange_name)
        if isinstance(exchange, DelayedExchange):
            exchange.waiting = queue
            return True
    return False
