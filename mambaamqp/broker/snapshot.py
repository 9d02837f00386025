"""A virtual host's durable topology, said again in one go: the records of a checkpoint."""

from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.store import records
from mambaamqp.store.journal import Journal


def write_topology(vhost: VirtualHost, journal: Journal) -> None:
    """Exchanges and queues first, then the bindings between them. What exists already stays as it is."""
    for exchange in vhost.exchanges.values():
        if exchange.durable and not _predeclared(exchange):
            journal.append(_exchange(vhost, exchange))
    for queue in vhost.queues.values():
        if queue.journaled:
            journal.append(_queue(vhost, queue))
    for exchange in vhost.exchanges.values():
        for binding in exchange.bindings:
            if vhost.is_durable(binding):
                journal.append(
                    records.bind(
                        vhost.name,
                        exchange.name,
                        binding.destination.is_queue,
                        binding.destination.name,
                        binding.routing_key.encode(),
                        binding.arguments.raw,
                    )
                )


def _predeclared(exchange: Exchange) -> bool:
    return not exchange.name or exchange.name.startswith("amq.")


def _exchange(vhost: VirtualHost, exchange: Exchange) -> bytes:
    return records.exchange_declare(
        vhost.name,
        exchange.name,
        exchange.kind,
        exchange.auto_delete,
        exchange.internal,
        exchange.arguments.raw,
    )


def _queue(vhost: VirtualHost, queue: Queue) -> bytes:
    return records.queue_declare(
        queue.serial, vhost.name, queue.name, queue.auto_delete, queue.table.raw, queue.next_position
    )
