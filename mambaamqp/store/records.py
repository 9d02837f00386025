"""The durable facts: how each is written into the journal and read back.

A record is `u8 type | u24 length | payload`, big-endian; every payload starts with its version. Strings are
`u16 length | UTF-8`, argument tables `u32 length | octets` exactly as the client sent them, `address` the
two short strings of basic.publish, content the frames as they stood on the wire (the channel number in them
means nothing here). Refuses to know what follows from a fact: `broker.replay` applies them.
"""

from collections.abc import Callable
from struct import Struct, error
from typing import Any, Final

from mambaamqp.errors import StoreError

VERSION: Final = 1
RECORD_BYTES_MAX: Final = 0xFFFFFF
CHUNK_BYTES: Final = 1024 * 1024
"""Content beyond this is written in chunk records of about this size, of whole content frames each."""

VHOST_DECLARE: Final = 1
VHOST_DELETE: Final = 2
EXCHANGE_DECLARE: Final = 3
EXCHANGE_DELETE: Final = 4
QUEUE_DECLARE: Final = 5
QUEUE_DELETE: Final = 6
BIND: Final = 7
UNBIND: Final = 8
PUBLISH: Final = 9
CHUNK: Final = 10
SETTLE: Final = 11
REQUEUE: Final = 12
CLEAN_STOP: Final = 13

DEAD_LETTERED: Final = 1
CHUNKED: Final = 2
AUTO_DELETE: Final = 1
INTERNAL: Final = 2

_HEAD: Final = Struct(">I")
_U8: Final = Struct(">B")
_U16: Final = Struct(">H")
_U32: Final = Struct(">I")
_RANGE: Final = Struct(">QQ")
_COUNT: Final = Struct(">QI")
_PUBLISH: Final = Struct(">BBQH")
_TARGET: Final = Struct(">IQIB")
_ONE: Final = Struct(">IBBQHIQIB")
"""Record head, publish head and one target in one go: the hot record."""
_ONE_BYTES: Final = _ONE.size - 4


class VhostDeclare:
    def __init__(self, name: str) -> None:
        self.name = name


class VhostDelete:
    def __init__(self, name: str) -> None:
        self.name = name


class ExchangeDeclare:
    def __init__(
        self, vhost: str, name: str, kind: str, auto_delete: bool, internal: bool, arguments: bytes
    ) -> None:
        self.vhost = vhost
        self.name = name
        self.kind = kind
        self.auto_delete = auto_delete
        self.internal = internal
        self.arguments = arguments


class ExchangeDelete:
    def __init__(self, vhost: str, name: str) -> None:
        self.vhost = vhost
        self.name = name


class QueueDeclare:
    """For a queue id that is known already this is a checkpoint: only `next_position` counts."""

    def __init__(
        self, queue_id: int, vhost: str, name: str, auto_delete: bool, arguments: bytes, next_position: int
    ) -> None:
        self.queue_id = queue_id
        self.vhost = vhost
        self.name = name
        self.auto_delete = auto_delete
        self.arguments = arguments
        self.next_position = next_position


class QueueDelete:
    def __init__(self, queue_id: int) -> None:
        self.queue_id = queue_id


class Bind:
    def __init__(
        self,
        vhost: str,
        source: str,
        destination_is_queue: bool,
        destination: str,
        routing_key: bytes,
        arguments: bytes,
    ) -> None:
        self.vhost = vhost
        self.source = source
        self.destination_is_queue = destination_is_queue
        self.destination = destination
        self.routing_key = routing_key
        self.arguments = arguments


class Unbind(Bind):
    """The same fields as Bind."""


class Target:
    """A queue that a published message stands in."""

    __slots__ = ("delivery_count", "position", "queue_id", "redelivered")

    def __init__(self, queue_id: int, position: int, delivery_count: int, redelivered: bool) -> None:
        self.queue_id = queue_id
        self.position = position
        self.delivery_count = delivery_count
        self.redelivered = redelivered


class Publish:
    """A message in its queues; `content` is runs of whole frames. Empty and `chunked`: chunks precede it."""

    __slots__ = ("address", "chunked", "content", "dead_lettered", "published_ms", "targets")

    def __init__(
        self,
        dead_lettered: bool,
        published_ms: int,
        targets: list[Target],
        address: bytes,
        content: list[bytes],
        chunked: bool,
    ) -> None:
        self.dead_lettered = dead_lettered
        self.published_ms = published_ms
        self.targets = targets
        self.address = address
        self.content = content
        self.chunked = chunked


class Chunk:
    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        self.content = content


class Settle:
    """Positions first…last of a queue, both included, are done with."""

    __slots__ = ("queue_id", "ranges")

    def __init__(self, queue_id: int, ranges: list[tuple[int, int]]) -> None:
        self.queue_id = queue_id
        self.ranges = ranges


class Requeue:
    """(position, delivery count) of messages that were delivered and came back."""

    __slots__ = ("entries", "queue_id")

    def __init__(self, queue_id: int, entries: list[tuple[int, int]]) -> None:
        self.queue_id = queue_id
        self.entries = entries


class CleanStop:
    """The broker stopped in order; as the last record it says that nothing was in flight."""


# Writing


def _record(kind: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) >= RECORD_BYTES_MAX:
        raise StoreError(f"a record of {len(body)} bytes does not fit the journal's format")
    return _HEAD.pack(kind << 24 | len(body) + 1) + _U8.pack(VERSION) + body


def _text(value: str) -> bytes:
    octets = value.encode()
    return _U16.pack(len(octets)) + octets


def _octets(value: bytes) -> bytes:
    return _U32.pack(len(value)) + value


def vhost_declare(name: str) -> bytes:
    return _record(VHOST_DECLARE, _text(name))


def vhost_delete(name: str) -> bytes:
    return _record(VHOST_DELETE, _text(name))


def exchange_declare(
    vhost: str, name: str, kind: str, auto_delete: bool, internal: bool, arguments: bytes
) -> bytes:
    flags = AUTO_DELETE * auto_delete | INTERNAL * internal
    return _record(
        EXCHANGE_DECLARE, _text(vhost), _text(name), _text(kind), _U8.pack(flags), _octets(arguments)
    )


def exchange_delete(vhost: str, name: str) -> bytes:
    return _record(EXCHANGE_DELETE, _text(vhost), _text(name))


def queue_declare(
    queue_id: int, vhost: str, name: str, auto_delete: bool, arguments: bytes, next_position: int
) -> bytes:
    return _record(
        QUEUE_DECLARE,
        _U32.pack(queue_id),
        _text(vhost),
        _text(name),
        _U8.pack(AUTO_DELETE * auto_delete),
        _octets(arguments),
        next_position.to_bytes(8, "big"),
    )


def queue_delete(queue_id: int) -> bytes:
    return _record(QUEUE_DELETE, _U32.pack(queue_id))


def bind(
    vhost: str,
    source: str,
    destination_is_queue: bool,
    destination: str,
    routing_key: bytes,
    arguments: bytes,
) -> bytes:
    return _binding(BIND, vhost, source, destination_is_queue, destination, routing_key, arguments)


def unbind(
    vhost: str,
    source: str,
    destination_is_queue: bool,
    destination: str,
    routing_key: bytes,
    arguments: bytes,
) -> bytes:
    return _binding(UNBIND, vhost, source, destination_is_queue, destination, routing_key, arguments)


def _binding(
    kind: int, vhost: str, source: str, to_queue: bool, destination: str, routing_key: bytes, arguments: bytes
) -> bytes:
    key = _U16.pack(len(routing_key)) + routing_key
    return _record(
        kind, _text(vhost), _text(source), _U8.pack(to_queue), _text(destination), key, _octets(arguments)
    )


def publish_one(
    dead_lettered: bool,
    published_ms: int,
    queue_id: int,
    position: int,
    delivery_count: int,
    redelivered: bool,
    address: bytes,
    content: bytes,
) -> bytes:
    """A message for one queue, its content in one piece below RECORD_BYTES_MAX: the hot record."""
    size = _ONE_BYTES + len(address) + len(content)
    head = _ONE.pack(
        PUBLISH << 24 | size,
        VERSION,
        DEAD_LETTERED if dead_lettered else 0,
        published_ms,
        1,
        queue_id,
        position,
        delivery_count,
        redelivered,
    )
    return b"".join((head, address, content))


def publish_many(
    dead_lettered: bool, published_ms: int, targets: list[Target], address: bytes, content: list[bytes]
) -> list[list[bytes]]:
    """A message for any number of queues, of any size: records as lists of pieces, to be one atom."""
    chunked = sum(len(piece) for piece in content) > CHUNK_BYTES
    records = _chunks(content) if chunked else []
    flags = (DEAD_LETTERED if dead_lettered else 0) | (CHUNKED if chunked else 0)
    parts = [_PUBLISH.pack(VERSION, flags, published_ms, len(targets))]
    for target in targets:
        parts.append(
            _TARGET.pack(target.queue_id, target.position, target.delivery_count, target.redelivered)
        )
    parts.append(address)
    if not chunked:
        parts += content
    size = sum(len(part) for part in parts)
    records.append([_HEAD.pack(PUBLISH << 24 | size), *parts])
    return records


def _chunks(content: list[bytes]) -> list[list[bytes]]:
    """Chunk records that refer to the pieces; a piece is never copied or cut."""
    records: list[list[bytes]] = []
    run: list[bytes] = []
    size = 0
    for piece in content:
        if run and size + len(piece) > CHUNK_BYTES:
            records.append(_chunk(run, size))
            run, size = [], 0
        run.append(piece)
        size += len(piece)
    records.append(_chunk(run, size))
    return records


def _chunk(run: list[bytes], size: int) -> list[bytes]:
    return [_HEAD.pack(CHUNK << 24 | size + 1), _U8.pack(VERSION), *run]


def settle(queue_id: int, ranges: list[tuple[int, int]]) -> bytes:
    if len(ranges) == 1:
        return _record(SETTLE, _U32.pack(queue_id), _RANGE.pack(*ranges[0]))
    return _record(SETTLE, _U32.pack(queue_id), *[_RANGE.pack(first, last) for first, last in ranges])


def requeue(queue_id: int, entries: list[tuple[int, int]]) -> bytes:
    return _record(
        REQUEUE, _U32.pack(queue_id), *[_COUNT.pack(position, count) for position, count in entries]
    )


def clean_stop() -> bytes:
    return _record(CLEAN_STOP)


# Reading


class _Reader:
    """Walks a payload; a length that leads outside raises StoreError."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.at = 1

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.payload):
            raise StoreError("a record ends inside a field")
        octets = self.payload[self.at : end]
        self.at = end
        return octets

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def text(self) -> str:
        return self.take(self.number(2)).decode()

    def octets(self) -> bytes:
        return self.take(self.number(4))


def decode(kind: int, payload: bytes) -> Any:
    """The record object of a payload; StoreError for one that this version cannot read."""
    decoder = DECODERS.get(kind)
    if decoder is None or not payload or payload[0] != VERSION:
        raise StoreError(f"record type {kind} version {payload[:1].hex()} is unknown to this version")
    try:
        return decoder(payload)
    except (error, IndexError, UnicodeDecodeError) as damage:
        raise StoreError(f"record type {kind} is malformed: {damage}") from None


def _decode_publish(payload: bytes) -> Publish:
    _, flags, published_ms, count = _PUBLISH.unpack_from(payload, 0)
    at = _PUBLISH.size
    targets: list[Target] = []
    for _ in range(count):
        queue_id, position, delivery_count, redelivered = _TARGET.unpack_from(payload, at)
        targets.append(Target(queue_id, position, delivery_count, bool(redelivered)))
        at += _TARGET.size
    key_at = at + 1 + payload[at]
    end = key_at + 1 + payload[key_at]
    content = [] if flags & CHUNKED else [payload[end:]]
    return Publish(
        bool(flags & DEAD_LETTERED), published_ms, targets, payload[at:end], content, bool(flags & CHUNKED)
    )


def _decode_settle(payload: bytes) -> Settle:
    if (len(payload) - 5) % _RANGE.size:
        raise StoreError("a settle record ends inside a range")
    return Settle(int.from_bytes(payload[1:5], "big"), list(_RANGE.iter_unpack(payload[5:])))


def _decode_requeue(payload: bytes) -> Requeue:
    if (len(payload) - 5) % _COUNT.size:
        raise StoreError("a requeue record ends inside an entry")
    return Requeue(int.from_bytes(payload[1:5], "big"), list(_COUNT.iter_unpack(payload[5:])))


def _decode_exchange(payload: bytes) -> ExchangeDeclare:
    reader = _Reader(payload)
    vhost, name, kind, flags = reader.text(), reader.text(), reader.text(), reader.number(1)
    return ExchangeDeclare(
        vhost, name, kind, bool(flags & AUTO_DELETE), bool(flags & INTERNAL), reader.octets()
    )


def _decode_queue(payload: bytes) -> QueueDeclare:
    reader = _Reader(payload)
    queue_id, vhost, name, flags = reader.number(4), reader.text(), reader.text(), reader.number(1)
    return QueueDeclare(queue_id, vhost, name, bool(flags & AUTO_DELETE), reader.octets(), reader.number(8))


def _decode_bind(payload: bytes) -> Bind:
    reader = _Reader(payload)
    vhost, source, to_queue = reader.text(), reader.text(), bool(reader.number(1))
    return Bind(vhost, source, to_queue, reader.text(), reader.take(reader.number(2)), reader.octets())


def _decode_unbind(payload: bytes) -> Unbind:
    record = _decode_bind(payload)
    return Unbind(
        record.vhost,
        record.source,
        record.destination_is_queue,
        record.destination,
        record.routing_key,
        record.arguments,
    )


def _decode_exchange_delete(payload: bytes) -> ExchangeDelete:
    reader = _Reader(payload)
    return ExchangeDelete(reader.text(), reader.text())


def _decode_vhost_declare(payload: bytes) -> VhostDeclare:
    return VhostDeclare(_Reader(payload).text())


def _decode_vhost_delete(payload: bytes) -> VhostDelete:
    return VhostDelete(_Reader(payload).text())


def _decode_queue_delete(payload: bytes) -> QueueDelete:
    return QueueDelete(_Reader(payload).number(4))


def _decode_chunk(payload: bytes) -> Chunk:
    return Chunk(payload[1:])


def _decode_clean_stop(payload: bytes) -> CleanStop:
    return CleanStop()


DECODERS: Final[dict[int, Callable[[bytes], Any]]] = {
    VHOST_DECLARE: _decode_vhost_declare,
    VHOST_DELETE: _decode_vhost_delete,
    EXCHANGE_DECLARE: _decode_exchange,
    EXCHANGE_DELETE: _decode_exchange_delete,
    QUEUE_DECLARE: _decode_queue,
    QUEUE_DELETE: _decode_queue_delete,
    BIND: _decode_bind,
    UNBIND: _decode_unbind,
    PUBLISH: _decode_publish,
    CHUNK: _decode_chunk,
    SETTLE: _decode_settle,
    REQUEUE: _decode_requeue,
    CLEAN_STOP: _decode_clean_stop,
}
