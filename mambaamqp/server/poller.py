"""Readiness of all connections in one task: who can be read, who can be written.

Theory of operation
-------------------
The kernel's readiness set (epoll, kqueue) is itself a descriptor that becomes readable when any member is
ready, so trio waits for one descriptor, and each turn hands out everything that is ready at that moment. A
task per connection would cost a switch and a system call for each read, and would hide who else is ready;
here a turn is one batch: all are read, then the broker dispatches once, and each connection is sent once.

Order within a turn: those who sent little the last time come first. Acknowledgements and commands are little,
bulk publishers are not, so consumers are served before publishers.

Where the readiness set is no descriptor (Windows), a thread waits for it instead, in short slices: slower,
but the same for everybody else.
"""

import selectors
import socket
import time
from selectors import EVENT_READ, EVENT_WRITE
from typing import Protocol

import trio

CONNECTIONS_PER_BATCH = 64
"""When more are ready at once, timers and commits get their turn in between."""

SLICE_SECONDS = 0.02
"""How long the waiting thread may miss a new connection, where there has to be one."""


class Polled(Protocol):
    """A connection, as seen from here."""

    @property
    def greedy(self) -> bool:
        """Its last read was a full one."""

    def ready(self, readable: bool, writable: bool, now: float) -> None:
        """Read or write once, without blocking. Never raises; harmless after the end."""


class BatchEnd(Protocol):
    """The end of a batch."""

    def now(self) -> float: ...

    def finish(self, now: float) -> None: ...


class Poller:
    """The readiness set. A socket with no interest is not in it, and costs nothing."""

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self._selector = selector if selector is not None else selectors.DefaultSelector()

    def watch(self, sock: socket.socket, polled: Polled, *, read: bool, write: bool, watched: bool) -> None:
        """Change what is waited for; `watched` says whether there was anything before."""
        events = EVENT_READ * read | EVENT_WRITE * write
        if not watched:
            self._selector.register(sock, events, polled)
        elif events:
            self._selector.modify(sock, events, polled)
        else:
            self._selector.unregister(sock)

    async def run(self, batch: BatchEnd) -> None:
        """Hand out readiness for ever."""
        try:
            while True:
                await self._wait()
                await self._turn(batch)
        finally:
            self._selector.close()

    async def _wait(self) -> None:
        fileno = getattr(self._selector, "fileno", None)
        if fileno is not None:
            await trio.lowlevel.wait_readable(fileno())
        else:
            await trio.to_thread.run_sync(_wait_a_little, self._selector)

    async def _turn(self, batch: BatchEnd) -> None:
        found = self._selector.select(0)
        if len(found) > 1:
            found.sort(key=_greed)
        for start in range(0, len(found), CONNECTIONS_PER_BATCH):
            if start:
                await trio.lowlevel.checkpoint()
            now = batch.now()
            for key, events in found[start : start + CONNECTIONS_PER_BATCH]:
                key.data.ready(events & EVENT_READ, events & EVENT_WRITE, now)
            batch.finish(now)


def _greed(found: tuple[selectors.SelectorKey, int]) -> bool:
    return bool(found[0].data.greedy)


def _wait_a_little(selector: selectors.BaseSelector) -> None:
    try:
        selector.select(SLICE_SECONDS)
    except OSError:
        time.sleep(
            SLICE_SECONDS
        )  # nothing is watched, or was closed meanwhile; the next turn sees what is left
