"""Listening sockets: bind them, accept from them, prepare what comes in.

There may be several hosts, and a host name may mean several addresses (localhost is two); the broker listens
on all of them, on one port.
"""

import errno
import logging
import os
import socket
from typing import Protocol

import trio

from mambaamqp.errors import MambaError
from mambaamqp.server.ports import Address

ACCEPTS_PER_TURN = 64
"""A connection storm shares the event loop with the connections that are already there."""

EXHAUSTED_PAUSE_SECONDS = 0.5
"""Without free file descriptors accept() fails at once and stays readable: waiting avoids a busy loop."""

KEEPALIVE_IDLE_SECONDS = 60
KEEPALIVE_INTERVAL_SECONDS = 15
KEEPALIVE_PROBES = 4

USER_TIMEOUT_MILLISECONDS = 300_000
"""Dead peers with bytes in flight. Generous, since it also ends peers that live but read nothing."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = logging.getLogger(__name__)


class ListenError(MambaError, OSError):
    """The broker cannot listen where it was told to; the text says where and why."""


class Door(Protocol):
    """Where accepted sockets go."""

    @property
    def has_room(self) -> bool: ...

    async def wait_for_room(self) -> None: ...

    def admit(self, sock: socket.socket, peer: Address, local: Address) -> None: ...


def listen(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Non-blocking listening sockets on every address of `host`; "" is every interface.

    Several hosts are separated by commas; one that cannot be listened on is an error. With port 0 the first
    address picks a free port and the others use the same. Raises ListenError.
    """
    sockets: list[socket.socket] = []
    try:
        for name in host.split(","):
            sockets += _listen(name.strip(), sockets[0].getsockname()[1] if sockets else port, backlog)
    except ListenError:
        close(sockets)
        raise
    return sockets


def _listen(host: str, port: int, backlog: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for family, address in _resolve(host, port):
            if sockets and port == 0:
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            try:
                sockets.append(_bind(family, address, backlog))
            except OSError as error:
                if error.errno == errno.EAFNOSUPPORT or (error.errno == errno.EADDRNOTAVAIL and sockets):
                    continue  # this machine has no IPv6, or localhost has no ::1 here
                raise ListenError(f"cannot listen on {display(host, port)}: {_reason(error)}") from error
    except ListenError:
        close(sockets)
        raise
    if not sockets:
        raise ListenError(f"cannot listen on {display(host, port)}: no usable address")
    return sockets


def close(sockets: list[socket.socket]) -> None:
    """Close listening sockets; the kernel resets what waits in their backlog."""
    for sock in sockets:
        sock.close()


async def accept_until(stopped: trio.Event, sockets: list[socket.socket], door: Door) -> None:
    """Accept from all sockets until the event."""
    async with trio.open_nursery() as nursery:
        for sock in sockets:
            nursery.start_soon(accept_forever, sock, door)
        await stopped.wait()
        nursery.cancel_scope.cancel()


async def accept_forever(listener: socket.socket, door: Door) -> None:
    """Accept until cancelled; pauses while the door has no room or descriptors are short."""
    short_of_descriptors = False
    while True:
        await door.wait_for_room()
        await trio.lowlevel.wait_readable(listener)
        try:
            _accept_some(listener, door)
            short_of_descriptors = False
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            if not short_of_descriptors:
                log.error("cannot accept connections: %s", _reason(error))
            short_of_descriptors = True
            await trio.sleep(EXHAUSTED_PAUSE_SECONDS)


def display(host: str, port: int) -> str:
    """host:port as people write it, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host or '*'}:{port}"


def addresses(sockets: list[socket.socket]) -> list[Address]:
    """Where the sockets listen."""
    return [_address(sock.getsockname()) for sock in sockets]


def _accept_some(listener: socket.socket, door: Door) -> None:
    for _ in range(ACCEPTS_PER_TURN):
        if not door.has_room:
            return
        try:
            sock, peer = listener.accept()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno in _EXHAUSTED:
                raise
            continue  # the peer gave up while it waited (accept(2) reports its errors here)
        try:
            local = sock.getsockname()
            _prepare(sock)
        except OSError:
            sock.close()
            continue
        door.admit(sock, _address(peer), _address(local))


def _prepare(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_SECONDS),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
        ("TCP_USER_TIMEOUT", USER_TIMEOUT_MILLISECONDS),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(
            None if host in ("", "*") else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise ListenError(f"cannot listen on {display(host, port)}: {_reason(error)}") from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))  # type: ignore[misc]


def _bind(family: socket.AddressFamily, address: tuple[str, int], backlog: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # Restart at once although old connections linger. On Windows the option means sharing the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _address(name: tuple[str, int]) -> Address:
    return Address(name[0].partition("%")[0], name[1])


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
