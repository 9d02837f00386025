"""Fakes for the rooms below the shell: a session that speaks lines instead of AMQP, and the rest around it.

Commands, one a line: "say X" answers "X", "journal X" appends X and answers "confirmed X" when it is durable,
"lazy X" appends X and waits for nothing, "login NAME" waits for the shell to verify NAME, "send N C" answers
N times C, "to PORT X" sends X to the session of that peer,
"stop" reading, "spool" has all that is sent read from the disk, "close", "bug" raises, "wait SECONDS" sets a
deadline that answers "tick".
"""

import math
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from mambaamqp.errors import StoreError
from mambaamqp.server.ports import Address


class FakeDisk:
    """Where commits end up; `gate` can hold the committer's thread, `error` makes every commit fail."""

    def __init__(self) -> None:
        self.commits: list[list[bytes]] = []
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.sync_error: OSError | None = None
        self.syncs: list[int] = []
        """How many commits there were at each sync of its own."""


class FakeCommit:
    def __init__(self, records: list[bytes], position: int) -> None:
        self.records = records
        self.position = position

    def execute(self, disk: FakeDisk) -> None:
        disk.gate.wait(10)
        if disk.error is not None:
            raise disk.error
        disk.commits.append(self.records)


class FakeWriter:
    def __init__(self) -> None:
        self.disk: FakeDisk | None = None

    def check(self) -> None:
        pass

    def poison(self) -> None:
        pass

    def sync(self) -> None:
        assert self.disk is not None
        if self.disk.sync_error is not None:
            raise self.disk.sync_error
        self.disk.syncs.append(len(self.disk.commits))


class FakeJournal:
    """Positions count records."""

    def __init__(self) -> None:
        self.writer = FakeWriter()
        self.position = 0
        self.durable = 0
        self.pending: list[bytes] = []

    @property
    def pending_bytes(self) -> int:
        return sum(map(len, self.pending))

    def append(self, record: bytes) -> int:
        self.pending.append(record)
        self.position += 1
        return self.position

    def seal(self) -> FakeCommit | None:
        if not self.pending:
            return None
        records, self.pending = self.pending, []
        return FakeCommit(records, self.position)

    def committed(self, commit: FakeCommit) -> None:
        self.durable = commit.position


class FakeBroker:
    """Flushes nothing, and can be told to expire or to fail."""

    def __init__(self) -> None:
        self.deadline = math.inf
        self.waiters: list[FakeSession] = []
        self.flushes = 0
        self.ticks: list[float] = []
        self.error: Exception | None = None

    def durable(self, position: int, now: float) -> None:
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.durable(position, now)

    def flush(self, now: float) -> None:
        self.flushes += 1
        if self.error is not None:
            raise self.error

    def tick(self, now: float) -> None:
        self.ticks.append(now)
        self.deadline = math.inf


class FakeAccess:
    """Everybody but "nobody" may come in; `hashed` counts the slow path."""

    def __init__(self) -> None:
        self.hashed: list[str] = []
        self.cached: set[str] = set()
        self.error: Exception | None = None

    def authenticate_cached(self, credentials: str, peer_is_loopback: bool, now: float) -> str | None:
        return credentials if credentials in self.cached else None

    def authenticate(self, credentials: str, peer_is_loopback: bool) -> str | None:
        self.hashed.append(credentials)
        if self.error is not None:
            raise self.error
        if credentials == "nobody":
            return None
        self.cached.add(credentials)
        return credentials


class FakeSession:
    """Speaks the lines of the module's docstring. `events` tells what the shell did with it."""

    everyone: "dict[int, FakeSession]"

    def __init__(
        self,
        broker: FakeBroker,
        journal: FakeJournal,
        peer: Address,
        wake: Callable[[Any], None],
        now: float,
        everyone: "dict[int, FakeSession]",
    ) -> None:
        self.woken = False
        self.closing = False
        self.spools = False
        self.wants_read = True
        self.deadline = math.inf
        self.login: SimpleNamespace | None = None
        self.events: list[str] = []
        self.peer = peer
        self.everyone = everyone
        everyone[peer.port] = self
        self._broker = broker
        self._journal = journal
        self._wake = wake
        self._lines = b""
        self._out: list[bytes] = []
        self._parked: list[tuple[int, bytes]] = []

    def receive_data(self, data: bytes, now: float) -> None:
        self._lines += data
        *lines, self._lines = self._lines.split(b"\n")
        for line in lines:
            if self.closing:
                return
            command, _, rest = line.decode().partition(" ")
            getattr(self, COMMANDS[command])(rest, now)

    def data_to_send(self) -> bytes:
        self.woken = False
        return self._out.pop(0) if self._out else b""

    @property
    def is_spooling(self) -> bool:
        return self.spools and bool(self._out)

    def tick(self, now: float) -> None:
        self.deadline = math.inf
        self.say("tick")

    def durable(self, position: int, now: float) -> None:
        ready = [text for waited, text in self._parked if waited <= position]
        self._parked = [parked for parked in self._parked if parked[0] > position]
        if self._parked:
            self._broker.waiters.append(self)
        for text in ready:
            self.say(f"confirmed {text.decode()}")

    @property
    def waiting(self) -> bool:
        return self in self._broker.waiters

    def login_verified(self, user: str | None, now: float) -> None:
        self.login = None
        self.say(f"hello {user}" if user else "refused")

    def connection_lost(self, now: float) -> None:
        self.events.append("lost")

    def shutdown(self, text: str, now: float) -> None:
        self.say(f"320 {text}")
        self.closing = True

    def fail(self, now: float) -> None:
        self.say("541")
        self.closing = True

    def say(self, text: str) -> None:
        self._out.append(text.encode() + b"\n")
        self._touch()

    def resume(self) -> None:
        """What a lifted alarm would do."""
        self.wants_read = True
        self._touch()

    def _touch(self) -> None:
        if not self.woken:
            self.woken = True
            self._wake(self)

    def _say(self, text: str, now: float) -> None:
        self.say(text)

    def _append(self, text: str, now: float) -> None:
        position = self._journal.append(text.encode())
        self._parked.append((position, text.encode()))
        if not self.waiting:
            self._broker.waiters.append(self)

    def _lazy(self, text: str, now: float) -> None:
        self._journal.append(text.encode())

    def _login(self, name: str, now: float) -> None:
        self.login = SimpleNamespace(credentials=name)

    def _send(self, text: str, now: float) -> None:
        count, _, character = text.partition(" ")
        self.say(character * int(count))

    def _to(self, text: str, now: float) -> None:
        port, _, text = text.partition(" ")
        self.everyone[int(port)].say(text)

    def _stop(self, _: str, now: float) -> None:
        self.wants_read = False

    def _spool(self, _: str, now: float) -> None:
        self.spools = True

    def _close(self, _: str, now: float) -> None:
        self.say("bye")
        self.closing = True

    def _bug(self, _: str, now: float) -> None:
        raise RuntimeError("a bug in the session")

    def _wait(self, seconds: str, now: float) -> None:
        self.deadline = now + float(seconds)
        self._touch()


FAILED = StoreError("the journal cannot be written: no space left on device")

COMMANDS = {
    name: f"_{name}"
    for name in ("say", "lazy", "login", "send", "to", "stop", "spool", "close", "bug", "wait")
} | {"journal": "_append"}
