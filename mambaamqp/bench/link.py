"""One connection to the broker under load: a raw non-blocking socket, a login, calls, octets both ways."""

import socket
from typing import Any, Final

import trio
from trio.lowlevel import wait_readable, wait_writable

from mambaamqp.bench.flow import CHANNEL, BenchError, refuse_close
from mambaamqp.bench.target import Target
from mambaamqp.wire.framing import FRAME_END, FRAME_METHOD, PREFIX, PREFIX_BYTES, frame
from mambaamqp.wire.methods import Channel, Connection, Method, decode, encode

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
READ_BYTES: Final = 256 * 1024
FRAME_BYTES_MAX: Final = 131072
ANSWER_SECONDS: Final = 60.0
CAPABILITIES: Final[dict[str, Any]] = {
    "publisher_confirms": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "authentication_failure_close": True,
}


class Link:
    """A connection with channel 1 open."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.frame_bytes_max = FRAME_BYTES_MAX
        self.buffer = b""
        """What was read behind the last answer."""

    def close(self) -> None:
        """Let go of the socket; nothing is said."""
        self.sock.close()

    async def send(self, octets: bytes) -> None:
        """All of it."""
        view = memoryview(octets)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                await wait_writable(self.sock)
            except OSError as error:
                raise BenchError(f"the connection broke: {error.strerror or error}") from None

    async def receive(self) -> bytes:
        """What there is, at least one octet."""
        if self.buffer:
            data, self.buffer = self.buffer, b""
            return data
        while True:
            try:
                data = self.sock.recv(READ_BYTES)
            except BlockingIOError:
                await wait_readable(self.sock)
                continue
            except OSError as error:
                raise BenchError(f"the connection broke: {error.strerror or error}") from None
            if not data:
                raise BenchError("the broker closed the connection")
            return data

    async def call(self, method: Method, answer: Any, channel: int = CHANNEL) -> Method:
        """Send a method and wait for its answer."""
        await self.send(frame(FRAME_METHOD, channel, encode(method)))
        return await self.expect(answer)

    async def expect(self, answer: Any) -> Method:
        """The next method, which must be an `answer`."""
        with trio.move_on_after(ANSWER_SECONDS):
            while True:
                kind, payload = await self._frame()
                if kind != FRAME_METHOD:
                    continue
                refuse_close(payload)
                method = decode(payload)
                if method.index == answer.index:
                    return method
        raise BenchError(f"no {answer.name} within {ANSWER_SECONDS:g} s")

    async def _frame(self) -> tuple[int, bytes]:
        data = self.buffer
        self.buffer = b""
        while len(data) < PREFIX_BYTES or len(data) < PREFIX.unpack_from(data)[2] + 8:
            data += await self.receive()
            if data.startswith(b"AMQP"):
                raise BenchError("the broker speaks no AMQP 0-9-1")
        kind, _, size = PREFIX.unpack_from(data)
        if kind not in (1, 2, 3, 8) or data[PREFIX_BYTES + size] != FRAME_END:
            raise BenchError("what answers there is no AMQP broker")
        self.buffer = data[PREFIX_BYTES + size + 1 :]
        return kind, data[PREFIX_BYTES : PREFIX_BYTES + size]


async def dial(target: Target) -> Link:
    """Connect, log in, open the virtual host and a channel."""
    link = Link(await _connect(target))
    try:
        await _log_in(link, target)
    except BaseException:
        link.close()
        raise
    return link


async def _connect(target: Target) -> socket.socket:
    try:
        with trio.fail_after(ANSWER_SECONDS):
            stream = await trio.open_tcp_stream(target.host, target.port)
    except (OSError, trio.TooSlowError) as error:
        reason = error.__cause__ if isinstance(error.__cause__, OSError) else error
        text = getattr(reason, "strerror", None) or str(reason)
        raise BenchError(f"no connection to {target.host}:{target.port}: {text}") from None
    sock = socket.socket(fileno=stream.socket.detach())
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def _log_in(link: Link, target: Target) -> None:
    await link.send(PROTOCOL_HEADER)
    await link.expect(Connection.Start)
    tune = await link.call(
        Connection.StartOk(
            client_properties={"product": "mambaamqp bench", "capabilities": CAPABILITIES},
            mechanism="PLAIN",
            response=f"\0{target.user}\0{target.password}",
            locale="en_US",
        ),
        Connection.Tune,
        0,
    )
    if tune.frame_max:
        link.frame_bytes_max = min(tune.frame_max, FRAME_BYTES_MAX)
    tune_ok = Connection.TuneOk(tune.channel_max, link.frame_bytes_max, 0)
    await link.send(frame(FRAME_METHOD, 0, encode(tune_ok)))
    await link.call(Connection.Open(virtual_host=target.vhost), Connection.OpenOk, 0)
    await link.call(Channel.Open(), Channel.OpenOk)
