"""A damaged store made whole: everything that can be read is written into a new one, the old one is kept.

The old directory is never written to. The new store stands beside it until it is complete, synced, and has
been read back; then the two change names. A crash in between leaves the old store under one of its names.
"""

from collections.abc import Callable

from mambaamqp.broker.broker import Broker
from mambaamqp.broker.entry import Entry
from mambaamqp.broker.message import Message
from mambaamqp.errors import StoreError
from mambaamqp.offline import dump, state
from mambaamqp.offline.state import Progress, State
from mambaamqp.store import records
from mambaamqp.store.disk import Disk
from mambaamqp.store.journal import Journal
from mambaamqp.store.recovery import LOCK_NAME, open_store

COMMIT_BYTES = 4 * 1024 * 1024
NEW, OLD = ".repaired", ".before-repair"


class Repair:
    """One repair of a directory; `said` is what it has done, a line each."""

    def __init__(self, directory: str, disk: Disk, segment_bytes: int) -> None:
        self.directory = directory.rstrip("/")
        self.disk = disk
        self.segment_bytes = segment_bytes
        self.said: list[str] = []

    def run(self, progress: Progress = state.unheard) -> None:
        """StoreError when a broker uses the store, when it cannot be read, or when there is no room."""
        state.log_bytes(self.directory, self.disk)
        old = self._free_name(OLD)
        lock = self.disk.lock(f"{self.directory}/{LOCK_NAME}")
        try:
            found = state.read(self.directory, self.disk, progress)
            new = self._free_name(NEW)
            self._write(found, new)
            self._compare(found, new)
            self._change_names(new, old)
        except OSError as failure:
            raise StoreError(f"cannot repair {self.directory}: {failure}") from failure
        finally:
            self.disk.close(lock)
        self._tell(found, old)

    def _free_name(self, suffix: str) -> str:
        """A name beside the store that is not taken."""
        parent, _, name = self.directory.rpartition("/")
        taken = set(self.disk.list(parent or ("/" if self.directory.startswith("/") else ".")))
        number = 1
        while f"{name}{suffix}-{number}" in taken:
            number += 1
        return f"{self.directory}{suffix}-{number}"

    def _write(self, found: State, directory: str) -> None:
        """A store that holds what was found and nothing else."""
        store = open_store(directory, self.disk)
        try:
            list(store.records())
            journal = store.journal(segment_bytes=self.segment_bytes)
            broker = found.broker
            messages = messages_of(broker)  # what sleeps is read from the old journal
            replayed, broker.journal = broker.journal, journal
            write_all(broker, messages, lambda: self._commit(journal))
            broker.journal = replayed
            journal.writer.close()
        finally:
            store.close()

    def _commit(self, journal: Journal) -> None:
        commit = journal.seal()
        if commit is not None:
            commit.execute(self.disk)
            journal.committed(commit)

    def _compare(self, found: State, directory: str) -> None:
        """What was written says what was found."""
        again = state.read(directory, self.disk)
        if again.findings or list(dump.lines(again.broker)) != list(dump.lines(found.broker)):
            raise StoreError(f"{directory} does not hold what {self.directory} does; nothing was changed")

    def _change_names(self, new: str, old: str) -> None:
        self.disk.rename(self.directory, old)
        self.disk.rename(new, self.directory)
        self.disk.sync_directory(self.directory.rpartition("/")[0] or ".")

    def _tell(self, found: State, old: str) -> None:
        queues = [queue for vhost in found.broker.vhosts.values() for queue in vhost.queues.values()]
        messages = sum(queue.ready.count for queue in queues)
        self.said += [str(finding) for finding in found.findings]
        self.said.append(f"{len(queues)} queues with {messages} messages were written into a new store")
        self.said.append(f"the store as it was is in {old}")


def write_all(broker: Broker, messages: dict[Message, list[Entry]], commit: Callable[[], None]) -> None:
    """Say everything that is durable in a broker again, into its journal."""
    broker.checkpoint()
    for message, entries in messages.items():
        message.leave()
        broker.keep(message, entries)
        if broker.journal.pending_bytes >= COMMIT_BYTES:
            commit()
    # The marks of an unclean stop have been written with each message.
    broker.journal.append(records.clean_stop())
    commit()


def messages_of(broker: Broker) -> dict[Message, list[Entry]]:
    """Each message with all its entries, in the order of the queues."""
    found: dict[Message, list[Entry]] = {}
    for vhost in broker.vhosts.values():
        for queue in vhost.queues.values():
            for entry in queue.ready.entries():
                found.setdefault(entry.message, []).append(entry)
    return found
