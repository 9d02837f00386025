"""The durable facts read back: bodies of frames into the record classes of `records`.

A body's checksum has been verified before it comes here, so whatever cannot be read was written by a newer
version, or by a bug: it is a StoreError, never something to pass over. Refuses to know files.
"""

from collections.abc import Callable
from struct import Struct, error
from typing import Any, Final

from mambaamqp.errors import StoreError
from mambaamqp.store import records
from mambaamqp.store.records import VERSION, Publish, Settle, Target
from mambaamqp.store.segment import Segment

Stored = tuple[int, Segment, Any]
"""(LSN, segment, record)"""

RECORD_HEAD_BYTES: Final = 4

_PUBLISH_ONE: Final = Struct(">IBBQHIQIB")
"""Record head, publish head and the first target."""
_PUBLISH: Final = Struct(">BBQH")
_TARGET: Final = Struct(">IQIB")
_SETTLE_ONE: Final = Struct(">IBIQQ")
"""Record head and settle with one range."""
_RANGE: Final = Struct(">QQ")
_COUNT: Final = Struct(">QI")
_SETTLE_ONE_SIZE: Final = records.SETTLE << 24 | _SETTLE_ONE.size - RECORD_HEAD_BYTES


class BodyDecoder:
    """The records of frame after frame, with chunks put into the publish behind them."""

    def __init__(self) -> None:
        self.messages_only = False
        """Leave out what is said about topology."""
        self.last_kind = 0
        """Type of the record decoded last."""
        self._chunks: list[bytes] = []
        self._chunks_lsn = 0
        self._cut = False
        """The last chunk ended inside a frame."""

    def begin_run(self) -> None:
        """What follows is not the continuation of what came before."""
        self._chunks = []
        self._cut = False

    def decode(self, body: bytes, body_lsn: int, segment: Segment) -> list[Stored]:
        """The records of a body; a chunked message stands where its first chunk does."""
        found: list[Stored] = []
        at = 0
        size = len(body)
        kind = 0
        try:
            while at < size:
                head = int.from_bytes(body[at : at + 4], "big")
                kind = head >> 24
                end = at + RECORD_HEAD_BYTES + (head & records.RECORD_BYTES_MAX)
                if end > size:
                    raise StoreError(f"the record at LSN {body_lsn + at} ends outside its frame")
                if kind == records.PUBLISH:
                    publish = _publish(body, at, end)
                    lsn = self._take_chunks(publish) if publish.chunked else body_lsn + at
                    found.append((lsn, segment, publish))
                elif head == _SETTLE_ONE_SIZE and body[at + 4] == VERSION:
                    _, _, queue_id, first, last = _SETTLE_ONE.unpack_from(body, at)
                    found.append((body_lsn + at, segment, Settle(queue_id, [(first, last)])))
                else:
                    self._decode_rare(kind, body, at, end, body_lsn, segment, found)
                at = end
        except (error, IndexError, UnicodeDecodeError) as damage:
            raise StoreError(f"the record at LSN {body_lsn + at} is malformed: {damage}") from None
        if kind:
            self.last_kind = kind
        return found

    def _decode_rare(
        self, kind: int, body: bytes, at: int, end: int, body_lsn: int, segment: Segment, found: list[Stored]
    ) -> None:
        lsn = body_lsn + at
        if kind == records.CHUNK:
            self._take_chunk(_decode_chunk(body[at + RECORD_HEAD_BYTES : end]), lsn)
            return
        # A clean stop says something only as the last record of all: see `last_kind`.
        if not (kind == records.CLEAN_STOP or (self.messages_only and kind in TOPOLOGY)):
            found.append((lsn, segment, decode(kind, body[at + RECORD_HEAD_BYTES : end])))

    def _take_chunk(self, chunk: records.Chunk, lsn: int) -> None:
        if self._cut:
            self._chunks[-1] += chunk.content
        else:
            if not self._chunks:
                self._chunks_lsn = lsn
            self._chunks.append(chunk.content)
        self._cut = chunk.goes_on

    def _take_chunks(self, publish: Publish) -> int:
        """Put the chunks that came before into their message; where the first of them stands."""
        if not self._chunks or self._cut:
            raise StoreError("a publish record without the chunks of its content")
        publish.content = self._chunks
        self._chunks = []
        return self._chunks_lsn


def publish_in(octets: bytes, at: int, size: int) -> Publish:
    """The publish record of `size` octets at `at`, written in one piece; StoreError if it is none."""
    end = at + size
    head = records.PUBLISH << 24 | size - RECORD_HEAD_BYTES
    if end > len(octets) or int.from_bytes(octets[at : at + RECORD_HEAD_BYTES], "big") != head:
        raise StoreError("there is no such publish record")
    try:
        return _publish(octets, at, end)
    except (error, IndexError, UnicodeDecodeError) as damage:
        raise StoreError(f"the publish record is malformed: {damage}") from None


def _publish(body: bytes, at: int, end: int) -> Publish:
    """The publish record from `at` (its head) to `end`."""
    _, version, flags, published_ms, count, queue_id, position, delivery_count, redelivered = (
        _PUBLISH_ONE.unpack_from(body, at)
    )
    if version != VERSION:
        raise StoreError(f"record type {records.PUBLISH} version {version} is unknown to this version")
    at += _PUBLISH_ONE.size
    targets = [Target(queue_id, position, delivery_count, redelivered != 0)]
    while count > 1:
        queue_id, position, delivery_count, redelivered = _TARGET.unpack_from(body, at)
        targets.append(Target(queue_id, position, delivery_count, redelivered != 0))
        at += _TARGET.size
        count -= 1
    key_at = at + 1 + body[at]
    content_at = key_at + 1 + body[key_at]
    if content_at > end:
        raise StoreError("a publish record ends inside its address")
    chunked = flags & records.CHUNKED != 0
    content = [] if chunked else [body[content_at:end]]
    dead_lettered = flags & records.DEAD_LETTERED != 0
    return Publish(dead_lettered, published_ms, targets, body[at:content_at], content, chunked)


def decode(kind: int, payload: bytes) -> Any:
    """The record object of a payload; StoreError for one that this version cannot read."""
    decoder = DECODERS.get(kind)
    if decoder is None or not payload or payload[0] != VERSION:
        raise StoreError(f"record type {kind} version {payload[:1].hex()} is unknown to this version")
    try:
        return decoder(payload)
    except (error, IndexError, UnicodeDecodeError) as damage:
        raise StoreError(f"record type {kind} is malformed: {damage}") from None


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


def _decode_publish(payload: bytes) -> Publish:
    head = (records.PUBLISH << 24 | len(payload)).to_bytes(4, "big")
    return _publish(head + payload, 0, RECORD_HEAD_BYTES + len(payload))


def _decode_settle(payload: bytes) -> Settle:
    return Settle(int.from_bytes(payload[1:5], "big"), list(_RANGE.iter_unpack(payload[5:])))


def _decode_requeue(payload: bytes) -> records.Requeue:
    return records.Requeue(int.from_bytes(payload[1:5], "big"), list(_COUNT.iter_unpack(payload[5:])))


def _decode_exchange(payload: bytes) -> records.ExchangeDeclare:
    reader = _Reader(payload)
    vhost, name, kind, flags = reader.text(), reader.text(), reader.text(), reader.number(1)
    auto_delete, internal = bool(flags & records.AUTO_DELETE), bool(flags & records.INTERNAL)
    return records.ExchangeDeclare(vhost, name, kind, auto_delete, internal, reader.octets())


def _decode_queue(payload: bytes) -> records.QueueDeclare:
    reader = _Reader(payload)
    queue_id, vhost, name, flags = reader.number(4), reader.text(), reader.text(), reader.number(1)
    auto_delete = bool(flags & records.AUTO_DELETE)
    return records.QueueDeclare(queue_id, vhost, name, auto_delete, reader.octets(), reader.number(8))


def _decode_bind(payload: bytes) -> records.Bind:
    reader = _Reader(payload)
    vhost, source, to_queue = reader.text(), reader.text(), bool(reader.number(1))
    return records.Bind(
        vhost, source, to_queue, reader.text(), reader.take(reader.number(2)), reader.octets()
    )


def _decode_unbind(payload: bytes) -> records.Unbind:
    record = _decode_bind(payload)
    return records.Unbind(
        record.vhost,
        record.source,
        record.destination_is_queue,
        record.destination,
        record.routing_key,
        record.arguments,
    )


def _decode_exchange_delete(payload: bytes) -> records.ExchangeDelete:
    reader = _Reader(payload)
    return records.ExchangeDelete(reader.text(), reader.text())


def _decode_vhost_declare(payload: bytes) -> records.VhostDeclare:
    return records.VhostDeclare(_Reader(payload).text())


def _decode_vhost_delete(payload: bytes) -> records.VhostDelete:
    return records.VhostDelete(_Reader(payload).text())


def _decode_queue_delete(payload: bytes) -> records.QueueDelete:
    return records.QueueDelete(_Reader(payload).number(4))


def _decode_chunk(payload: bytes) -> records.Chunk:
    return records.Chunk(payload[2:], payload[1] & records.GOES_ON != 0)


def _decode_parameter(payload: bytes) -> records.Parameter:
    reader = _Reader(payload)
    return records.Parameter(reader.text(), reader.text(), reader.text(), reader.octets())


def _decode_clean_stop(payload: bytes) -> records.CleanStop:
    return records.CleanStop()


DECODERS: Final[dict[int, Callable[[bytes], Any]]] = {
    records.VHOST_DECLARE: _decode_vhost_declare,
    records.VHOST_DELETE: _decode_vhost_delete,
    records.EXCHANGE_DECLARE: _decode_exchange,
    records.EXCHANGE_DELETE: _decode_exchange_delete,
    records.QUEUE_DECLARE: _decode_queue,
    records.QUEUE_DELETE: _decode_queue_delete,
    records.BIND: _decode_bind,
    records.UNBIND: _decode_unbind,
    records.PUBLISH: _decode_publish,
    records.CHUNK: _decode_chunk,
    records.SETTLE: _decode_settle,
    records.REQUEUE: _decode_requeue,
    records.CLEAN_STOP: _decode_clean_stop,
    records.PARAMETER: _decode_parameter,
}

TOPOLOGY: Final = frozenset(
    {
        records.VHOST_DECLARE,
        records.VHOST_DELETE,
        records.EXCHANGE_DECLARE,
        records.EXCHANGE_DELETE,
        records.QUEUE_DECLARE,
        records.QUEUE_DELETE,
        records.BIND,
        records.UNBIND,
        records.PARAMETER,
    }
)
