"""A publish whose content does not arrive in one piece: method, then header, then bodies, in that order.

Sizes are checked before anything is kept: the announced size against the maximum message size at the
header, each body frame against what is still missing. A large body is not kept here: it is written into the
scratch as it comes (`store.spool`), and what is written goes with the assembly if it is not completed.
"""

from mambaamqp.errors import FrameFault, UnexpectedFrame
from mambaamqp.store.body import StoredBody
from mambaamqp.store.spool import Arrival
from mambaamqp.wire import properties
from mambaamqp.wire.framing import ENVELOPE_BYTES, FRAME_BODY, FRAME_HEADER, frame

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
        self.stored: StoredBody | None = None
        """A large body that is complete."""
        self.arrival: Arrival | None = None
        """Where a large body goes."""
        self._room = 0
        self._short: list[bytes] = []
        """Payloads that do not fill a frame yet."""
        self._short_bytes = 0

    def spool(self, arrival: Arrival, frame_bytes_max: int) -> None:
        """The body that follows is a large one: write it there, in frames of this size.

        They need not be those in which it comes. Short ones would cost more room than the body.
        """
        self.arrival = arrival
        self._room = frame_bytes_max - ENVELOPE_BYTES

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
        """A frame while body octets are missing: it must be a body frame that fits (505, 501 otherwise).

        OSError if the body is a large one and cannot be written.
        """
        if kind != FRAME_BODY:
            raise UnexpectedFrame("expected content body, got non content body frame instead")
        if len(payload) > self.missing:
            raise FrameFault("content body frame exceeds remaining content size")
        if not payload:
            # Nothing is kept of an empty frame, or a peer could pile them up for ever.
            return
        self.missing -= len(payload)
        if self.arrival is None:
            self._keep(frame(FRAME_BODY, self.channel, payload))
        else:
            self._spool(self.arrival, payload)

    def _spool(self, arrival: Arrival, payload: bytes) -> None:
        if self._short:
            payload = self._with_short(payload)
        at = 0
        while len(payload) - at >= self._room or (not self.missing and at < len(payload)):
            # A slice of everything is no copy.
            arrival.add(frame(FRAME_BODY, self.channel, payload[at : at + self._room]))
            at += self._room
        if at < len(payload):
            self._short.append(payload[at:])
            self._short_bytes += len(payload) - at

    def _with_short(self, payload: bytes) -> bytes:
        """What came before with what comes now, if that fills a frame; else nothing yet."""
        if self.missing and self._short_bytes + len(payload) < self._room:
            self._short.append(payload)
            self._short_bytes += len(payload)
            return b""
        self._short.append(payload)
        whole = b"".join(self._short)
        self._short, self._short_bytes = [], 0
        return whole

    def _keep(self, octets: bytes) -> None:
        self.frames.append(octets)
