"""The durable facts: what each is, and how it is written into the journal.

A record is `u8 type | u24 length | payload`, big-endian; every payload starts with its version. Strings are
`u16 length | UTF-8`, argument tables `u32 length | octets` exactly as the client sent them, `address` the
two short strings of basic.publish, content the frames as they stood on the wire (the channel number in them
means nothing here). `decoding` reads them back. Refuses to know what follows from a fact: `broker.replay`
applies them.
"""

from struct import Struct
from typing import Final

from mambaamqp.errors import StoreError
from mambaamqp.store.body import UNREADABLE

VERSION: Final = 1
RECORD_BYTES_MAX: Final = 0xFFFFFF
CHUNK_BYTES: Final = 1024 * 1024
"""Content beyond this is written in chunk records of about this size."""
PIECE_BYTES_MAX: Final = 8 * 1024 * 1024
"""A piece of content beyond this is cut, since no record could hold it."""
TARGETS_MAX: Final = 65_535
"""Queues of one publish record; a message for more of them is written again for the rest."""

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
PARAMETER: Final = 14

DEAD_LETTERED: Final = 1
CHUNKED: Final = 2
GOES_ON: Final = 1
"""Of a chunk: its last frame goes on in the next chunk."""
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
_CHUNK: Final = Struct(">IBB")
_ONE: Final = Struct(">IBBQHIQIB")
"""Record head, publish head and one target in one go: the hot record."""
_ONE_BYTES: Final = _ONE.size - 4
CHUNK_HEAD_BYTES: Final = _CHUNK.size
TARGET_BYTES: Final = 17
"""Of each queue in a publish record."""
PUBLISH_BYTES: Final = 16
"""Of a publish record without its queues, address and content; more where the content stands in chunks."""


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

    __slots__ = ("address", "chunked", "content", "dead_lettered", "published_ms", "spans", "targets")

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
        self.spans: list[Span] | None = None
        """Where the body frames stand that were not read into `content`: it is a large one."""

    @property
    def lost(self) -> bool:
        """Some of these are not what they were."""
        return self.spans is not None and any(span.crc == UNREADABLE for span in self.spans)


class Span:
    """Whole frames of a body in the log: `size` octets at `lsn`. `octets` are those of frames that stand in
    two records there, and have no place of their own."""

    def __init__(self, lsn: int, size: int, crc: int, octets: bytes) -> None:
        self.lsn = lsn
        self.size = size
        self.crc = crc
        self.octets = octets


class Chunk:
    """A part of the content of the message that is published next; `goes_on`: it ends inside a frame."""

    __slots__ = ("content", "goes_on")

    def __init__(self, content: bytes, goes_on: bool) -> None:
        self.content = content
        self.goes_on = goes_on


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


class Parameter:
    """Something set by an administrator: a policy, a limit, a user; an empty value: it was cleared.

    `component` says what kind of thing it is; the value is a JSON object in UTF-8.
    """

    def __init__(self, component: str, vhost: str, name: str, value: bytes) -> None:
        self.component = component
        self.vhost = vhost
        self.name = name
        self.value = value


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
    """A message for one queue, its content in one piece: the hot record. StoreError above 16 MiB."""
    size = _ONE_BYTES + len(address) + len(content)
    if size > RECORD_BYTES_MAX:
        raise StoreError(f"a record of {size} bytes does not fit the journal's format")
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
    """A message for any number of queues, of any size: records as lists of pieces, to be one atom.

    The pieces of the content are referred to, not copied.
    """
    content_bytes = 0
    for piece in content:
        content_bytes += len(piece)
    chunked = content_bytes > CHUNK_BYTES
    records: list[list[bytes]] = []
    for at in range(0, len(targets), TARGETS_MAX):
        if chunked:
            records += _chunks(content)
        some = targets[at : at + TARGETS_MAX]
        records.append(
            publish_head(dead_lettered, published_ms, some, address, [] if chunked else content, chunked)
        )
    return records


def publish_head(
    dead_lettered: bool,
    published_ms: int,
    targets: list[Target],
    address: bytes,
    content: list[bytes],
    chunked: bool,
) -> list[bytes]:
    """A publish record for at most TARGETS_MAX queues, as pieces; `chunked`: its content stands before it."""
    flags = (DEAD_LETTERED if dead_lettered else 0) | (CHUNKED if chunked else 0)
    parts = [_PUBLISH.pack(VERSION, flags, published_ms, len(targets))]
    for target in targets:
        parts.append(
            _TARGET.pack(target.queue_id, target.position, target.delivery_count, target.redelivered)
        )
    parts.append(address)
    parts += content
    size = 0
    for part in parts:
        size += len(part)
    return [_HEAD.pack(PUBLISH << 24 | size), *parts]


def _chunks(content: list[bytes]) -> list[list[bytes]]:
    """Chunk records of about CHUNK_BYTES, each of whole pieces; a piece that is larger by far is cut."""
    records: list[list[bytes]] = []
    run: list[bytes] = []
    size = 0
    for piece in content:
        if run and size + len(piece) > CHUNK_BYTES:
            records.append(_chunk(run, size, 0))
            run, size = [], 0
        while len(piece) > PIECE_BYTES_MAX:
            records.append(_chunk([piece[:PIECE_BYTES_MAX]], PIECE_BYTES_MAX, GOES_ON))
            piece = piece[PIECE_BYTES_MAX:]
        run.append(piece)
        size += len(piece)
    records.append(_chunk(run, size, 0))
    return records


def _chunk(run: list[bytes], size: int, flags: int) -> list[bytes]:
    return [chunk_head(size, flags), *run]


def chunk_head(size: int, flags: int = 0) -> bytes:
    """What a chunk record of `size` octets of content begins with: CHUNK_HEAD_BYTES."""
    return _CHUNK.pack(CHUNK << 24 | size + 2, VERSION, flags)


def settle(queue_id: int, ranges: list[tuple[int, int]]) -> bytes:
    if len(ranges) == 1:
        return _record(SETTLE, _U32.pack(queue_id), _RANGE.pack(*ranges[0]))
    return _record(SETTLE, _U32.pack(queue_id), *[_RANGE.pack(first, last) for first, last in ranges])


def requeue(queue_id: int, entries: list[tuple[int, int]]) -> bytes:
    return _record(
        REQUEUE, _U32.pack(queue_id), *[_COUNT.pack(position, count) for position, count in entries]
    )


def parameter(component: str, vhost: str, name: str, value: bytes) -> bytes:
    return _record(PARAMETER, _text(component), _text(vhost), _text(name), _octets(value))


def clean_stop() -> bytes:
    return _record(CLEAN_STOP)
