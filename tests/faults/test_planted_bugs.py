"""The rig is worth what it finds: bugs on purpose (see `planted`), each caught on every run.

That none of the checks complains without a bug is what the other tests of this directory say.
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mambaamqp.store import disk as disk_module
from mambaamqp.store.disk import OsDisk
from mambaamqp.store.recovery import open_store
from tests.faults.bodies import Rotten
from tests.faults.enumeration import Enumeration
from tests.faults.failing import FailingLife, faults
from tests.faults.planted import BUGS
from tests.faults.rot import copy_oldest, damage, make_store
from tests.faults.scale import SEED, scaled
from tests.store.conftest import fact, numbers_of
from tests.support.violation import Violation

RUNS = scaled(1, 10)
"""Runs of the rig, each with its own seeds, on each of which every bug must be caught."""
LIVES_MAX = 60
"""A bug that needs more lives than this to show is one that slips through."""
CALLS = 60
REGIONS_PER_STORE = 60
BROKERS = 5


def power_cuts(seed: int, _: Path) -> None:
    Enumeration(seed, lives=3, steps=120, spools=False).run()


def tidying(seed: int, _: Path) -> None:
    """Power cuts of a broker that empties and drops segments most of the time."""
    Enumeration(seed, lives=3, steps=250, tidiness=4, spools=False).run()


def failing_calls(seed: int, _: Path) -> None:
    for fault in faults(CALLS, False, random.Random(seed), 1):
        FailingLife(seed, fault).run()


def rot(seed: int, _: Path) -> None:
    rng = random.Random(seed)
    store = make_store(seed)
    copy_oldest(store)
    for region in rng.choices(store.regions, k=REGIONS_PER_STORE):
        damage(store, region, rng)


def large_bodies(seed: int, _: Path) -> None:
    for number in range(BROKERS):
        Rotten(seed + number).run()


def short_writes(seed: int, directory: Path) -> None:
    """The system takes a few octets of each write, on a real disk."""
    rng, honest, disk = random.Random(seed), disk_module._pwrite, OsDisk()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk_module, "_pwrite", lambda fd, data, at: honest(fd, data[: rng.randint(1, 40)], at))
        store = open_store(str(directory), disk)
        numbers = len(numbers_of(list(store.records())))
        journal = store.journal(segment_bytes=1 << 16)
        journal.append(fact(numbers, 100))
        commit = journal.seal()
        assert commit is not None
        commit.execute(disk)
        store.close()
    again = open_store(str(directory), disk)
    found = numbers_of(list(again.records()))
    again.close()
    if found != list(range(numbers + 1)):
        raise Violation("I1", f"found {found} after {numbers + 1} records")


CHECKS: dict[str, Callable[[int, Path], None]] = {
    "power cuts": power_cuts,
    "tidying": tidying,
    "failing calls": failing_calls,
    "rot": rot,
    "short writes": short_writes,
    "large bodies": large_bodies,
}


@pytest.mark.parametrize("run", range(SEED, SEED + RUNS))
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(
    name: str, run: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the check that is there for it, within a bounded number of lives."""
    bug = BUGS[name]
    bug.plant(monkeypatch)
    with pytest.raises(AssertionError):
        for seed in range(run * 1_000_000, run * 1_000_000 + LIVES_MAX):
            CHECKS[bug.check](seed, tmp_path)


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_caught_where_nothing_is_planted(check: str, tmp_path: Path) -> None:
    """The same check, with the same seeds, on the broker as it is."""
    CHECKS[check](SEED * 1_000_000, tmp_path)
