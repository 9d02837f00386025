"""The broker: its virtual hosts, what is owed at the end of a batch, and who waits for the journal.

Everything that decides meets here; nothing here waits. The shell sets the time with `at`, feeds sessions,
calls `flush` at the end of every batch, and reports `durable` when the journal has been synced.
"""

import logging
from base64 import b64encode
from collections.abc import Iterable
from random import Random, SystemRandom
from typing import Any, Final

from mambaamqp.access.permissions import Access
from mambaamqp.broker.admission import Admission
from mambaamqp.broker.agenda import Agenda
from mambaamqp.broker.annex import open_annex
from mambaamqp.broker.compaction import Compaction
from mambaamqp.broker.entry import Entry
from mambaamqp.broker.events import INTERNAL, Events
from mambaamqp.broker.marks import note_marks
from mambaamqp.broker.message import NO_LSN, Message
from mambaamqp.broker.news import News
from mambaamqp.broker.pace import CHECK_SECONDS
from mambaamqp.broker.pager import Pager
from mambaamqp.broker.parameters import Parameters
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.remains import Remains
from mambaamqp.broker.replay import Replay
from mambaamqp.broker.snapshot import write_topology
from mambaamqp.broker.strictness import Strictness
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.broker.waiter import Waiter
from mambaamqp.config import Compatibility, LimitsConfig
from mambaamqp.errors import NotAllowed
from mambaamqp.store import records
from mambaamqp.store.body import StoredBody
from mambaamqp.store.journal import Journal
from mambaamqp.store.segment import Segment

log = logging.getLogger("mambaamqp.broker")

SWEEP_SECONDS: Final = 0.002
"""Between two files of large bodies that are removed, when nothing else happens."""
POSITIONS_PER_RECORD: Final = 65_536
"""What one settle or requeue record names at most, so that it fits the journal's 16 MiB."""


class Broker:
    """All virtual hosts of one node.

    `now` is monotonic seconds, `wall_ms` the same moment in milliseconds since 1970.
    """

    def __init__(
        self,
        access: Access,
        journal: Journal,
        now: float,
        wall_seconds: float,
        *,
        limits: LimitsConfig | None = None,
        compatibility: Compatibility | None = None,
        random: Random | None = None,
    ) -> None:
        self.limits = LimitsConfig() if limits is None else limits
        self.strictness = Strictness(Compatibility() if compatibility is None else compatibility)
        self.access = access
        self.journal = journal
        self.random: Random = SystemRandom() if random is None else random
        self.wall_offset_seconds = wall_seconds - now
        self.now = now
        self.wall_ms = int(wall_seconds * 1000)
        self.vhosts: dict[str, VirtualHost] = {}
        self.news = News()
        self.events = Events(self)
        self.parameters = Parameters(self)
        self.admission = Admission()
        self.queue_serial = 0
        self.dirty: list[Queue] = []
        self.settling: list[Queue] = []
        self.graves: list[tuple[Entry, str]] = []
        self.agenda = Agenda()
        self.compaction = Compaction(self)
        self.pager = Pager(self, self.limits.backlog_memory_bytes)
        self.remains = Remains(self)
        self.holders: dict[Waiter, None] = {}
        """Open sessions, who hold what is unacknowledged."""
        self.paced: dict[Queue, float] = {}
        """Queues whose publishers pause, and when to look whether that still makes sense."""
        self.repeated = False
        """Something published was known already and dropped: it is confirmed with what made it known."""
        self.waiters: list[Waiter] = []
        self.blocked: list[Waiter] = []
        self.alarm = ""
        self.marked_all = False
        """Everything recovered was marked as redelivered: the stop before was not clean."""

    # Time and batches

    def at(self, now: float) -> None:
        """The time of what comes next; never goes back."""
        if now > self.now:
            self.now = now
            self.wall_ms = int((now + self.wall_offset_seconds) * 1000)

    def flush(self, now: float) -> None:
        """End of a batch: hand out messages, then note in the journal what was settled and returned."""
        self.at(now)
        self.catch_up()
        if self.settling:
            self.write_settlements()
        if self.pager.awake_bytes > self.pager.budget_bytes:
            self.pager.relieve()
        if self.remains.ready:
            self.remains.dwindle()
        if self.journal.spool.given_up:
            self.journal.spool.sweep()

    def catch_up(self) -> None:
        """Bring all queues to rest: dead letters go their way, what can be delivered is."""
        while self.dirty or self.graves or self.news.pending:
            if self.news.pending:
                self.news.publish()
            if self.graves:
                self.bury_all()
            touched = self.dirty
            self.dirty = []
            for queue in touched:
                queue.dispatch()

    def bury_all(self) -> None:
        """Send the dead on to their dead-letter exchanges; a loop, since a chain of them may be long."""
        while self.graves:
            graves = self.graves
            self.graves = []
            for entry, reason in graves:
                entry.queue.put_away(entry, reason)

    def write_settlements(self) -> None:
        """Append what queues owe the journal: settled positions, and entries that came back."""
        queues = self.settling
        self.settling = []
        for queue in queues:
            queue.settling = False
            if queue.settled:
                self._write_settled(queue)
            if queue.returned or queue.marks:
                self._write_returned(queue)

    def _write_settled(self, queue: Queue) -> None:
        settled = queue.settled
        queue.settled = []
        for at in range(0, len(settled), POSITIONS_PER_RECORD):
            self.journal.append(records.settle(queue.serial, settled[at : at + POSITIONS_PER_RECORD]))

    def _write_returned(self, queue: Queue) -> None:
        counts = [(entry.position, entry.delivery_count) for entry in queue.returned]
        counts += queue.marks
        queue.returned = []
        queue.marks = []
        for at in range(0, len(counts), POSITIONS_PER_RECORD):
            self.journal.append(records.requeue(queue.serial, counts[at : at + POSITIONS_PER_RECORD]))

    def tick(self, now: float) -> None:
        """Expire messages and queues whose time has come."""
        self.at(now)
        self.events.acting = INTERNAL
        self._check_pace(now)
        for queue in self.agenda.due(now):
            if queue.tick(now):
                queue.vhost.drop_queue(queue)
        self.flush(now)
        if self.compaction.deadline <= now:
            self.compaction.step()

    @property
    def deadline(self) -> float:
        """When `tick` must be called next; infinite without anything to wait for."""
        moment = self.now if self.remains.ready else min(self.agenda.next_moment(), self.compaction.deadline)
        if self.journal.spool.given_up:
            moment = min(moment, self.now + SWEEP_SECONDS)
        return min(moment, *self.paced.values()) if self.paced else moment

    def _check_pace(self, now: float) -> None:
        """Let publishers go on whose queues' consumers have stopped taking."""
        for queue, moment in list(self.paced.items()):
            if not queue.pace.waiting:
                del self.paced[queue]
            elif moment <= now and queue.pace.keeps_up():
                self.paced[queue] = now + CHECK_SECONDS
            elif moment <= now:
                del self.paced[queue]
                queue.pace.release(now)

    # The journal

    def keep(self, message: Message, entries: list[Entry]) -> None:
        """Write a message into the journal for the queues of `entries`."""
        journal = self.journal
        # A message that spans segments lives where it begins: segments go from the oldest end only.
        segment = journal.next_segment()
        if message.stored is None and len(entries) == 1:
            entry = entries[0]
            entry.journaled = True
            journal.append(
                records.publish_one(
                    message.dead_lettered,
                    message.published_ms,
                    entry.queue.serial,
                    entry.position,
                    entry.delivery_count,
                    entry.redelivered,
                    message.address,
                    message.content,
                )
            )
            message.lsn = journal.record_lsn
        else:
            message.lsn = NO_LSN
            self._keep_many(message, entries, segment)
        message.enter(segment, len(entries))

    def keep_apart(self, entry: Entry) -> None:
        """Give an entry of a message of several queues a record, and a message, of its own."""
        shared = entry.message
        own = entry.message = shared.copy()
        self.keep(own, [entry])
        shared.release()

    def _keep_many(self, message: Message, entries: list[Entry], segment: Segment) -> None:
        targets: list[records.Target] = []
        for entry in entries:
            entry.journaled = True
            targets.append(
                records.Target(entry.queue.serial, entry.position, entry.delivery_count, entry.redelivered)
            )
        journal = self.journal
        journal.begin_atom()
        if message.stored is not None:
            self._append_stored(message, message.stored, targets, segment)
        else:
            for pieces in records.publish_many(
                message.dead_lettered, message.published_ms, targets, message.address, [message.content]
            ):
                journal.append_pieces(pieces)
        journal.end_atom()

    def _append_stored(
        self, message: Message, stored: StoredBody, targets: list[records.Target], segment: Segment
    ) -> None:
        """A large message: its body is read when it is written, a bounded part at a time."""
        journal = self.journal
        for at in range(0, len(targets), records.TARGETS_MAX):
            lsns: list[int] = []
            begin = 0
            while begin < len(stored.chunks):
                chunks, size = stored.run_from(begin, records.CHUNK_BYTES)
                head = b"" if begin else message.content
                journal.append_stored([records.chunk_head(len(head) + size), head], chunks)
                lsn = journal.record_lsn + records.CHUNK_HEAD_BYTES + len(head)
                for chunk in chunks:
                    lsns.append(lsn)
                    lsn += chunk.size
                begin += len(chunks)
            some = targets[at : at + records.TARGETS_MAX]
            journal.append_pieces(
                records.publish_head(
                    message.dead_lettered, message.published_ms, some, message.address, [], True
                )
            )
            journal.move(stored, segment, lsns)

    def release(self, entry: Entry) -> None:
        """A journaled entry needs its place in the journal no more."""
        entry.message.release()

    def durable(self, position: int, now: float) -> None:
        """The journal is on stable storage up to `position`: tell whoever waits for it."""
        self.at(now)
        waiters = self.waiters
        self.waiters = []
        for waiter in waiters:
            waiter.waiting = False
            try:
                waiter.durable(position, now)
            except Exception:
                # One connection's bug must not keep the others' confirms back.
                log.exception("unexpected error while confirming")

    def await_durable(self, waiter: Waiter) -> None:
        """Call `waiter.durable` after the next sync."""
        if not waiter.waiting:
            waiter.waiting = True
            self.waiters.append(waiter)

    # Virtual hosts and alarms

    def vhost(self, name: str) -> VirtualHost:
        """The virtual host of that name; NotAllowed (530) when there is none, as connection.open says it."""
        vhost = self.vhosts.get(name)
        if vhost is None:
            raise NotAllowed(f"vhost {name} not found")
        return vhost

    def put_vhost(self, name: str) -> VirtualHost:
        """Have a virtual host, with its default exchanges."""
        vhost = self.vhosts.get(name)
        if vhost is None:
            vhost = self.vhosts[name] = VirtualHost(self, name)
        return vhost

    def forget_vhost(self, name: str) -> None:
        """A virtual host is gone, with all that was set in it and the rights there."""
        self.vhosts.pop(name, None)
        self.parameters.forget_vhost(name)
        self.access.remove_vhost(name)

    def dismiss(self, text: str, *, user_name: str = "", vhost: str = "") -> int:
        """Close the connections of a user, or those into a virtual host, with 320; how many they were."""
        holders = [holder for holder in self.holders if holder.belongs_to(user_name, vhost)]
        for holder in holders:
            holder.shutdown(text, self.now)
        return len(holders)

    def token(self) -> str:
        """A name part that nobody can guess: 16 random octets in 22 characters of URL-safe base 64."""
        return b64encode(self.random.randbytes(16), b"-_").decode().rstrip("=")

    def next_serial(self) -> int:
        """A queue id that this journal has never seen."""
        self.queue_serial += 1
        return self.queue_serial

    def set_alarm(self, memory: bool, disk: bool, now: float) -> None:
        """Memory or disk is (no longer) low: publishers are blocked while any alarm stands."""
        self.at(now)
        low = [name for name, on in (("memory", memory), ("disk", disk)) if on]
        self._tell_of_alarms(low)
        self.alarm = f"low on {' & '.join(low)}" if low else ""
        if not self.alarm:
            blocked = self.blocked
            self.blocked = []
            for waiter in blocked:
                waiter.unblocked(now)

    def _tell_of_alarms(self, low: list[str]) -> None:
        for name in ("memory", "disk"):
            if (name in low) != (name in self.alarm):
                self.events.tell("alarm.set" if name in low else "alarm.cleared", {"source": name})

    # Life cycle

    def recover(self, stored: Iterable[tuple[int, Segment, Any]]) -> None:
        """Take over what the journal holds: (LSN, segment, record) triples in order."""
        self.events.silent = True
        Replay(self).run(stored)
        self.events.silent = False

    def go_on_with(self, journal: Journal) -> None:
        """Write there from now on; what was spilled while the log was replayed is still needed."""
        journal.scratch = self.journal.scratch
        journal.read_back = self.journal.read_back
        self.journal = journal
        for vhost in self.vhosts.values():
            for exchange in list(vhost.exchanges.values()):
                # Its record was damaged, or it was declared when this was not known yet.
                open_annex(vhost, exchange)

    def checkpoint(self) -> None:
        """Say all durable topology again, so that the journal may let its oldest segments go."""
        journal = self.journal
        journal.begin_checkpoint()
        for vhost in self.vhosts.values():
            write_topology(vhost, journal)
        self.parameters.write(journal)
        journal.end_checkpoint()

    def compact(self, now: float) -> bool:
        """Begin to empty sparse segments if there is need; whether `tick` is to be called for it now."""
        self.at(now)
        return self.compaction.begin()

    def stop(self, now: float) -> None:
        """The last words: sessions have gone, everything is back in its queue."""
        if self.marked_all:
            # The marks of an unclean start are nowhere in the journal, and a clean stop makes them forgotten.
            for vhost in self.vhosts.values():
                for queue in vhost.queues.values():
                    note_marks(queue)
        self.flush(now)
        self.journal.append(records.clean_stop())
