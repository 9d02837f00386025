"""What a client does with streams: on a channel of its own it publishes to them, and reads them.

It remembers the offset that it has come to in each, over all its connections, and goes on behind it; now and
then it begins anew.
"""

from random import Random
from typing import Any, Final

from pamqp import commands, frame

from tests.support.client import publish_octets
from tests.support.universe.link import Link
from tests.support.universe.log import ARGUMENTS, STREAMS, Log

CHANNEL: Final = 2
FILLS: Final = (0, 10, 100, 700)


def _hello() -> bytes:
    methods: list[Any] = [commands.Channel.Open(), commands.Confirm.Select(nowait=True)]
    methods += [
        commands.Queue.Declare(queue=name, durable=True, nowait=True, arguments=ARGUMENTS[name])
        for name in STREAMS
    ]
    methods.append(commands.Basic.Qos(prefetch_count=3))
    return b"".join(frame.marshal(method, CHANNEL) for method in methods)


HELLO: Final = _hello()


class Follower:
    """The streams' half of a client; `connected` begins a connection."""

    def __init__(self, rng: Random, log: Log) -> None:
        self.rng = rng
        self.log = log
        self.link: Link | None = None
        self.author = object()
        self.open = False
        self.places: dict[str, int] = {}
        """Stream → the offset behind the last message that was read."""
        self.tags: dict[str, tuple[str, int]] = {}
        """Consumer tag → stream, and the smallest offset that may come next."""
        self.held: list[int] = []
        self.unconfirmed: dict[int, int] = {}
        self.next_publish = 1

    def connected(self, link: Link) -> None:
        """Begin anew; what is not confirmed may be anything now."""
        self.link, self.author, self.open = link, object(), False
        self.tags, self.held, self.unconfirmed, self.next_publish = {}, [], {}, 1
        link.send(HELLO)

    def act(self) -> None:
        """One thing."""
        if self.link is None or not self.open:
            return
        chance = self.rng.random()
        if chance < 0.5:
            self._publish()
        elif chance < 0.7:
            self._consume()
        else:
            self._acknowledge()

    def _publish(self) -> None:
        stream = self.rng.choice(STREAMS)
        body = self.log.published(self.author, stream, b"x" * self.rng.choice(FILLS))
        self.unconfirmed[self.next_publish] = int(body.partition(b":")[0])
        self.next_publish += 1
        properties = {"delivery_mode": self.rng.choice((1, 2)), "headers": {"n": 1}}
        self._send_octets(publish_octets(body, stream, "", CHANNEL, True, properties, 1000))

    def _consume(self) -> None:
        names = [name for name in STREAMS if name not in {stream for stream, _ in self.tags.values()}]
        if names:
            name = self.rng.choice(names)
            place = self.places.get(name, 0) if self.rng.random() < 0.7 else 0
            tag = f"{name} {place}"
            last = self.rng.random() < 0.1
            self.tags[tag] = (name, 0 if last else place)
            arguments = {"x-stream-offset": "last" if last else place}
            self._send(commands.Basic.Consume(queue=name, consumer_tag=tag, arguments=arguments))

    def _acknowledge(self) -> None:
        if self.held:
            tag = self.rng.choice(self.held)
            self.held = [held for held in self.held if held > tag]
            how = self.rng.choice((commands.Basic.Ack(tag, True), commands.Basic.Nack(tag, True, True)))
            self._send(how)

    def _send(self, method: Any) -> None:
        self._send_octets(frame.marshal(method, CHANNEL))

    def _send_octets(self, octets: bytes) -> None:
        if self.link is not None:
            self.link.send(octets)

    # Being told

    def answer(self, value: Any) -> None:
        """A method without content."""
        if isinstance(value, commands.Basic.QosOk):
            self.open = True
        elif isinstance(value, commands.Basic.Ack):
            for tag in [t for t in self.unconfirmed if t == value.delivery_tag or value.multiple]:
                if tag <= value.delivery_tag:
                    self.log.confirmed.add(self.unconfirmed.pop(tag))
        else:
            assert not isinstance(value, commands.Channel.Close), value.reply_text
            assert not isinstance(value, commands.Basic.Nack), "I10: a stream refuses nothing"

    def message(self, method: Any, properties: Any, body: bytes) -> None:
        """A delivery: behind the one before, and what was read there before."""
        stream, place = self.tags[method.consumer_tag]
        offset = properties.headers["x-stream-offset"]
        self.log.was_shown(stream, offset, body, method.redelivered)
        assert offset >= place, f"I4: offset {offset} of {stream} comes after {place - 1}"
        self.tags[method.consumer_tag] = (stream, offset + 1)
        self.places[stream] = max(self.places.get(stream, 0), offset + 1)
        self.held.append(method.delivery_tag)
