"""What waits to be written to one connection's socket, as pieces, in order.

Pieces are referred to, not copied, until they leave; a message costs its memory once however many consumers
it goes to. Large bodies are on disk, and are read when they leave. The size is bounded by those who write:
they stop when `size` passes the mark.
"""

from collections import deque
from typing import Final

from mambaamqp.session.spooled import Spooled

TRIM_PIECES: Final = 4096

CHUNK_BYTES: Final = 256 * 1024
"""What one write hands to the socket at most, unless a single piece is larger."""


class Outbox:
    """Octets on their way out. `size` is what `take` has not handed over yet.

    A hold keeps back everything written after a mark until the journal is durable up to a position: the
    reply to a durable change must not overtake the sync, and nothing may overtake the reply.
    """

    def __init__(self) -> None:
        self.pieces: list[bytes | memoryview] = []
        self.size = 0
        self.start = 0
        """Pieces before this index have left already."""
        self.trimmed = 0
        """Pieces that were removed from the list for good; marks count them."""
        self.holds: deque[tuple[int, int]] = deque()
        """(mark, journal position), oldest first."""
        self.spooled: deque[tuple[int, Spooled]] = deque()
        """(mark, large body), oldest first; the piece at the mark is empty."""

    @property
    def ready(self) -> bool:
        """Whether `take` would give anything now."""
        return self.start < self._end()

    @property
    def holding(self) -> bool:
        """Whether something waits for the journal."""
        return bool(self.holds)

    @property
    def mark(self) -> int:
        """The place after everything written so far."""
        return self.trimmed + len(self.pieces)

    def hold(self, mark: int, position: int) -> None:
        """Keep what was written from `mark` on until `release` is told of `position`."""
        self.holds.append((mark, position))

    def release(self, position: int) -> None:
        """The journal is durable up to `position`."""
        while self.holds and self.holds[0][1] <= position:
            self.holds.popleft()

    def write(self, data: bytes) -> None:
        """Append a run of octets."""
        self.pieces.append(data)
        self.size += len(data)

    def write_frame(self, first: bytes, second: bytes, third: bytes, fourth: bytes) -> None:
        """Append a frame given as four pieces: the hot one, a delivery's method."""
        self.pieces += (first, second, third, fourth)
        self.size += len(first) + len(second) + len(third) + len(fourth)

    def write_pieces(self, pieces: list[bytes | memoryview]) -> None:
        """Append runs of octets that belong together."""
        self.pieces += pieces
        for piece in pieces:
            self.size += len(piece)

    def write_stored(self, body: Spooled) -> None:
        """Append a large body, which is read when it leaves."""
        self.spooled.append((self.mark, body))
        self.pieces.append(b"")
        self.size += body.size

    def take(self) -> bytes:
        """The next chunk to write; empty when nothing may go. With large bodies, BodyDamaged or OSError."""
        if self.size <= CHUNK_BYTES and not self.holds and not self.spooled:
            pieces = self.pieces[self.start :] if self.start else self.pieces
            self.trimmed += len(self.pieces)
            self.pieces = []
            self.start = 0
            self.size = 0
            return b"".join(pieces)
        return self._take_some()

    def _end(self) -> int:
        """The index of the first piece that is held back."""
        return self.holds[0][0] - self.trimmed if self.holds else len(self.pieces)

    def _take_some(self) -> bytes:
        limit = self._end()
        if self.spooled:
            next_body = self.spooled[0][0] - self.trimmed
            if next_body == self.start < limit:
                return self._take_slice()
            limit = min(limit, next_body)
        end = self.start
        taken = 0
        while taken < CHUNK_BYTES and end < limit:
            taken += len(self.pieces[end])
            end += 1
        chunk = b"".join(self.pieces[self.start : end])
        self.start = end
        self.size -= taken
        self._trim()
        return chunk

    def _take_slice(self) -> bytes:
        body = self.spooled[0][1]
        before = body.size
        chunk = body.take()
        self.size -= before - body.size
        if body.over:
            self.spooled.popleft()
            self.start += 1
            self._trim()
        return chunk

    def _trim(self) -> None:
        # Trim in large steps only, or a long outbox would be moved for every chunk.
        if self.start > TRIM_PIECES and self.start * 2 > len(self.pieces):
            self.trimmed += self.start
            del self.pieces[: self.start]
            self.start = 0

    def interject(self, data: bytes) -> None:
        """Write a whole frame in front of what is held: a heartbeat must not wait for the disk."""
        if not self.holds:
            self.write(data)
            return
        end = self._end()
        first = end + self.trimmed
        self.pieces.insert(end, data)
        self.size += len(data)
        self.holds = deque((mark + 1, position) for mark, position in self.holds)
        self.spooled = deque((mark + (mark >= first), body) for mark, body in self.spooled)

    def drop_held(self) -> None:
        """Forget what is held back; it will never be true. What may go ends with a whole frame."""
        end = self._end()
        for piece in self.pieces[end:]:
            self.size -= len(piece)
        del self.pieces[end:]
        while self.spooled and self.spooled[-1][0] - self.trimmed >= end:
            self.size -= self.spooled.pop()[1].size
        self.holds.clear()

    def clear(self) -> None:
        """Forget everything: nobody reads it any more."""
        self.trimmed += len(self.pieces)
        self.pieces = []
        self.start = 0
        self.size = 0
        self.spooled.clear()
        self.holds.clear()
