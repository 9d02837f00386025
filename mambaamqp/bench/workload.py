"""What load to put on: the numbers a run is made of, and the names and octets that follow from them."""

import secrets
from collections.abc import Iterator
from typing import Any, Final

import attrs

from mambaamqp.bench.flow import CHANNEL, STAMP_BYTES
from mambaamqp.wire import properties
from mambaamqp.wire.framing import FRAME_HEADER, FRAME_METHOD, body_frames, frame
from mambaamqp.wire.methods import Basic, encode

PERSISTENT: Final = 2
BURST_BYTES: Final = 65536
"""What goes into one send: large enough to be cheap, small enough that stamps stay true."""


@attrs.frozen(kw_only=True)
class Workload:
    """The settings of one run."""

    producers: int = 1
    consumers: int = 1
    queues: int = 1
    size: int = 100
    rate: float = 0.0
    """Messages a second of each producer; 0: as fast as the broker takes them."""
    seconds: float = 10.0
    warmup: float = 1.0
    count: int = 0
    """End after so many messages were consumed (published, without consumers); 0: by the clock."""
    persistent: bool = False
    durable: bool = False
    confirm: int = 0
    tx: int = 0
    prefetch: int = 0
    ack: int = 1
    auto_ack: bool = False
    get: bool = False
    exchange_type: str = ""
    """Empty: the default exchange."""
    bindings: int = 0
    keys: int = 1
    name: str = attrs.field(factory=lambda: f"bench-{secrets.token_hex(4)}")
    keep: bool = False
    arguments: dict[str, Any] = attrs.field(factory=dict)

    @property
    def stamped(self) -> bool:
        """Whether a body has room for the time it was sent."""
        return self.size >= STAMP_BYTES

    @property
    def ack_every(self) -> int:
        """Messages to an acknowledgement; 0 for none."""
        return 0 if self.auto_ack else self.ack

    @property
    def exchange(self) -> str:
        """The exchange to publish to."""
        return f"{self.name}-x" if self.exchange_type else ""

    def queue(self, number: int) -> str:
        """The queue of producer or consumer `number`."""
        return f"{self.name}-{number % self.queues}"

    def queue_names(self) -> list[str]:
        """All queues."""
        return [self.queue(number) for number in range(self.queues)]

    def binding_keys(self) -> Iterator[tuple[str, str]]:
        """Queue and routing key of each binding to the exchange, dealt out to the queues in turn."""
        pattern = "bench.{:06}.*.event" if self.exchange_type == "topic" else "bench.{:06}"
        for number in range(max(self.bindings, self.queues)):
            yield self.queue(number), pattern.format(number)

    def routing_keys(self, producer: int) -> list[str]:
        """The keys that a producer uses in turn. Of equal length, so that deliveries keep their shape."""
        if not self.exchange_type:
            return [self.queue(producer)]
        form = "bench.{:06}.{:08}.event" if self.exchange_type == "topic" else "bench.{:06}"
        bindings = max(self.bindings, self.queues)
        return [form.format((producer + key) % bindings, key) for key in range(self.keys)]

    def templates(self, producer: int, frame_bytes_max: int) -> list["Template"]:
        """Prebuilt publishes, one for each routing key."""
        values = {"delivery_mode": PERSISTENT} if self.persistent else {}
        header = frame(FRAME_HEADER, CHANNEL, properties.encode(values, self.size))
        bodies = body_frames(CHANNEL, bytes(self.size), frame_bytes_max)
        return [
            Template(
                frame(FRAME_METHOD, CHANNEL, self._publish(key)) + header, b"".join(bodies), self.stamped
            )
            for key in self.routing_keys(producer)
        ]

    def _publish(self, key: str) -> bytes:
        return encode(Basic.Publish(exchange=self.exchange, routing_key=key))


class Template:
    """One publish as octets, with a gap for the stamp."""

    def __init__(self, head: bytes, content: bytes, stamped: bool) -> None:
        gap = 7 if stamped else 0
        self.front = head + content[:gap]
        self.back = content[gap + STAMP_BYTES :] if stamped else content
        self.stamped = stamped
        self.size = len(head) + len(content)

    def octets(self, now: int) -> bytes:
        """The publish as sent at `now` nanoseconds."""
        if not self.stamped:
            return self.front + self.back
        return b"".join((self.front, now.to_bytes(STAMP_BYTES, "big"), self.back))
