"""Queues, exchanges and bindings in words, under RabbitMQ's names: what events and lists say of them."""

from base64 import b64encode
from decimal import Decimal
from typing import Any

from mambaamqp.broker.binding import Binding
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.queue import Queue
from mambaamqp.wire.table import Table, Timestamp, Value

Facts = dict[str, Value]


def of_queue(queue: Queue) -> Facts:
    """What it was declared as."""
    return {
        "name": queue.name,
        "vhost": queue.vhost.name,
        "type": queue.arguments.queue_type,
        "durable": queue.durable,
        "auto_delete": queue.auto_delete,
        "exclusive": queue.owner is not None,
        "arguments": queue.table.values,
    }


def of_exchange(exchange: Exchange) -> Facts:
    """What it was declared as."""
    return {
        "name": exchange.name,
        "vhost": exchange.vhost,
        "type": exchange.kind,
        "durable": exchange.durable,
        "auto_delete": exchange.auto_delete,
        "internal": exchange.internal,
        "arguments": exchange.arguments.values,
    }


def of_binding(binding: Binding) -> Facts:
    """Its two ends, and by what it leads from one to the other."""
    return {
        "source_name": binding.source.name,
        "source_kind": "exchange",
        "destination_name": binding.destination.name,
        "destination_kind": "queue" if binding.destination.is_queue else "exchange",
        "vhost": binding.source.vhost,
        "routing_key": binding.routing_key,
        "arguments": binding.arguments.values,
    }


def plain(value: Any) -> Any:
    """A value of a field table as JSON has it: octets in base64, decimals as text, timestamps as seconds."""
    if isinstance(value, Table):
        return plain(value.values)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return {"base64": b64encode(value).decode()}
    if isinstance(value, Timestamp):
        return value.seconds
    return str(value) if isinstance(value, Decimal) else value
