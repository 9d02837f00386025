"""A message as its publisher sent it.

The content stays the octets that the publisher sent: `content` is the header frame and the body frames
exactly as they stood on the wire, `address` the exchange and routing key as they stood in basic.publish. Of
a large message the body frames are on disk (`stored`), and `content` is the header frame alone.
What the broker must know (persistent, priority, expiration) is read once and kept beside them. Nothing
here decides anything; where a message waits is `broker.entry`'s matter.
"""

from typing import Final

from mypy_extensions import i32, i64, mypyc_attr

from mambaamqp.store.body import StoredBody
from mambaamqp.store.records import PUBLISH_BYTES, TARGET_BYTES
from mambaamqp.store.segment import Segment
from mambaamqp.wire import fast
from mambaamqp.wire.framing import ENVELOPE_BYTES, FRAME_HEADER, PREFIX, PREFIX_BYTES

NO_LSN: Final = -1


# A million of them may wait: numbers are native where they are compiled, and the garbage collector, which
# would find no cycle, does not track them.
@mypyc_attr(acyclic=True)
class Message:
    """One published message, shared by all queues that it was routed to.

    `body_bytes` is the size of the body alone. `expiration_ms` is -1 without one, `priority` -1 without
    one. `segment` is the journal segment that holds it, None for a message that is not journaled;
    `references` counts the journaled entries that still need it there.
    """

    # Defaults stand on the class: what most messages do not have costs them nothing.
    stored: StoredBody | None = None
    priority: i32 = -1
    expiration_ms: i64 = -1
    published_ms: i64 = 0
    dead_lettered: bool = False
    segment: Segment | None = None
    references: i32 = 0
    lsn: i64 = NO_LSN
    """Where its record stands in the journal, if that is one record for one queue."""
    body_bytes: i32

    def __init__(self, address: bytes, content: bytes, body_bytes: int, persistent: bool) -> None:
        self.address = address
        self.content = content
        self.body_bytes = body_bytes
        self.persistent = persistent

    def kept_bytes(self) -> int:
        """About the octets that its record takes in the journal; exactly, if that is one for one queue."""
        size = PUBLISH_BYTES + TARGET_BYTES * self.references + len(self.address) + len(self.content)
        if self.stored is not None:
            size += self.stored.size
        return size

    def enter(self, segment: Segment, references: int) -> None:
        """The message stands in `segment` from now on, for so many journaled entries."""
        self.references = references
        self.segment = segment
        segment.live += 1
        segment.live_bytes += self.kept_bytes()

    def leave(self) -> None:
        """Nobody needs what stands in the segment any more."""
        segment = self.segment
        if segment is not None:
            segment.live -= 1
            segment.live_bytes -= self.kept_bytes()
            self.segment = None

    def release(self) -> None:
        """One journaled entry less."""
        if self.references == 1:
            self.leave()
            self.references = 0
            return
        self.references -= 1
        if self.segment is not None:
            self.segment.live_bytes -= TARGET_BYTES

    def header(self) -> bytes:
        """The content header's payload: class, weight, body size, flags, properties."""
        size = int.from_bytes(self.content[3:7], "big")
        return self.content[PREFIX_BYTES : PREFIX_BYTES + size]

    def body(self) -> bytes:
        """The body in one piece: a copy, for views and tests. StoreError if it is lost."""
        return b"".join([self.body_part(place) for place in range(self.body_parts())])

    def body_parts(self) -> int:
        """In so many parts it can be had one by one."""
        return 1 if self.stored is None else len(self.stored.chunks)

    def body_part(self, place: int) -> bytes:
        """One of them; StoreError if it is lost, OSError if it cannot be read."""
        stored = self.stored
        frames = self.content[len(self.header()) + ENVELOPE_BYTES :] if stored is None else stored.read(place)
        return b"".join(fast.reframe(frames, 0, 1 << 31)[1::3])

    def with_header(self, header: bytes) -> "Message":
        """A copy of this message whose content header is `header`; the body is shared, not copied twice."""
        old_size = int.from_bytes(self.content[3:7], "big")
        channel = int.from_bytes(self.content[1:3], "big")
        rest = self.content[PREFIX_BYTES + old_size + 1 :]
        copy = self.copy()
        copy.content = b"".join((PREFIX.pack(FRAME_HEADER, channel, len(header)), header, b"\xce", rest))
        return copy

    def copy(self) -> "Message":
        """The same message, not in the journal yet; the content is shared."""
        copy = Message(self.address, self.content, self.body_bytes, self.persistent)
        copy.stored = self.stored
        copy.priority = self.priority
        copy.expiration_ms = self.expiration_ms
        copy.published_ms = self.published_ms
        copy.dead_lettered = self.dead_lettered
        return copy


def address_of(exchange: str, routing_key: str) -> bytes:
    """The two short strings of a basic.publish, for messages that the broker sends on itself."""
    name = exchange.encode()
    key = routing_key.encode()
    return b"".join((bytes((len(name),)), name, bytes((len(key),)), key))


def names_of(address: bytes) -> tuple[str, str]:
    """Exchange and routing key out of an address."""
    size = address[0]
    return address[1 : 1 + size].decode(), address[2 + size :].decode()
