"""What a stream keeps: what is young enough, and no more than so many octets; the rest goes from its head.

Theory of operation. What goes, goes in whole blocks of the ready line (`broker.ready`), so that it costs one
range of positions in the journal, and never from the middle. A stream over its size lets go of a step more
than it must (a segment, in RabbitMQ's words), so that it is not cut for every message. Age is that of the
youngest message of a block. The block that is written to stays when a stream is too large, and goes when all
of it is too old. A turn is bounded; `trim` says when the next one is due.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from mambaamqp.broker.entry import GONE, NEVER

if TYPE_CHECKING:
    from mambaamqp.broker.ready import Block
    from mambaamqp.broker.stream import Stream

MESSAGE_BYTES: Final = 64
"""What a message counts for besides its body: about what else stands of it in the journal."""
SEGMENT_BYTES_DEFAULT: Final = 500_000_000
"""RabbitMQ's."""
STEPS_MIN: Final = 8
"""A step is at most this part of what may be kept."""
BLOCKS_PER_TURN: Final = 64
NOBODY_MS: Final = 1 << 62
"""The time of a block without messages."""


class Retention:
    """The limits of one stream."""

    def __init__(self, stream: "Stream") -> None:
        self.stream = stream
        self.cutting = False
        """It was too large, and the step has not been made to its end."""

    def trim(self) -> float:
        """Let go of what is too much or too old, a part of it; returns when to look again."""
        turns: i64 = 0
        while turns < BLOCKS_PER_TURN and (self._is_too_old() or self._is_too_much()):
            self._drop_first()
            turns += 1
        if turns:
            self._tidy()
        return self.stream.broker.now if turns == BLOCKS_PER_TURN else self._next_moment()

    def _first(self) -> int:
        """The place of the first block that holds anything."""
        line = self.stream.ready.line
        return 1 if line.at == len(line.head) else 0

    def _is_too_much(self) -> bool:
        stream = self.stream
        most = stream.arguments.max_length_bytes
        if most is None:
            return False
        size = stream.ready.body_bytes + stream.ready.count * MESSAGE_BYTES
        if size > most:
            self.cutting = True
        elif size <= most - self._step_bytes(most):
            self.cutting = False
        return self.cutting and self._first() < len(stream.ready.line.blocks) - 1

    def _step_bytes(self, most: int) -> int:
        asked = self.stream.arguments.segment_bytes
        return min(SEGMENT_BYTES_DEFAULT if asked is None else asked, most // STEPS_MIN)

    def _is_too_old(self) -> bool:
        most_ms = self.stream.arguments.max_age_ms
        if most_ms is None or not self.stream.ready.count:
            return False
        return self._youngest_ms() <= self.stream.broker.wall_ms - most_ms

    def _youngest_ms(self) -> int:
        """When the last message of the first block was published; of one that sleeps at the latest."""
        line = self.stream.ready.line
        first = self._first()
        block = line.blocks[first]
        if block.asleep is not None and first + 1 < len(line.blocks):
            bound_ms = oldest_ms(line.blocks[first + 1])
            if bound_ms != NOBODY_MS:
                return bound_ms
        entries = self.stream.entries_of(block)
        last = entries[-1] if entries else None
        return 0 if last is None else last.message.published_ms

    def _drop_first(self) -> None:
        """Let go of the first block."""
        stream = self.stream
        asleep = stream.ready.pop_asleep()
        if asleep is None:
            self._drop_awake()
        else:
            stream.broker.pager.release(asleep)
            stream.note_dropped(asleep.first, asleep.last)

    def _drop_awake(self) -> None:
        stream = self.stream
        line = stream.ready.line
        first: i64 = 0
        entry = stream.ready.pop()
        while entry is not None:
            entry.state = GONE
            stream.broker.release(entry)
            if first == 0:
                first = entry.position
            if line.at == len(line.head):
                stream.note_dropped(first, entry.position)
                return
            entry = stream.ready.pop()

    def _tidy(self) -> None:
        """Of a block that is still written to, what has gone would stay in memory."""
        line = self.stream.ready.line
        if line.head is line.tail:
            self.stream.ready.peek()

    def _next_moment(self) -> float:
        """When the first block will be too old."""
        most_ms = self.stream.arguments.max_age_ms
        if most_ms is None or not self.stream.ready.count:
            return NEVER
        broker = self.stream.broker
        return broker.now + max(1, self._youngest_ms() + most_ms - broker.wall_ms) / 1000


def oldest_ms(block: "Block") -> int:
    """When the first message of a block was published; NOBODY_MS without one."""
    if block.asleep is not None:
        return block.asleep.oldest_ms
    for entry in block.entries:
        if entry is not None:
            return entry.message.published_ms
    return NOBODY_MS
