"""What clients of a stream did and were told, and what of it no broker may contradict.

One offset is one message, for ever: who was shown a message there, in whatever life of the broker, is shown
the same again, and so is everybody else, until it is let go. What was confirmed, or shown to anybody, is
there in the end, once; what one connection published stands in the order of its publishing.
"""

from typing import Any

from tests.support.universe.history import History

STREAM = "log"
SHORT = "short log"
"""The stream that lets go of its oldest messages."""
STREAMS = (STREAM, SHORT)
ARGUMENTS: dict[str, dict[str, Any]] = {
    STREAM: {"x-queue-type": "stream"},
    SHORT: {"x-queue-type": "stream", "x-max-length-bytes": 2000, "x-stream-max-segment-size-bytes": 500},
}


class Log:
    """All streams of one seed. A body says its number, which is counted up over all streams."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.bodies: list[bytes] = []
        self.authors: list[Any] = []
        self.streams: list[str] = []
        """Where each was published to."""
        self.confirmed: set[int] = set()
        self.shown: dict[tuple[str, int], int] = {}
        """(stream, offset) → number of the message that somebody has been shown there."""

    def published(self, author: Any, stream: str, fill: bytes) -> bytes:
        """A new message; its body."""
        body = b"%d:" % len(self.bodies) + fill
        self.bodies.append(body)
        self.authors.append(author)
        self.streams.append(stream)
        return body

    def was_shown(self, stream: str, offset: int, body: bytes, redelivered: bool) -> int:
        """A delivery; its number."""
        self.history.count("shown")
        digits = body.partition(b":")[0]
        assert digits.isdigit() and int(digits) < len(self.bodies), f"I2: {body[:20]!r} was never sent"
        number = int(digits)
        assert self.bodies[number] == body, f"I2: {number} has changed"
        assert self.streams[number] == stream, f"I2: {number} was never for {stream}"
        before = self.shown.setdefault((stream, offset), number)
        assert before == number, f"I5: offset {offset} of {stream} is {number} and was {before}"
        assert not redelivered, f"I6: {number} of a stream is marked"
        return number

    def judge(self, stream: str, found: list[tuple[int, bytes, bool]]) -> None:
        """`found` is all that is left: (offset, body, redelivered)."""
        offsets = [offset for offset, _, _ in found]
        first = offsets[0] if offsets else 0
        assert offsets == list(range(first, first + len(found))), f"I4: {stream} has gaps: {offsets}"
        assert first == 0 or stream == SHORT, f"I1: {stream} has lost its first {first}"
        numbers = [self.was_shown(stream, *each) for each in found]
        assert len(set(numbers)) == len(numbers), f"I3: something is twice in {stream}"
        last: dict[Any, int] = {}
        for number in numbers:
            author = self.authors[number]
            assert last.get(author, -1) < number, f"I4: {number} is out of order in {stream}"
            last[author] = number
        self._judge_losses(stream, set(numbers), first, first + len(found))

    def _judge_losses(self, stream: str, left: set[int], first: int, end: int) -> None:
        for (where, offset), number in self.shown.items():
            if where == stream:
                assert number in left or offset < first, f"I1: {number} was shown, and is lost"
                assert offset < end, f"I5: {stream} ends before offset {offset}, which was shown"
        if stream == STREAM:
            for number in self.confirmed:
                assert self.streams[number] != stream or number in left, f"I1: {number} of {stream} is lost"
