"""The control socket: requests from the broker's own account and root, a line of JSON each.

Refuses to know what requests mean (`mambaamqp.control`). A reply goes out when the journal is safe as far as
what the request did. Who asks too much, or takes nothing, is dropped; nobody else notices.

The socket's file is for the owner only, and where the system tells who is at the other end, that is asked
too. A file that a dead broker left is replaced; where a live one answers, the start fails.
"""

import contextlib
import errno
import logging
import os
import socket
import stat
import struct
from pathlib import Path

import trio

from mambaamqp.config.socket_name import reachable
from mambaamqp.control.desk import Desk
from mambaamqp.control.requests import REQUEST_BYTES_MAX, Reply, refusal
from mambaamqp.errors import PreconditionFailed
from mambaamqp.server.listeners import ListenError
from mambaamqp.server.node import Node

CONNECTIONS_MAX = 16
"""One more is closed at once."""
IDLE_SECONDS = 300.0
"""Between two requests of a connection."""
SEND_SECONDS = 30.0
"""For one piece of a reply."""
PIECE_BYTES = 65_536
READ_BYTES = 65_536
ROOT = 0

log = logging.getLogger(__name__)


def listen(path: Path) -> socket.socket | None:
    """The listening socket at `path`; None where the system has none of the kind. Raises ListenError."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        with reachable(path) as name:
            _remove_stale(path, name)
            sock.bind(name)
        sock.listen(CONNECTIONS_MAX)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        reason = error if isinstance(error, ListenError) else (error.strerror or str(error)).lower()
        raise ListenError(f"cannot have the control socket {path}: {reason}") from error
    finally:
        os.umask(mask)
    return sock


def close(sock: socket.socket | None, path: Path) -> None:
    """Close the socket and take its file away."""
    if sock is not None:
        sock.close()
        with contextlib.suppress(OSError):
            path.unlink()


def _remove_stale(path: Path, name: str) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ListenError("there is something else")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(name)
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                path.unlink()
                return
            raise
    raise ListenError("a broker answers there")


class ControlServer:
    """Serves everybody who connects to the socket, a bounded number at a time."""

    def __init__(self, desk: Desk, node: Node) -> None:
        self._desk = desk
        self._node = node
        self._connections = 0

    async def run(self, listener: socket.socket) -> None:
        """Accept for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                await trio.lowlevel.wait_readable(listener)
                try:
                    sock, _ = listener.accept()
                except OSError:
                    await trio.sleep(0.1)
                    continue
                if self._connections >= CONNECTIONS_MAX or not _may_ask(sock):
                    sock.close()
                    continue
                self._connections += 1
                sock.setblocking(False)
                nursery.start_soon(self._serve, trio.SocketStream(trio.socket.from_stdlib_socket(sock)))

    async def _serve(self, stream: trio.SocketStream) -> None:
        """One connection, until it ends; its faults are its own."""
        try:
            async with stream:
                await self._converse(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass
        except Exception:
            log.exception("unexpected error on the control socket")
        finally:
            self._connections -= 1

    async def _converse(self, stream: trio.SocketStream) -> None:
        pending = bytearray()
        while True:
            line = await _next_line(stream, pending)
            if line is None:
                return
            if len(line) > REQUEST_BYTES_MAX:
                await _send(stream, refusal(PreconditionFailed("the request is too large")))
                return
            await _send(stream, await self._answer(line))

    async def _answer(self, line: bytes) -> Reply:
        now = self._node.now()
        reply = self._desk.answer(line, now)
        self._node.finish(now)
        if not await self._node.wait_until_durable(reply.position):
            return refusal(PreconditionFailed("the message store has failed"))
        return reply


async def _next_line(stream: trio.SocketStream, pending: bytearray) -> bytes | None:
    """The next line, one octet more than the bound of one that is too long, or None at the end."""
    searched = 0
    with trio.fail_after(IDLE_SECONDS):
        while (end := pending.find(b"\n", searched)) < 0:
            searched = len(pending)
            if len(pending) > REQUEST_BYTES_MAX:
                return bytes(pending[: REQUEST_BYTES_MAX + 1])
            data = await stream.receive_some(READ_BYTES)
            if not data:
                return None
            pending += data
    line = bytes(pending[:end])
    del pending[: end + 1]
    return line


async def _send(stream: trio.SocketStream, reply: Reply) -> None:
    """A reply in pieces; the broker does its other work between them."""
    piece = bytearray()
    for line in reply.lines():
        piece += line
        if len(piece) >= PIECE_BYTES:
            await _send_piece(stream, bytes(piece))
            piece.clear()
    await _send_piece(stream, bytes(piece))


async def _send_piece(stream: trio.SocketStream, piece: bytes) -> None:
    with trio.fail_after(SEND_SECONDS):
        await stream.send_all(piece)


def _may_ask(sock: socket.socket) -> bool:
    """Whether the other end is of this account, or root."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    try:
        _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    except OSError:
        return False
    return uid in (ROOT, os.geteuid())
