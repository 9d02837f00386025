"""Every crash of a small store, enumerated: a power cut at any moment, in every legal outcome.

A seeded workload appends facts and atoms, commits, settles, checkpoints and lets segments go. Before each
change reaches stable storage the machine is stopped, and every disk that may then be left is recovered. The
invariants: what is found is a run of what was appended without a hole, holds everything that was reported
durable and is still needed, invents nothing, parts no atom, and a second start finds the same.
"""

import random

import pytest

from mambaamqp.store import records, writer
from tests.store.conftest import Store, fact
from tests.support.disk import MemoryDisk

SEEDS = range(6)
STATES_PER_MOMENT = 60


class Workload:
    """A broker of numbers: appends, settles the oldest, and knows what must survive."""

    def __init__(self, seed: int, *, sync: bool = True) -> None:
        self.rng = random.Random(seed)
        self.disk = MemoryDisk()
        self.store = Store(self.disk, sync=sync)
        self.store.journal.frame_bytes_target = 300
        self.atoms: list[list[int]] = []
        """Everything appended, in order, in the groups that must stay together."""
        self.durable = 0
        """So many numbers have been reported durable."""
        self.needed: dict[int, object] = {}
        """Number of each message that is not settled, and the segment that holds it."""
        self.topology = 0
        self.topology_durable = 0
        self.next_number = 0

    def number(self) -> int:
        self.next_number += 1
        self._put(self.next_number - 1)
        return self.next_number - 1

    def _put(self, number: int) -> None:
        segment = self.store.journal.next_segment()
        self.store.journal.append(fact(number, self.rng.choice((0, 0, 10, 200, 700))))
        assert self.store.journal.segment is segment
        segment.live += 1
        self.needed[number] = segment

    def step(self) -> None:
        """One turn: some facts, sometimes an atom, some settlements, housekeeping, a commit."""
        journal = self.store.journal
        for _ in range(self.rng.randrange(4)):
            self.atoms.append([self.number()])
        if self.rng.random() < 0.4:
            journal.begin_atom()
            self.atoms.append([self.number() for _ in range(self.rng.randint(1, 6))])
            journal.end_atom()
        if self.rng.random() < 0.3:
            self.topology += 1
            journal.append(records.queue_declare(self.topology, "/", "q", False, b"", 1))
        if journal.wants_checkpoint():
            journal.begin_checkpoint()
            for queue_id in range(1, self.topology + 1):
                journal.append(records.queue_declare(queue_id, "/", "q", False, b"", 1))
            journal.end_checkpoint()
        journal.drop_dead_segments()
        appended, topology = self.next_number, self.topology
        self.store.commit()
        self.durable, self.topology_durable = appended, topology
        self._settle()

    def _settle(self) -> None:
        """The oldest go; what is forgotten from here on is allowed to be gone, not required to be."""
        for number in sorted(self.needed)[: self.rng.randrange(6)]:
            segment = self.needed.pop(number)
            segment.live -= 1  # type: ignore[attr-defined]

    def check(self, state: MemoryDisk) -> Store:
        """Recover a disk and hold what is found against what was said."""
        found = Store(state)
        numbers = found.numbers
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)) if numbers else []), "a hole"
        must = [number for number in self.needed if number < self.durable]
        assert set(must) <= set(numbers), "something durable is lost"
        assert not numbers or numbers[-1] < self.next_number, "something is invented"
        for atom in self.atoms:
            # Of an atom in a segment that went, nothing is needed; its end is never missing.
            if numbers and numbers[0] <= atom[0]:
                assert len(set(atom) & set(numbers)) in (0, len(atom)), "an atom is parted"
        queues = {r.queue_id for _, _, r in found.found if isinstance(r, records.QueueDeclare)}
        assert set(range(1, self.topology_durable + 1)) <= queues, "topology is lost"
        assert not [finding for finding in found.recovered.findings if not finding.torn], "no rot, only cuts"
        return found


def again(state: MemoryDisk, first: Store) -> None:
    """A start after a start finds the same, and the journal goes on without a seam."""
    second = Store(state.copy())
    assert second.numbers == first.numbers
    second.put(10_000)
    third = Store(second.disk.copy())
    assert third.numbers == [*first.numbers, 10_000]
    assert third.recovered.findings == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("run_bytes_max", [1, 500, writer.RUN_BYTES_MAX])
def test_every_power_cut_leaves_a_whole_prefix(
    seed: int, run_bytes_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each change, in each legal outcome, recovery keeps its promises, twice; in one write or in many."""
    monkeypatch.setattr(writer, "RUN_BYTES_MAX", run_bytes_max)
    work = Workload(seed)
    states = 0

    def stop_here(_: str) -> None:
        nonlocal states
        possible = list(work.disk.crash_states(work.rng))
        if len(possible) > STATES_PER_MOMENT:
            possible = work.rng.sample(possible, STATES_PER_MOMENT)
        for state in possible:
            first = work.check(state)
            if work.rng.random() < 0.1:
                again(state, first)
            states += 1

    work.disk.before = stop_here
    for _ in range(25):
        work.step()
    assert states > 500
    assert "remove" in dict(work.disk.log), "the workload lets segments go"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_power_cut_during_recovery_changes_nothing(seed: int) -> None:
    """Recovery itself is stopped at each of its changes; the next start finds what it would have found."""
    work = Workload(seed)
    for _ in range(12):
        work.step()
    crashed: list[MemoryDisk] = []
    work.disk.before = lambda _: crashed.append(work.disk.crash(work.rng))
    work.step()
    work.disk.before = None
    for disk in crashed:
        expected = Store(disk.copy()).numbers
        left: list[MemoryDisk] = []
        disk.before = lambda _, disk=disk, left=left: left.extend(list(disk.crash_states(work.rng))[:20])  # type: ignore[misc]
        store = Store(disk)
        store.commit()
        for state in left:
            assert Store(state).numbers == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_without_syncs_a_power_cut_still_leaves_a_prefix(seed: int) -> None:
    """sync = "never" may lose the end of the log, and nothing else."""
    work = Workload(seed, sync=False)

    def stop_here(_: str) -> None:
        possible = list(work.disk.crash_states(work.rng))
        for state in work.rng.sample(possible, min(len(possible), 20)):
            numbers = Store(state).numbers
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)) if numbers else [])

    work.disk.before = stop_here
    for _ in range(20):
        work.step()
