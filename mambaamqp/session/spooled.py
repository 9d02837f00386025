"""A large body on its way to one client: read from the disk when it leaves, a bounded slice at a time.

Frames are cut for the client's frame_max and bear its channel; slices end with a whole frame.
"""

from mambaamqp.store.body import StoredBody
from mambaamqp.wire import fast


class Spooled:
    """The body frames of a message for one channel."""

    def __init__(self, body: StoredBody, channel: int, frame_bytes_max: int) -> None:
        self.body = body
        self.size = body.size
        """Octets of the body frames that have not left, as they are stored."""
        self._channel = channel
        self._frame_bytes_max = frame_bytes_max
        self._place = 0

    @property
    def over(self) -> bool:
        """All of it has left."""
        return self._place >= len(self.body.chunks)

    def take(self) -> bytes:
        """The next frames. BodyDamaged: they are not what they were; OSError: they cannot be read."""
        frames = self.body.read(self._place)
        self._place += 1
        self.size -= len(frames)
        return b"".join(fast.reframe(frames, self._channel, self._frame_bytes_max))
