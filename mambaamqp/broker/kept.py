"""Dead letters that nobody has taken yet: what the at-least-once strategy keeps in their queue of origin.

A quorum queue that promises to lose no dead letter keeps each until all queues that it is for take it: there
may be none yet, or a full one. What is kept is tried again, in the order of the deaths, after a second at
first and less and less often, up to every RETRY_SECONDS_MAX. To the journal such a message has never left its
queue. Refuses to know where dead letters go (`vhost`). Source: RabbitMQ "At-least-once dead lettering".
"""

from typing import TYPE_CHECKING, Final

from mambaamqp.broker.entry import DELAYED, GONE, NEVER, Entry

if TYPE_CHECKING:
    from mambaamqp.broker.queue import Queue

RETRY_SECONDS: Final = 1.0
RETRY_SECONDS_MAX: Final = 8.0
FAILURES_MAX: Final = 256
"""So many that nobody takes end an attempt; those behind them wait for the next one."""


class Kept:
    """The kept dead letters of one queue, the oldest first."""

    def __init__(self) -> None:
        self.letters: list[tuple[Entry, str]] = []
        """Each with the reason of its death."""
        self.body_bytes = 0
        self.next_attempt = NEVER
        self.pause_seconds = RETRY_SECONDS

    def __len__(self) -> int:
        return len(self.letters)

    def keep(self, queue: "Queue", entry: Entry, reason: str) -> None:
        """Keep a dead letter of `queue` until an attempt succeeds."""
        entry.state = DELAYED
        self.letters.append((entry, reason))
        self.body_bytes += entry.message.body_bytes
        if self.next_attempt == NEVER:
            self.next_attempt = queue.broker.now + self.pause_seconds
            queue.broker.agenda.schedule(queue, self.next_attempt)

    def try_again(self, queue: "Queue") -> None:
        """Bury what is kept, if it is time; what nobody takes now either is kept again, in its order."""
        if queue.broker.now < self.next_attempt:
            return
        letters = self.letters
        self._clear()
        for entry, reason in letters:
            if len(self.letters) < FAILURES_MAX:
                entry.state = GONE
                queue.vhost.dead_letter(entry, reason)
            else:
                self.keep(queue, entry, reason)
        moved = len(self.letters) < len(letters)
        self.pause_seconds = RETRY_SECONDS if moved else min(2 * self.pause_seconds, RETRY_SECONDS_MAX)

    def entries(self) -> list[Entry]:
        """All that are kept."""
        return [entry for entry, _ in self.letters]

    def take_all(self) -> list[Entry]:
        """Take out everything."""
        found = self.entries()
        self._clear()
        return found

    def _clear(self) -> None:
        self.letters = []
        self.body_bytes = 0
        self.next_attempt = NEVER
