"""The hot half of a load: what arrives at a consumer and at a producer that waits for confirms.

Compiled with the core, and cheap without a compiler too: the broker is to saturate first. Deliveries of one
consumer look alike, so the first one teaches their shape and the others are compared with it in two strokes
instead of being taken apart; whatever differs goes frame by frame. Messages sent in one go carry one stamp.
"""

from collections import deque
from typing import Final

from mypy_extensions import i64

from mambaamqp.bench.histogram import Histogram
from mambaamqp.errors import MambaError
from mambaamqp.wire.fast import ACK_INDEX, BASIC, DELIVER, GET_OK, NACK_INDEX, RETURN, ack
from mambaamqp.wire.framing import FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD, PREFIX_BYTES, u32
from mambaamqp.wire.methods import Channel, Connection, decode

CHANNEL: Final = 1
STAMP_BYTES: Final = 8
ACK_REST_BYTES: Final = 10
"""Of a basic.ack's frame: the tag, the bits, the end."""
DELIVER_INDEX: Final = BASIC << 16 | DELIVER
GET_OK_INDEX: Final = BASIC << 16 | GET_OK
GET_EMPTY_INDEX: Final = BASIC << 16 | 72
RETURN_INDEX: Final = BASIC << 16 | RETURN


class BenchError(MambaError):
    """The load cannot be put on: the broker is not there, refuses or closes."""


def refuse_close(payload: bytes) -> None:
    """Raise what the broker says, if this method closes the channel or the connection."""
    method = decode(payload)
    if method.index in (Channel.Close.index, Connection.Close.index):
        raise BenchError(f"the broker closed: {method.reply_code} {method.reply_text}")


def long_at(data: bytes, at: i64) -> int:
    """Unsigned 64-bit big-endian number at `at`."""
    return int.from_bytes(data[at : at + 8], "big")


class Arrivals:
    """What a consumer receives, and the acknowledgements that it owes."""

    def __init__(self, ack_every: int, stamped: bool, latency: Histogram) -> None:
        self.ack_every = ack_every
        """0: the broker expects no acknowledgements."""
        self.stamped = stamped
        self.latency = latency
        self.consumed = 0
        self.empty = 0
        """Answers of basic.get that brought nothing."""
        self.pending = b""
        self.acks: list[bytes] = []
        shape = ack(CHANNEL, 0, ack_every > 1)
        self.ack_head = shape[:-ACK_REST_BYTES]
        self.ack_tail = shape[8 - ACK_REST_BYTES :]
        self.unacked = 0
        self.tag = 0
        self.left: i64 = -1
        """Octets of the body still to come; -1 between messages."""
        self.fresh = False
        """The next body frame is the first of its message."""
        self.stamp = b""
        self.run: i64 = 0
        """Messages in a row with that stamp, not counted yet."""
        self.stride: i64 = 0
        """Octets of a whole delivery of the known shape; 0: none known."""
        self.head = b""
        self.middle = b""
        self.middle_at: i64 = 0
        self.stamp_at: i64 = 0

    def take(self, data: bytes, now: int) -> None:
        """Octets off the socket, at `now` nanoseconds."""
        if self.pending:
            data = self.pending + data
        at: i64 = 0
        end: i64 = len(data)
        while end - at >= 8:
            # The whole point: two comparisons and a count for a delivery like the last one.
            stride = self.stride
            if (
                stride
                and end - at >= stride
                and data.startswith(self.head, at)
                and data.startswith(self.middle, at + self.middle_at)
                and data[at + stride - 1] == FRAME_END
            ):
                if self.stamped:
                    self._stamp(data[at + self.stamp_at : at + self.stamp_at + STAMP_BYTES], now)
                self._arrived(data, at + len(self.head))
                at += stride
                continue
            size = u32(data, at + 3)
            if end - at < size + 8:
                break
            self._frame(data, at, size, now)
            at += size + 8
        self.pending = data[at:]
        self._flush_run(now)

    def take_acks(self) -> bytes:
        """The acknowledgements to send."""
        octets = b"".join(self.acks)
        self.acks.clear()
        return octets

    def _arrived(self, data: bytes, tag_at: i64) -> None:
        self.consumed += 1
        if self.ack_every:
            self.unacked += 1
            if self.unacked >= self.ack_every:
                # The tag goes back as it came: it need not become a number in between.
                self.acks += (self.ack_head, data[tag_at : tag_at + 8], self.ack_tail)
                self.unacked = 0

    def _stamp(self, stamp: bytes, now: int) -> None:
        if stamp != self.stamp:
            self._flush_run(now)
            self.stamp = stamp
        self.run += 1

    def _flush_run(self, now: int) -> None:
        if self.run:
            self.latency.record((now - int.from_bytes(self.stamp, "big")) // 1000, self.run)
            self.run = 0

    def _frame(self, data: bytes, at: i64, size: i64, now: int) -> None:
        kind = data[at]
        start = at + PREFIX_BYTES
        if data[start + size] != FRAME_END:
            raise BenchError("the broker sent a frame without an end")
        if kind == FRAME_METHOD:
            self._method(data, at, start, size)
        elif kind == FRAME_HEADER:
            self.left = long_at(data, start + 4)
            self.fresh = True
        elif kind == FRAME_BODY:
            if self.fresh and self.stamped and size >= STAMP_BYTES:
                self._stamp(data[start : start + STAMP_BYTES], now)
            self.fresh = False
            self.left -= size
        if self.left == 0:
            self.left = -1
            self._arrived(self.tag.to_bytes(8, "big"), 0)

    def _method(self, data: bytes, at: i64, start: i64, size: i64) -> None:
        index = u32(data, start)
        if index == DELIVER_INDEX:
            tag_at = start + 5 + data[start + 4]
            self.tag = long_at(data, tag_at)
            self._learn(data, at, tag_at, start + size + 1)
        elif index == GET_OK_INDEX:
            self.tag = long_at(data, start + 4)
        elif index == GET_EMPTY_INDEX:
            self.empty += 1
        else:
            refuse_close(data[start : start + size])

    def _learn(self, data: bytes, at: i64, tag_at: i64, header_at: i64) -> None:
        """Remember the shape of this delivery, if all of it is here in at most one body frame."""
        if len(data) - header_at < 20:
            return
        body_at = header_at + u32(data, header_at + 3) + 8
        if len(data) - body_at < 8:
            return
        size = long_at(data, header_at + PREFIX_BYTES + 4)
        if size == 0 or u32(data, body_at + 3) != size or data[body_at] != FRAME_BODY:
            return
        # Between them stand the tag, the redelivered bit and the address, whose size the head fixes.
        self.head = data[at:tag_at]
        self.middle = data[header_at - 1 : body_at + PREFIX_BYTES]
        self.middle_at = header_at - 1 - at
        self.stamp_at = body_at + PREFIX_BYTES - at
        self.stride = self.stamp_at + size + 1


class Confirms:
    """What a producer has published, and what of it the broker has confirmed.

    A confirm counts for the latency once all before it are confirmed too.
    """

    def __init__(self, latency: Histogram, awaited: bool) -> None:
        self.latency = latency
        self.awaited = awaited
        """The broker was asked for confirms."""
        self.published = 0
        self.confirmed = 0
        """All up to this one are."""
        self.nacked = 0
        self.returned = 0
        self.commits = 0
        self.blocked = False
        self.pending = b""
        self._ahead: set[int] = set()
        self._sent: deque[tuple[int, int]] = deque()

    @property
    def outstanding(self) -> int:
        """Published and not confirmed."""
        return self.published - self.confirmed - len(self._ahead)

    def sent(self, count: int, now: int) -> None:
        """So many more have been published."""
        self.published += count
        if self.awaited:
            self._sent.append((self.published, now))

    def take(self, data: bytes, now: int) -> None:
        """Octets off the socket, at `now` nanoseconds."""
        if self.pending:
            data = self.pending + data
        at: i64 = 0
        end: i64 = len(data)
        while end - at >= 8:
            size = u32(data, at + 3)
            if end - at < size + 8:
                break
            if data[at] == FRAME_METHOD:
                start = at + PREFIX_BYTES
                index = u32(data, start)
                if index in (ACK_INDEX, NACK_INDEX):
                    if index == NACK_INDEX:
                        self.nacked += 1
                    self._confirm(long_at(data, start + 4), data[start + 12] & 1 != 0, now)
                else:
                    self._other(data[start : start + size])
            at += size + 8
        self.pending = data[at:]

    def _confirm(self, tag: int, multiple: bool, now: int) -> None:
        if multiple:
            if tag > self.confirmed:
                self._advance(tag, now)
                self._ahead = {ahead for ahead in self._ahead if ahead > tag}
        elif tag != self.confirmed + 1:
            self._ahead.add(tag)
            return
        else:
            self._advance(tag, now)
        while self._ahead and self.confirmed + 1 in self._ahead:
            self._ahead.remove(self.confirmed + 1)
            self._advance(self.confirmed + 1, now)

    def _advance(self, tag: int, now: int) -> None:
        while self._sent and self.confirmed < tag:
            last, at = self._sent[0]
            upto = min(last, tag)
            self.latency.record((now - at) // 1000, upto - self.confirmed)
            self.confirmed = upto
            if upto == last:
                self._sent.popleft()

    def _other(self, payload: bytes) -> None:
        index = u32(payload, 0)
        if index == RETURN_INDEX:
            self.returned += 1
        elif index == Connection.Blocked.index:
            self.blocked = True
        elif index == Connection.Unblocked.index:
            self.blocked = False
        elif index >> 16 == 90:
            self.commits += 1
        else:
            refuse_close(payload)
