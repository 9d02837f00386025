"""Work that is nobody's request: give dead segments back, write a checkpoint when the journal wants one.

Refuses to know when either is due; the journal says so. Both are cheap on the main thread: what they decide
reaches the disk with the next commit, in the committer's thread.
"""

import logging
from typing import Protocol

import trio

HOUSEKEEPING_SECONDS = 1.0

log = logging.getLogger(__name__)


class KeptJournal(Protocol):
    """What housekeeping asks of the journal."""

    def wants_checkpoint(self) -> bool: ...

    def drop_dead_segments(self) -> object: ...


class KeptBroker(Protocol):
    """What housekeeping asks of the broker."""

    def checkpoint(self) -> None: ...


class BatchEnd(Protocol):
    """The end of a batch."""

    def now(self) -> float: ...

    def finish(self, now: float) -> None: ...


async def keep_house(journal: KeptJournal, broker: KeptBroker, batch: BatchEnd) -> None:
    """Tidy for ever, once in HOUSEKEEPING_SECONDS."""
    while True:
        await trio.sleep(HOUSEKEEPING_SECONDS)
        try:
            tidy(journal, broker)
        except Exception:
            log.exception("unexpected error while housekeeping")
        batch.finish(batch.now())


def tidy(journal: KeptJournal, broker: KeptBroker) -> None:
    """One turn."""
    if journal.wants_checkpoint():
        broker.checkpoint()
    journal.drop_dead_segments()
