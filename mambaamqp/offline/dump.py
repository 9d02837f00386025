"""A store's state as canonical JSON: the same state gives the same text, whatever the journal looked like.

One document, a line for each exchange, binding, queue and message, sorted; so two dumps can be compared
with `diff`. Bodies are told by size and SHA-256, or given in base64 when asked for.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from mambaamqp.broker.broker import Broker
from mambaamqp.broker.description import plain
from mambaamqp.broker.entry import Entry
from mambaamqp.broker.message import Message, names_of
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.errors import StoreError
from mambaamqp.wire import properties

FORMAT = 1


def lines(broker: Broker, *, bodies: bool = False) -> Iterator[str]:
    """The document, line by line."""
    yield f'{{"format": {FORMAT},'
    yield from _list("parameters", _parameters(broker), ",")
    yield ' "vhosts": ['
    vhosts = [broker.vhosts[name] for name in sorted(broker.vhosts)]
    for place, vhost in enumerate(vhosts):
        yield from _vhost(vhost, bodies)
        yield "}," if place + 1 < len(vhosts) else "}"
    yield "]}"


def _parameters(broker: Broker) -> Iterator[dict[str, Any]]:
    for (component, vhost, name), value in sorted(broker.parameters.values.items()):
        yield {"component": component, "vhost": vhost, "name": name, "value": value}


def _vhost(vhost: VirtualHost, bodies: bool) -> Iterator[str]:
    queues = [queue for _, queue in sorted(vhost.queues.items())]
    yield f' {{"name": {_json(vhost.name)},'
    yield from _list("exchanges", _exchanges(vhost), ",")
    yield from _list("bindings", _bindings(vhost), ",")
    yield from _list("queues", (_queue(queue) for queue in queues), ",")
    messages = (_message(entry, bodies) for queue in queues for entry in queue.ready.entries())
    yield from _list("messages", messages, "")


def _list(name: str, items: Iterator[dict[str, Any]], end: str) -> Iterator[str]:
    yield f'  "{name}": ['
    before = None
    for item in items:
        if before is not None:
            yield f"   {before},"
        before = _json(item)
    if before is not None:
        yield f"   {before}"
    yield f"  ]{end}"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _exchanges(vhost: VirtualHost) -> Iterator[dict[str, Any]]:
    for name, exchange in sorted(vhost.exchanges.items()):
        yield {
            "name": name,
            "type": exchange.kind,
            "auto_delete": exchange.auto_delete,
            "internal": exchange.internal,
            "arguments": plain(exchange.arguments),
        }


def _bindings(vhost: VirtualHost) -> Iterator[dict[str, Any]]:
    found = [
        {
            "source": exchange.name,
            "destination": binding.destination.name,
            "destination_type": "queue" if binding.destination.is_queue else "exchange",
            "routing_key": binding.routing_key,
            "arguments": plain(binding.arguments),
        }
        for exchange in vhost.exchanges.values()
        for binding in exchange.bindings
    ]
    yield from sorted(found, key=_json)


def _queue(queue: Queue) -> dict[str, Any]:
    return {
        "name": queue.name,
        "auto_delete": queue.auto_delete,
        "arguments": plain(queue.table),
        "messages": queue.ready.count,
        "next_position": queue.next_position,
    }


def _message(entry: Entry, bodies: bool) -> dict[str, Any]:
    message = entry.message
    exchange, routing_key = names_of(message.address)
    digest = _digest(message)
    found = {
        "queue": entry.queue.name,
        "position": entry.position,
        "redelivered": entry.redelivered,
        "delivery_count": entry.delivery_count,
        "exchange": exchange,
        "routing_key": routing_key,
        "published_ms": message.published_ms,
        "properties": _properties(message.header()),
        "body_bytes": message.body_bytes,
        "body_sha256": digest,
    }
    return found | ({"body": b64encode(message.body()).decode()} if bodies and digest else {})


def _digest(message: Message) -> str | None:
    """Of a body, part by part: it may be a large one. None for one that is lost."""
    digest = sha256()
    try:
        for place in range(message.body_parts()):
            digest.update(message.body_part(place))
    except (StoreError, OSError):
        return None
    return digest.hexdigest()


def _properties(header: bytes) -> dict[str, Any]:
    found = {name: properties.get(header, name) for name in properties.NAMES}
    return {name: plain(value) for name, value in found.items() if value is not None}
