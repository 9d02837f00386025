"""A publish whose content does not arrive in one piece: method, then header, then bodies, in that order.

Sizes are checked before anything is kept: the announced size against the maximum message size at the
header, each body frame against what is still missing.
"""

from mambaamqp.errors import FrameFault, UnexpectedFrame
from mambaamqp.wire import properties
from mambaamqp.wire.framing import FRAME_BODY, FRAME_HEADER, frame

BASIC_CLASS = 60


class Assembly:
    """The content being received on one channel, after its basic.publish."""

    def __init__(self, channel: int, key: bytes) -> None:
        self.channel = channel
        self.key = key
        self.header = b""
        self.frames: list[bytes] = []
        self.missing = -1
        """Octets of the body still to come; -1 before the header."""
        self.body_bytes = 0

    def take_header(self, kind: int, payload: bytes) -> None:
        """The frame after basic.publish: it must be a basic content header (505 otherwise)."""
        if kind != FRAME_HEADER:
            raise UnexpectedFrame(
                "expected content header for class 60, got non content header frame instead"
            )
        if len(payload) < 14:
            raise FrameFault("content header is too short")
        class_id = int.from_bytes(payload[:2], "big")
        if class_id != BASIC_CLASS:
            raise UnexpectedFrame(
                f"expected content header for class 60, got one for class {class_id} instead"
            )
        self.header = payload
        self.body_bytes = properties.body_size(payload)
        self.missing = self.body_bytes
        self._keep(frame(FRAME_HEADER, self.channel, payload))

    def take_body(self, kind: int, payload: bytes) -> None:
        """A frame while body octets are missing: it must be a body frame that fits (505, 501 otherwise)."""
        if kind != FRAME_BODY:
            raise UnexpectedFrame("expected content body, got non content body frame instead")
        if len(payload) > self.missing:
            raise FrameFault("content body frame exceeds remaining content size")
        if not payload:
            # Nothing is kept of an empty frame, or a peer could pile them up for ever.
            return
        self.missing -= len(payload)
        self._keep(frame(FRAME_BODY, self.channel, payload))

    def _keep(self, octets: bytes) -> None:
        self.frames.append(octets)
