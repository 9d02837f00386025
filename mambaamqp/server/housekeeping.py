"""Work that is nobody's request: give dead segments back, write a checkpoint, have sparse segments emptied.

Refuses to know when any of them is due; the journal says so. All are cheap on the main thread: what they
decide reaches the disk with a commit, in the committer's thread; emptying goes on in slices of its own.
"""

import logging
from typing import Protocol

import trio

HOUSEKEEPING_SECONDS = 1.0

log = logging.getLogger(__name__)


class KeptJournal(Protocol):
    """What housekeeping asks of the journal."""

    def wants_checkpoint(self) -> bool: ...

    def drop_dead_segments(self) -> int: ...


class KeptBroker(Protocol):
    """What housekeeping asks of the broker."""

    def checkpoint(self) -> None: ...

    def compact(self, now: float) -> bool: ...


class KeptCommitter(Protocol):
    """What housekeeping asks of the committer."""

    def commit(self) -> None: ...


class BatchEnd(Protocol):
    """The end of a batch, which looks when the broker wants to be called next."""

    def now(self) -> float: ...

    def finish(self, now: float) -> None: ...


async def keep_house(
    journal: KeptJournal, broker: KeptBroker, committer: KeptCommitter, batch: BatchEnd
) -> None:
    """Tidy for ever, once in HOUSEKEEPING_SECONDS."""
    while True:
        await trio.sleep(HOUSEKEEPING_SECONDS)
        try:
            if tidy(journal, broker):
                committer.commit()
            now = batch.now()
            if broker.compact(now):
                batch.finish(now)
        except Exception:
            log.exception("unexpected error while housekeeping")


def tidy(journal: KeptJournal, broker: KeptBroker) -> bool:
    """One turn; whether it left something to commit."""
    checkpoint = journal.wants_checkpoint()
    if checkpoint:
        broker.checkpoint()
    return bool(journal.drop_dead_segments()) or checkpoint
