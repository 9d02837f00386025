"""Bugs on purpose: each is the mistake that somebody else's broker or database was once found with.

A bug is planted by replacing a method for the length of a test. Each says which check must catch it; a rig
that lets one of them pass proves nothing.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pytest

from mambaamqp.broker import broker as broker_module
from mambaamqp.broker import snapshot
from mambaamqp.broker.compaction import Compaction
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.replay import Replay
from mambaamqp.broker.stream import Stream
from mambaamqp.errors import StoreError
from mambaamqp.session.confirms import Confirms
from mambaamqp.store import disk as disk_module
from mambaamqp.store import reader, records
from mambaamqp.store.body import Chunk
from mambaamqp.store.commit import Commit, DiskFull
from mambaamqp.store.disk import Disk, OsDisk
from mambaamqp.store.journal import Journal
from mambaamqp.store.log_format import BATCH, segment_name
from mambaamqp.store.reader import SegmentReader, StoredFrame
from mambaamqp.store.recovery import Recovered
from mambaamqp.store.segment import Segment
from mambaamqp.store.spool import Spool, SpoolFile
from mambaamqp.store.writer import LogWriter, Run

Plant = Callable[[pytest.MonkeyPatch], None]


class Bug(NamedTuple):
    """`check` names the part of the rig that must catch it."""

    plant: Plant
    check: str


def replacing(owner: Any, name: str, function: Any) -> Plant:
    """A bug that is one method done wrongly."""
    return lambda patch: patch.setattr(owner, name, function)


def nothing(*_: Any, **__: Any) -> None:
    """What was forgotten."""


# Before anything is safe


def sync_without_syncing(self: LogWriter) -> None:
    self.synced = True


def confirm_what_is_not_safe(self: Confirms, durable: int) -> bool:
    if self.accepted > self.acknowledged:
        self._acknowledge(self.accepted)
    return False


def confirm_one_batch_early(self: Confirms, position: int) -> bool:
    upto = self.parked.popleft()[1] if self.parked else 0
    while self.parked and self.parked[0][0] <= position:
        upto = self.parked.popleft()[1]
    if upto > self.acknowledged:
        self._acknowledge(upto)
    return bool(self.parked)


def leave_segment_unsynced(self: LogWriter, successor: Segment) -> None:
    if self.file is not None and self.segment is not successor:
        self.close()


def remove_before_syncing(self: Commit, disk: Disk) -> None:
    while self.doomed:
        self.writer.remove(self.doomed[0])
        del self.doomed[0]
    self._write()


def sync_again_after_a_failure(self: LogWriter) -> None:
    if self.file is None or self.synced:
        return
    try:
        self.disk.sync(self.file)
    except OSError:
        self.disk.sync(self.file)
    self.synced = True


def go_on_after_a_failure(self: Commit, disk: Disk) -> None:
    try:
        self._write()
        self._remove()
    except DiskFull:
        raise
    except OSError as failure:
        raise StoreError(str(failure)) from failure


def forget_what_did_not_fit(patch: pytest.MonkeyPatch) -> None:
    honest = Commit._write_run

    def write_run(self: Commit, run: Run) -> None:
        try:
            honest(self, run)
        except DiskFull:
            self._run = None
            raise

    patch.setattr(Commit, "_write_run", write_run)


def full_disk_is_fatal(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("mambaamqp.store.commit.NO_ROOM", frozenset())


def write_what_goes_in_one_call(self: OsDisk, file: disk_module.File, data: bytes, at: int) -> None:
    disk_module._pwrite(file.fd, memoryview(data), at)


# What holds together


def part_atoms(patch: pytest.MonkeyPatch) -> None:
    honest = Journal._close_frame
    patch.setattr(Journal, "_close_frame", lambda self, kind: honest(self, BATCH if kind == 5 else kind))


def take_a_run_without_its_end(self: SegmentReader, frame: StoredFrame) -> tuple[int, int]:
    return BATCH, 0


def drop_a_segment_too_many(self: Journal) -> int:
    count = 0
    while self.segments[0] is not self.segment and self.segments[0].live <= 1:
        if self.segments[0].end_lsn > self.checkpoint_lsn:
            break
        self._doomed.append(self.segments.popleft())
        count += 1
    return count


def drop_without_a_checkpoint(self: Journal) -> int:
    count = 0
    while self.segments[0] is not self.segment and not self.segments[0].live:
        self._doomed.append(self.segments.popleft())
        count += 1
    return count


def checkpoint_without_bindings(patch: pytest.MonkeyPatch) -> None:
    honest = snapshot.write_topology

    def write(vhost: Any, journal: Journal) -> None:
        with pytest.MonkeyPatch.context() as meanwhile:
            meanwhile.setattr(type(vhost), "is_durable", lambda self, binding: False)
            honest(vhost, journal)

    patch.setattr(broker_module, "write_topology", write)


# Reading


def append_to_the_cut_segment(patch: pytest.MonkeyPatch) -> None:
    honest_roll, honest_write = Journal._roll, LogWriter.write

    def roll(self: Journal) -> Segment:
        if not hasattr(self, "_rolled") and self.segments:
            self._rolled = True  # type: ignore[attr-defined]
            return self.segments[-1]
        self._rolled = True  # type: ignore[attr-defined]
        return honest_roll(self)

    def write(self: LogWriter, run: Run) -> None:
        if self.file is None and run.offset:
            path = f"{self.directory}/{segment_name(run.segment.base_lsn)}"
            self.file, self.segment = self.disk.open(path), run.segment
        honest_write(self, run)

    patch.setattr(Journal, "_roll", roll)
    patch.setattr(LogWriter, "write", write)
    patch.setattr(Recovered, "_settle_end", nothing)


def stop_at_the_first_damage(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SegmentReader, "_resume", lambda self, broken_at: 0)
    patch.setattr(SegmentReader, "_resume_last", lambda self, broken_at: (0, True))


def call_every_end_torn(self: SegmentReader, broken_at: int) -> tuple[int, bool]:
    return 0, True


def take_any_lsn(patch: pytest.MonkeyPatch) -> None:
    """A frame counts wherever it stands, as long as its checksum is right."""
    honest = SegmentReader._frame

    def frame(self: SegmentReader, at: int) -> StoredFrame | None:
        header = self._read(at, 32)
        here, self.base_lsn = self.base_lsn, int.from_bytes(header[8:16], "big") - at
        try:
            return honest(self, at)
        finally:
            self.base_lsn = here

    patch.setattr(SegmentReader, "_frame", frame)
    patch.setattr(SegmentReader, "_chained", lambda self, at, prev_crc: self._frame(at))


# The broker's own state


def forget_that_it_was_delivered(patch: pytest.MonkeyPatch) -> None:
    honest = Replay._finish

    def finish(self: Replay) -> None:
        self.clean = True
        honest(self)

    patch.setattr(Replay, "_finish", finish)


def use_positions_again(patch: pytest.MonkeyPatch) -> None:
    honest = Replay._finish

    def finish(self: Replay) -> None:
        honest(self)
        for queue in self.queues.values():
            queue.next_position = 1

    patch.setattr(Replay, "_finish", finish)


def count_on_from_what_is_left(patch: pytest.MonkeyPatch) -> None:
    """The next offset of a stream is that behind its last message, and the first one where it has none."""
    honest = Replay._finish

    def finish(self: Replay) -> None:
        honest(self)
        for queue in self.queues.values():
            if isinstance(queue, Stream):
                queue.next_position = max([entry.position for entry in queue.ready.entries()], default=0) + 1

    patch.setattr(Replay, "_finish", finish)


def settle_the_neighbour_too(self: Queue, position: int) -> None:
    self.settled.append((position, position + 1))
    self.owe()


def lose_settlements_of_old_segments(patch: pytest.MonkeyPatch) -> None:
    """What stands before the checkpoint is read for its messages only, and for nothing else."""
    honest = Recovered._segment_records

    def read(self: Recovered, base: int, successor: int | None) -> Any:
        for stored in honest(self, base, successor):
            if base >= self.checkpoint_lsn or isinstance(stored[2], records.Publish):
                yield stored

    patch.setattr(Recovered, "_segment_records", read)


def replay_dead_letters_twice(patch: pytest.MonkeyPatch) -> None:
    """As a message of its own, as a broker that does not know positions would."""
    honest = Replay._publish

    def publish(self: Replay, record: records.Publish, segment: Segment) -> None:
        honest(self, record, segment)
        if record.dead_lettered:
            for target in record.targets:
                target.position += 1_000_000
            honest(self, record, segment)

    patch.setattr(Replay, "_publish", publish)


def forget_one_of_several_queues(patch: pytest.MonkeyPatch) -> None:
    honest = broker_module.Broker._keep_many

    def keep(self: Any, message: Any, entries: list[Any], segment: Any) -> None:
        honest(self, message, entries[:-1] if len(entries) > 1 else entries, segment)

    patch.setattr(broker_module.Broker, "_keep_many", keep)


def delete_without_a_record(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("mambaamqp.broker.vhost.records.queue_delete", lambda serial: records.settle(serial, []))


# Compaction


def move_what_is_settled_too(patch: pytest.MonkeyPatch) -> None:
    """A message goes on for all queues that it was published to: the settlements before it count no more."""
    keep, move, published = broker_module.Broker.keep, Compaction._move, dict[Any, list[Any]]()

    def note(self: Any, message: Any, entries: list[Any]) -> None:
        published.setdefault(message, list(entries))
        keep(self, message, entries)

    def move_for_all(self: Compaction, message: Any, entries: list[Any]) -> None:
        move(self, message, entries)
        settled = [entry for entry in published.get(message, []) if entry not in entries]
        if settled:
            self.broker._keep_many(message, settled, self.broker.journal.next_segment())

    patch.setattr(broker_module.Broker, "keep", note)
    patch.setattr(Compaction, "_move", move_for_all)


def move_for_one_queue(self: Compaction, message: Any, entry: Any) -> None:
    self._move(message, [entry])


def move_to_a_new_position(patch: pytest.MonkeyPatch) -> None:
    honest = Compaction._move

    def move(self: Compaction, message: Any, entries: list[Any]) -> None:
        for entry in entries:
            entry.position = entry.queue.next_position
            entry.queue.next_position += 1
        honest(self, message, entries)

    patch.setattr(Compaction, "_move", move)


def leave_without_a_copy(self: Compaction, message: Any, entries: list[Any]) -> None:
    self.moved_messages += 1
    message.leave()


def drop_any_dead_segment(self: Journal) -> int:
    """Also in the middle, where it holds settlements of what stands before it."""
    dead = [segment for segment in self.segments if not segment.live and segment is not self.segment]
    dead = [segment for segment in dead if segment.end_lsn <= self.checkpoint_lsn]
    for segment in dead:
        self.segments.remove(segment)
    self._doomed += dead
    return len(dead)


# Large bodies


def read_without_checking(self: Chunk) -> bytes:
    return self.file.read(self.size, self.at)


def use_scratch_again_too_early(patch: pytest.MonkeyPatch) -> None:
    """When its body is complete, rather than when nobody needs it."""
    honest = Spool.give_back

    def give_back(self: Spool, file: SpoolFile, complete: bool) -> None:
        file.end = 0
        honest(self, file, complete)

    patch.setattr(Spool, "give_back", give_back)


def read_where_it_is_not_yet(patch: pytest.MonkeyPatch) -> None:
    """A body moves when its commit is sealed, not when that is safe; the scratch goes."""
    honest = Journal.seal

    def seal(self: Journal) -> Commit | None:
        commit = honest(self)
        for body, segment, lsns in commit.moves if commit is not None else []:
            body.move(self._standing(body, segment, lsns))
        return commit

    patch.setattr(Journal, "seal", seal)


BUGS: Final[dict[str, Bug]] = {
    "a large body is not checked": Bug(replacing(Chunk, "read", read_without_checking), "large bodies"),
    "scratch is used again too early": Bug(use_scratch_again_too_early, "large bodies"),
    "a body is read before it is there": Bug(read_where_it_is_not_yet, "large bodies"),
    "confirm before sync": Bug(replacing(LogWriter, "sync", sync_without_syncing), "power cuts"),
    "confirm before the commit": Bug(
        replacing(Confirms, "end_batch", confirm_what_is_not_safe), "power cuts"
    ),
    "confirm one batch early": Bug(replacing(Confirms, "durable", confirm_one_batch_early), "power cuts"),
    "no sync of the directory": Bug(replacing(LogWriter, "sync_name", nothing), "power cuts"),
    "no checksum": Bug(replacing(reader, "is_whole", lambda header, body: True), "power cuts"),
    "append to a cut segment": Bug(append_to_the_cut_segment, "power cuts"),
    "next segment before the last is safe": Bug(
        replacing(LogWriter, "leave_segment", leave_segment_unsynced), "power cuts"
    ),
    "segments go before what settled them is safe": Bug(
        replacing(Commit, "execute", remove_before_syncing), "tidying"
    ),
    "a segment goes that is needed": Bug(
        replacing(Journal, "drop_dead_segments", drop_a_segment_too_many), "power cuts"
    ),
    "segments go without a checkpoint": Bug(
        replacing(Journal, "drop_dead_segments", drop_without_a_checkpoint), "power cuts"
    ),
    "a checkpoint without bindings": Bug(checkpoint_without_bindings, "power cuts"),
    "an atom is parted": Bug(part_atoms, "power cuts"),
    "half a run counts": Bug(replacing(SegmentReader, "_run", take_a_run_without_its_end), "power cuts"),
    "what was recovered is not synced": Bug(replacing(Recovered, "_settle_end", nothing), "power cuts"),
    "not marked as redelivered": Bug(forget_that_it_was_delivered, "power cuts"),
    "positions used again": Bug(use_positions_again, "power cuts"),
    "an offset of a stream used again": Bug(count_on_from_what_is_left, "power cuts"),
    "what a stream lets go of is not written": Bug(replacing(Stream, "note_dropped", nothing), "power cuts"),
    "a settlement covers its neighbour": Bug(
        replacing(Queue, "note_settled", settle_the_neighbour_too), "power cuts"
    ),
    "settlements lost before a checkpoint": Bug(lose_settlements_of_old_segments, "power cuts"),
    "dead letters replayed twice": Bug(replay_dead_letters_twice, "power cuts"),
    "one of several queues forgotten": Bug(forget_one_of_several_queues, "power cuts"),
    "a queue rises from the dead": Bug(delete_without_a_record, "power cuts"),
    "settlements lost in compaction": Bug(move_what_is_settled_too, "tidying"),
    "a message of several queues moved for one": Bug(
        replacing(Compaction, "_gather", move_for_one_queue), "tidying"
    ),
    "a moved message gets a new position": Bug(move_to_a_new_position, "tidying"),
    "a message is moved to nowhere": Bug(replacing(Compaction, "_move", leave_without_a_copy), "tidying"),
    "a dead segment in the middle goes": Bug(
        replacing(Journal, "drop_dead_segments", drop_any_dead_segment), "tidying"
    ),
    "a failed sync is tried again": Bug(
        replacing(LogWriter, "sync", sync_again_after_a_failure), "failing calls"
    ),
    "writing on after a failure": Bug(replacing(Commit, "execute", go_on_after_a_failure), "failing calls"),
    "what did not fit is forgotten": Bug(forget_what_did_not_fit, "failing calls"),
    "a full disk is fatal": Bug(full_disk_is_fatal, "failing calls"),
    "a short write is taken for a whole one": Bug(
        replacing(OsDisk, "write", write_what_goes_in_one_call), "short writes"
    ),
    "reading stops at the first damage": Bug(stop_at_the_first_damage, "rot"),
    "every end is called torn": Bug(replacing(SegmentReader, "_resume_last", call_every_end_torn), "rot"),
    "damage is passed over in silence": Bug(replacing(Recovered, "_take_gaps", nothing), "rot"),
    "no checksum, and rot": Bug(replacing(reader, "is_whole", lambda header, body: True), "rot"),
    "frames count wherever they stand": Bug(take_any_lsn, "rot"),
}
