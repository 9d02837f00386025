"""A node over fakes, listening on a real loopback socket."""

import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from mambaamqp.server import listeners
from mambaamqp.server.node import Node
from tests.support.shell import FakeAccess, FakeBroker, FakeDisk, FakeJournal, FakeSession


class Rig:
    """The node, what is fake around it, and clients."""

    def __init__(
        self, nursery: trio.Nursery, sync_interval_seconds: float | None = None, **limits: int
    ) -> None:
        self.broker = FakeBroker()
        self.journal = FakeJournal()
        self.disk = FakeDisk()
        self.journal.writer.disk = self.disk
        self.access = FakeAccess()
        self.sessions: dict[int, FakeSession] = {}
        self.node = Node(
            self.broker,
            self.journal,
            self.disk,
            self.access,
            lambda peer, local, wake, now: FakeSession(
                self.broker, self.journal, peer, wake, now, self.sessions
            ),
            nursery,
            connections_max=limits.get("connections_max", 100),
            connections_pre_login_max=limits.get("connections_pre_login_max", 100),
            sync_interval_seconds=sync_interval_seconds,
        )
        self.node.start()
        self.listener = listeners.listen("127.0.0.1", 0, 100)[0]
        nursery.start_soon(listeners.accept_forever, self.listener, self.node)

    async def connect(self, receive_buffer_bytes: int = 0) -> "Client":
        sock = trio.socket.socket()
        if receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        await sock.connect(self.listener.getsockname())
        return Client(trio.SocketStream(sock), self)

    def close(self) -> None:
        self.disk.gate.set()
        self.node.committer.stop(1)
        self.listener.close()


class Client:
    """The other end: lines in, lines out."""

    def __init__(self, stream: trio.SocketStream, rig: Rig) -> None:
        self.stream = stream
        self._rig = rig
        self._received = b""
        self.port = int(stream.socket.getsockname()[1])

    @property
    def session(self) -> FakeSession:
        return self._rig.sessions[self.port]

    async def send(self, *lines: str) -> None:
        await self.stream.send_all("".join(f"{line}\n" for line in lines).encode())

    async def ask(self, line: str) -> str:
        await self.send(line)
        return await self.line()

    async def line(self) -> str:
        """The next line, or "" at the end of the stream."""
        with trio.fail_after(60):
            while b"\n" not in self._received:
                data = await self.stream.receive_some(65_536)
                if not data:
                    return ""
                self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return line.decode()


@contextlib.asynccontextmanager
async def open_rig(sync_interval_seconds: float | None = None, **limits: int) -> AsyncIterator[Rig]:
    async with trio.open_nursery() as nursery:
        rig = Rig(nursery, sync_interval_seconds, **limits)
        try:
            yield rig
        finally:
            rig.close()
            nursery.cancel_scope.cancel()


@pytest.fixture
async def rig() -> Any:
    async with open_rig() as rig:
        yield rig
