"""mambaamqp/server/poller.py: who is ready, in which order."""

import selectors
import socket
from collections.abc import Iterator

import pytest
import trio

from mambaamqp.server.poller import Poller


class Peer:
    """One end of a pair of sockets, watched for reading; notes when it was ready in a list of all."""

    def __init__(self, poller: Poller, log: list[str], name: str, greedy: bool = False) -> None:
        self.greedy = greedy
        self.name = name
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self._log = log
        poller.watch(self.ours, self, read=True, write=False, watched=False)

    def ready(self, readable: bool, writable: bool, now: float) -> None:
        if readable:
            self.ours.recv(100)
        self._log.append(f"{self.name} {'r' * bool(readable)}{'w' * bool(writable)}")


class Batch:
    def __init__(self, log: list[str]) -> None:
        self._log = log
        self.finished = trio.Event()

    def now(self) -> float:
        return trio.current_time()

    def finish(self, now: float) -> None:
        self._log.append("finish")
        self.finished.set()


@pytest.fixture(params=[selectors.DefaultSelector, selectors.SelectSelector])
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    """The platform's best readiness set, and the one without a descriptor."""
    return Poller(request.param())  # type: ignore[no-any-return]


async def next_batch(batch: Batch) -> None:
    with trio.fail_after(5):
        await batch.finished.wait()
    batch.finished = trio.Event()


async def test_one_batch_for_all_who_are_ready(poller: Poller, nursery: trio.Nursery) -> None:
    """Everybody who is ready is handed out before the batch ends, those who sent little first."""
    log: list[str] = []
    batch = Batch(log)
    peers = [Peer(poller, log, "publisher", greedy=True), Peer(poller, log, "consumer")]
    for peer in peers:
        peer.theirs.send(b"x")
    nursery.start_soon(poller.run, batch)
    await next_batch(batch)
    assert log == ["consumer r", "publisher r", "finish"]


async def test_interest_can_change(poller: Poller, nursery: trio.Nursery) -> None:
    """Who wants nothing is not called; who wants room is told of it."""
    log: list[str] = []
    batch = Batch(log)
    silent, loud = Peer(poller, log, "silent"), Peer(poller, log, "loud")
    poller.watch(silent.ours, silent, read=False, write=False, watched=True)
    silent.theirs.send(b"x")
    nursery.start_soon(poller.run, batch)
    loud.theirs.send(b"x")
    await next_batch(batch)
    assert log == ["loud r", "finish"]
    poller.watch(silent.ours, silent, read=False, write=True, watched=False)
    await next_batch(batch)
    poller.watch(silent.ours, silent, read=False, write=False, watched=True)
    assert log[2:4] == ["silent w", "finish"]


async def test_an_empty_set_waits(poller: Poller, nursery: trio.Nursery) -> None:
    """With nobody to watch there is nothing to do, and whoever comes later is served."""
    log: list[str] = []
    batch = Batch(log)
    nursery.start_soon(poller.run, batch)
    await trio.testing.wait_all_tasks_blocked(0.01)
    peer = Peer(poller, log, "late")
    peer.theirs.send(b"x")
    await next_batch(batch)
    assert log[0] == "late r"
