"""Group commit: one thread that syncs, one commit in flight, everybody who waits told at once.

Theory of operation
-------------------
The core appends records to the journal and parks its replies on positions. At the end of a batch `kick()`
seals what was appended and hands it to the thread; what arrives while the disk is busy is the next commit.
When the thread reports back, the journal moves its durable position, and every waiting session is told once.

A dedicated thread on a plain queue beats a thread hand-off per commit for small windows, since it costs one
wake-up there and one back.

What nobody waits for (acknowledgements, above all) need not be synced at once: a commit for it alone would
only stand in the way of the next confirm. It is committed with the next record somebody waits for, or after
LAZY_SECONDS, or when LAZY_BYTES have gathered.

Where commits do not sync themselves, durable means written, and the sync follows within an interval (for
ever: at the stop only) as a commit of its own kind, `WithSync`.

A full disk (`DiskFull`) is not a failure: nothing of the commit counts yet, and the same commit is tried
again until there is room. Meanwhile nobody is told anything durable, and what arrives gathers behind it, so
that back-pressure sets in.

A failed commit is final: the page cache may have dropped what it could not write, so a second fdatasync
that "succeeds" proves nothing. Nothing is handed over any more, nobody is told anything durable again, and
`on_failure` is called once.
"""

import logging
import math
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

import trio

from mambaamqp.errors import StoreError
from mambaamqp.server.ports import CommitPort, JournalPort
from mambaamqp.server.timers import Timers
from mambaamqp.store.commit import DiskFull

LAZY_SECONDS = 0.010
LAZY_BYTES = 262_144

FULL_RETRY_SECONDS = 0.5
"""Between attempts on a full disk."""

log = logging.getLogger(__name__)


class BatchEnd(Protocol):
    """The end of a batch, which commits again and sends what became ready."""

    def now(self) -> float: ...

    def finish(self, now: float) -> None: ...


class WithSync:
    """A commit, or none, and after it a sync of everything that was written before."""

    def __init__(self, commit: CommitPort | None, writer: Any) -> None:
        self.commit = commit
        self._writer = writer

    def execute(self, disk: Any) -> None:
        """In the committer's thread."""
        if self.commit is not None:
            self.commit.execute(disk)
        self._writer.check()
        try:
            self._writer.sync()
        except OSError as failure:
            self._writer.poison()
            raise StoreError(f"cannot sync the journal: {failure}") from failure


class Committer:
    """Main thread side of group commit; only `_work` runs in the thread."""

    def __init__(
        self,
        journal: JournalPort,
        disk: Any,
        timers: Timers,
        batch: BatchEnd,
        on_durable: Callable[[int, float], None],
        on_failure: Callable[[StoreError], None],
        sync_interval_seconds: float | None,
    ) -> None:
        self.due = math.inf
        self.failed = False
        self.disk_full = False
        self._sync_interval_seconds = sync_interval_seconds
        self._late_sync = LateSync(self)
        self._retry = Retry(self)
        self._journal = journal
        self._disk = disk
        self._timers = timers
        self._batch = batch
        self._on_durable = on_durable
        self._on_failure = on_failure
        self._in_flight: CommitPort | None = None
        self._requests: queue.SimpleQueue[CommitPort | None] = queue.SimpleQueue()
        self._idle = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._work, name="mambaamqp-committer", daemon=True)

    def start(self) -> None:
        """Start the thread; nothing is committed before."""
        self._thread.start()

    def kick(self, now: float, *, awaited: bool) -> None:
        """End of a batch: hand over what is pending, if the thread is free and it is worth a sync.

        `awaited` says that somebody waits for what has been appended.
        """
        if self._in_flight is not None or self.failed:
            return
        pending_bytes = self._journal.pending_bytes
        if not pending_bytes:
            return
        if awaited or pending_bytes >= LAZY_BYTES:
            self._hand_over()
        elif self.due == math.inf:
            self._timers.schedule(self, now + LAZY_SECONDS)

    def commit(self) -> None:
        """Hand over what is pending, if the thread is free; otherwise it goes with the next commit."""
        if self._in_flight is None and not self.failed:
            self._hand_over()

    def expire(self, now: float) -> None:
        """The lazy delay is over."""
        self.commit()

    async def drain(self) -> bool:
        """Commit and sync whatever is pending and wait for it; False when the store failed."""
        self._late_sync.wanted = self._sync_interval_seconds is not None
        while not self.failed:
            if self._in_flight is None:
                self._hand_over()
            if self._in_flight is None:
                return True
            self._idle = trio.Event()
            await self._idle.wait()
        return False

    def stop(self, timeout_seconds: float) -> bool:
        """End the thread after the commit in flight; False when it is still busy after the timeout."""
        self._requests.put(None)
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _hand_over(self) -> None:
        commit = self._journal.seal()
        if self._late_sync.wanted:
            self._late_sync.wanted = False
            commit = WithSync(commit, self._journal.writer)
        if commit is None:
            return
        if self.due != math.inf:
            self._timers.cancel(self)
        self._in_flight = commit
        self._requests.put(commit)

    def _work(self) -> None:
        requests, disk, token = self._requests, self._disk, self._token
        while (commit := requests.get()) is not None:
            error: BaseException | None = None
            try:
                commit.execute(disk)
            except BaseException as caught:  # whatever it is, the journal is not to be trusted
                error = caught
            try:
                token.run_sync_soon(self._done, commit, error)
            except trio.RunFinishedError:
                return

    def try_again(self) -> None:
        """The commit in flight once more: there may be room now."""
        if self._in_flight is not None:
            self._requests.put(self._in_flight)

    def _done(self, commit: CommitPort, error: BaseException | None) -> None:
        if isinstance(error, DiskFull):
            self._wait_for_room(error)
            return
        self._in_flight = None
        if error is not None:
            self._fail(error)
        else:
            self._succeeded(commit)
        self._idle.set()

    def _wait_for_room(self, error: DiskFull) -> None:
        if not self.disk_full:
            self.disk_full = True
            log.error("%s; nothing is confirmed until there is room", error)
        self._timers.schedule(self._retry, self._batch.now() + FULL_RETRY_SECONDS)

    def _succeeded(self, commit: CommitPort) -> None:
        now = self._batch.now()
        if self.disk_full:
            self.disk_full = False
            log.warning("there is room for the journal again")
        if isinstance(commit, WithSync):
            written = commit.commit
        else:
            written = commit
            if self._sync_interval_seconds is not None and self._late_sync.due == math.inf:
                self._timers.schedule(self._late_sync, now + self._sync_interval_seconds)
        if written is not None:
            self._journal.committed(written)
            self._on_durable(self._journal.durable, now)
        self._batch.finish(now)
        if self._late_sync.wanted:
            self.commit()

    def _fail(self, error: BaseException) -> None:
        self.failed = True
        if not isinstance(error, StoreError):
            fault = StoreError(f"the journal cannot be written: {error!r}")
            fault.__cause__ = error
            error = fault
        self._on_failure(error)


class LateSync:
    """The moment at which what was only written must be synced."""

    def __init__(self, committer: Committer) -> None:
        self.due = math.inf
        self.wanted = False
        self._committer = committer

    def expire(self, now: float) -> None:
        """Sync with the next commit, which is now if the thread is free."""
        self.wanted = True
        self._committer.commit()


class Retry:
    """The moment to try a full disk again."""

    def __init__(self, committer: Committer) -> None:
        self.due = math.inf
        self._committer = committer

    def expire(self, now: float) -> None:
        """Hand the same commit over."""
        self._committer.try_again()
