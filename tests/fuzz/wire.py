"""Sessions on the wire, each spoilt somewhere: frames changed, doubled, left out, exchanged, cut."""

import random
import socket
from typing import Final

from pamqp import commands, frame

from tests.support.client import CAPABILITIES, publish_octets

HEADER: Final = b"AMQP\0\0\x09\1"
HEARTBEAT: Final = b"\x08\0\0\0\0\0\0\xce"
FRAME_BYTES_BEFORE_PAYLOAD: Final = 7
PATIENCE_SECONDS: Final = 30.0
LENGTHS: Final = (0, 1, 7, 8192, 131_064, 131_073, 0x7FFF_FFFF, 0xFFFF_FFFF)
CHANNELS: Final = (0, 1, 2, 2047, 2048, 65_535)

Frames = list[bytes]


def login(secret: str = "guest") -> Frames:
    """Everything before the first channel."""
    properties = {"capabilities": CAPABILITIES, "product": "wire", "deep": {"list": [1, {"a": None}]}}
    response = f"\0guest\0{secret}"
    start = commands.Connection.StartOk(client_properties=properties, mechanism="PLAIN", response=response)
    tune = commands.Connection.TuneOk(2047, 131_072, 0)
    return [frame.marshal(method, 0) for method in (start, tune, commands.Connection.Open("/"))]


def work(name: str) -> Frames:
    """What clients do, all on channels 1 and 2, with a queue and an exchange of their own."""
    said: list[tuple[int, object]] = [
        (1, commands.Channel.Open()),
        (1, commands.Queue.Declare(queue=name, auto_delete=True, arguments={"x-max-length": 50})),
        (1, commands.Exchange.Declare(exchange=name, exchange_type="topic", auto_delete=True)),
        (1, commands.Queue.Bind(queue=name, exchange=name, routing_key="a.*.#")),
        (1, commands.Confirm.Select()),
        (2, commands.Channel.Open()),
        (2, commands.Basic.Qos(prefetch_count=5)),
        (2, commands.Basic.Consume(queue=name, consumer_tag="c")),
    ]
    frames = [frame.marshal(method, channel) for channel, method in said]
    frames += split(publish_octets(b"first", name)) + split(publish_octets(b"", "", exchange=name))
    said = [
        (2, commands.Basic.Ack(delivery_tag=1, multiple=True)),
        (2, commands.Basic.Nack(delivery_tag=1, requeue=True)),
        (2, commands.Basic.Get(queue=name)),
        (2, commands.Tx.Select()),
        (2, commands.Tx.Commit()),
        (2, commands.Basic.Cancel(consumer_tag="c")),
        (1, commands.Queue.Purge(queue=name)),
        (1, commands.Queue.Delete(queue=name)),
        (1, commands.Channel.Close(200, "bye", 0, 0)),
    ]
    end = commands.Connection.Close(200, "bye", 0, 0)
    return [*frames, *(frame.marshal(method, channel) for channel, method in said), frame.marshal(end, 0)]


def split(octets: bytes) -> Frames:
    """Valid frames one by one."""
    frames = []
    while octets:
        end = FRAME_BYTES_BEFORE_PAYLOAD + int.from_bytes(octets[3:7], "big") + 1
        frames.append(octets[:end])
        octets = octets[end:]
    return frames


def spoil(frames: Frames, rng: random.Random) -> Frames:
    """One change of one frame, or of their order."""
    at, other = rng.randrange(len(frames)), rng.randrange(len(frames))
    chosen = frames[at]
    way = rng.randrange(10)
    if way == 0:
        return [*frames[:at], *frames[at + 1 :]]
    if way == 1:
        return [*frames[:at], chosen, *frames[at:]]
    if way == 2:
        exchanged = list(frames)
        exchanged[at], exchanged[other] = exchanged[other], chosen
        return exchanged
    if way == 3:
        return [*frames[:at], HEARTBEAT, *frames[at:]]
    if way == 4:
        return [*frames[:at], chosen[: rng.randint(1, len(chosen))]]
    return [*frames[:at], _changed(chosen, way, rng), *frames[at + 1 :]]


def _changed(octets: bytes, way: int, rng: random.Random) -> bytes:
    """Its type, channel, length, end, or any octet of it."""
    if way == 5:
        return bytes((rng.randrange(256),)) + octets[1:]
    if way == 6:
        return octets[:1] + rng.choice(CHANNELS).to_bytes(2, "big") + octets[3:]
    if way == 7:
        return octets[:3] + rng.choice(LENGTHS).to_bytes(4, "big") + octets[7:]
    if way == 8:
        return octets[:-1] + rng.randbytes(1)
    place = rng.randrange(len(octets))
    return octets[:place] + rng.randbytes(rng.randint(1, 4)) + octets[place + 1 :]


def exchange(port: int, octets: bytes, rng: random.Random) -> bytes:
    """Send it all, in pieces of any size, say no more, and hear everything until the broker closes."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as link:
        heard = bytearray()
        try:
            cut = rng.randint(0, len(octets))
            link.sendall(octets[:cut])
            link.sendall(octets[cut:])
            link.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass
        try:
            while part := link.recv(65_536):
                heard += part
        except ConnectionError:
            pass
        return bytes(heard)


def codes(heard: bytes) -> list[int]:
    """The reply codes of the closes that were heard; raises for what is no frame."""
    found = []
    while heard and heard[:4] != b"AMQP":
        length, _, answer = frame.unmarshal(heard)
        if isinstance(answer, commands.Connection.Close | commands.Channel.Close):
            found.append(answer.reply_code)
        heard = heard[length:]
    return found
