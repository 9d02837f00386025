"""The durable facts read back: bodies of frames into the record classes of `records`.

A body's checksum has been verified before it comes here, so whatever cannot be read was written by a newer
version, or by a bug: it is a StoreError, never something to pass over. Refuses to know files.
"""

from collections.abc import Callable
from struct import Struct, error
from typing import Any, Final
from zlib import crc32

from mambaamqp.errors import StoreError
from mambaamqp.store import records
from mambaamqp.store.body import CHUNK_BYTES, UNREADABLE
from mambaamqp.store.records import VERSION, Publish, Settle, Span, Target
from mambaamqp.store.segment import Segment
from mambaamqp.store.spool import WHOLE_BYTES_MAX

Stored = tuple[int, Segment, Any]
"""(LSN, segment, record)"""

RECORD_HEAD_BYTES: Final = 4
FRAME_PREFIX_BYTES: Final = 7
FRAME_KINDS: Final = frozenset({2, 3})
"""Frames of a content: header and body. Its other parts: channel u16, size u32, payload, FRAME_END."""
FRAME_END: Final = 0xCE

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
    """The records of frame after frame, with chunks put into the publish behind them.

    Of a large content no more is kept than where it stands, and its checksums.
    """

    def __init__(self) -> None:
        self.messages_only = False
        """Leave out what is said about topology."""
        self.last_kind = 0
        """Type of the record decoded last."""
        self.whole_bytes_max = WHOLE_BYTES_MAX
        """Content up to this size is put together."""
        self._gathering = Gathering()
        self._chunks_lsn = 0

    def begin_run(self) -> None:
        """What follows is not the continuation of what came before."""
        self._gathering = Gathering()

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
        gathering = self._gathering
        if not gathering.size:
            self._chunks_lsn = lsn
        gathering.add(chunk, lsn + records.CHUNK_HEAD_BYTES, self.whole_bytes_max)

    def _take_chunks(self, publish: Publish) -> int:
        """Put the chunks that came before into their message; where the first of them stands."""
        gathering = self._gathering
        if not gathering.size or gathering.cut:
            raise StoreError("a publish record without the chunks of its content")
        self._gathering = Gathering()
        if gathering.size <= self.whole_bytes_max:
            publish.content = [b"".join(gathering.whole)]
        elif not gathering.header:
            raise StoreError("a large content without its header")
        else:
            publish.content = [gathering.header]
            publish.spans = gathering.spans
        return self._chunks_lsn


class Gathering:
    """The chunks of one content, as far as they have been read."""

    def __init__(self) -> None:
        self.size = 0
        self.whole: list[bytes] = []
        """All of it, as long as it is small."""
        self.header = b""
        """The content's header frame."""
        self.spans: list[Span] = []
        """Where its body frames stand."""
        self.cut = False
        """The last chunk ended inside a frame."""
        self._loose = b""
        """What has come of a frame that stands in several chunks."""

    def add(self, chunk: records.Chunk, lsn: int, whole_bytes_max: int) -> None:
        """The next chunk; its content stands at `lsn`."""
        content = chunk.content
        self.size += len(content)
        if self.size <= whole_bytes_max:
            self.whole.append(content)
        else:
            self.whole = []
        if self.cut or chunk.goes_on:
            self._loose += content
            if not chunk.goes_on:
                loose, self._loose = self._loose, b""
                self._cut_up(loose, lsn, has_place=False)
        else:
            self._cut_up(content, lsn, has_place=True)
        self.cut = chunk.goes_on

    def _cut_up(self, octets: bytes, lsn: int, has_place: bool) -> None:
        """Whole frames, some for each span. What are none has been lost when it was written again."""
        at = 0
        if not self.header:
            at = max(0, _frame_end(octets, 0))
            self.header = octets[:at]
        while at < len(octets):
            end = at
            while end >= 0 and end < len(octets) and end - at < CHUNK_BYTES:
                end = _frame_end(octets, end)
            whole = end >= 0
            if not whole:
                end = len(octets)
            part = octets[at:end]
            crc = crc32(part) if whole else UNREADABLE
            self.spans.append(Span(lsn + at, len(part), crc, b"" if has_place else part))
            at = end


def _frame_end(octets: bytes, at: int) -> int:
    """Behind the frame of a content that stands at `at`; -1 if none does."""
    payload = at + FRAME_PREFIX_BYTES
    if payload > len(octets) or octets[at] not in FRAME_KINDS:
        return -1
    last = payload + int.from_bytes(octets[at + 3 : payload], "big")
    return last + 1 if last < len(octets) and octets[last] == FRAME_END else -1


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
