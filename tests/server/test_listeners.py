"""mambaamqp/server/listeners.py: where the broker listens, and what it says when it cannot."""

import errno
import socket

import pytest
import trio

from mambaamqp.server import listeners
from mambaamqp.server.listeners import ListenError
from mambaamqp.server.ports import Address


def test_port_zero_takes_a_free_port() -> None:
    """Port 0 gives a port that is known afterwards."""
    sockets = listeners.listen("127.0.0.1", 0, 10)
    [address] = listeners.addresses(sockets)
    listeners.close(sockets)
    assert address.host == "127.0.0.1"
    assert address.port > 0


def test_a_name_listens_on_all_its_addresses_on_one_port() -> None:
    """A host name may mean several addresses; they share the port."""
    sockets = listeners.listen("localhost", 0, 10)
    found = listeners.addresses(sockets)
    listeners.close(sockets)
    assert {address.host for address in found} <= {"127.0.0.1", "::1"}
    assert len({address.port for address in found}) == 1


@pytest.mark.parametrize("host", ["", "*"])
def test_no_name_is_every_interface(host: str) -> None:
    """An empty host listens everywhere."""
    sockets = listeners.listen(host, 0, 10)
    found = listeners.addresses(sockets)
    listeners.close(sockets)
    assert {address.host for address in found} <= {"0.0.0.0", "::"}


def test_ipv6() -> None:
    """An IPv6 address is listened on where the machine has IPv6."""
    try:
        sockets = listeners.listen("::1", 0, 10)
    except ListenError:
        pytest.skip("no IPv6 on this machine")
    [address] = listeners.addresses(sockets)
    listeners.close(sockets)
    assert listeners.display(*address) == f"[::1]:{address.port}"


def test_several_hosts_listen_on_one_port() -> None:
    """Separated by commas, with the port that the first one was given."""
    sockets = listeners.listen("127.0.0.1, 127.0.0.2", 0, 10)
    try:
        first, second = listeners.addresses(sockets)
        assert (first.host, second.host) == ("127.0.0.1", "127.0.0.2")
        assert first.port == second.port != 0
    finally:
        listeners.close(sockets)


def test_one_of_several_hosts_that_is_not_ours_is_an_error() -> None:
    """Silence would look like listening."""
    with pytest.raises(ListenError, match=r"cannot listen on 192\.0\.2\.1:\d+"):
        listeners.listen("127.0.0.1,192.0.2.1", 0, 10)


def test_a_port_in_use_is_one_clear_line() -> None:
    """The error names the address and the reason."""
    sockets = listeners.listen("127.0.0.1", 0, 10)
    [address] = listeners.addresses(sockets)
    with pytest.raises(ListenError) as caught:
        listeners.listen("127.0.0.1", address.port, 10)
    listeners.close(sockets)
    assert str(caught.value) == f"cannot listen on 127.0.0.1:{address.port}: address already in use"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300, "192.0.2.1"])
def test_a_host_that_is_not_ours_is_one_clear_line(host: str) -> None:
    """Unknown names and addresses of other machines are refused."""
    with pytest.raises(ListenError, match=f"cannot listen on {host}:5672: "):
        listeners.listen(host, 5672, 10)


class Door:
    """Takes everybody, or nobody."""

    def __init__(self) -> None:
        self.has_room = True
        self.admitted: list[tuple[Address, Address, int]] = []
        self.waits = 0

    async def wait_for_room(self) -> None:
        self.waits += 1
        await trio.lowlevel.checkpoint()

    def admit(self, sock: socket.socket, peer: Address, local: Address) -> None:
        self.admitted.append((peer, local, sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        sock.close()


async def test_accepted_sockets_are_prepared(nursery: trio.Nursery) -> None:
    """What comes in has TCP_NODELAY, and both addresses are known."""
    door = Door()
    [listener] = listeners.listen("127.0.0.1", 0, 10)
    nursery.start_soon(listeners.accept_forever, listener, door)
    port = listener.getsockname()[1]
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    assert await stream.receive_some(1) == b""
    [(peer, local, nodelay)] = door.admitted
    assert (peer, local) == (stream.socket.getsockname(), ("127.0.0.1", port))
    assert nodelay != 0


class ExhaustedSocket:
    """accept() finds no descriptor, twice; then it works."""

    def __init__(self, listener: socket.socket) -> None:
        self.fileno = listener.fileno
        self.attempts = 0
        self._listener = listener

    def accept(self) -> object:
        self.attempts += 1
        if self.attempts <= 2:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listener.accept()


async def test_waits_for_descriptors_without_spinning(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Without descriptors accepting pauses, says so once, and goes on later."""
    door = Door()
    [listener] = listeners.listen("127.0.0.1", 0, 10)
    exhausted = ExhaustedSocket(listener)
    start = trio.current_time()
    nursery.start_soon(listeners.accept_forever, exhausted, door)
    stream = await trio.open_tcp_stream("127.0.0.1", listener.getsockname()[1])
    assert await stream.receive_some(1) == b""
    assert trio.current_time() - start == 2 * listeners.EXHAUSTED_PAUSE_SECONDS
    assert caplog.text.count("cannot accept connections: too many open files") == 1
