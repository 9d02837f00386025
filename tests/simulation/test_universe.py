"""The whole broker on a virtual clock, disk and network: two thousand histories, each out of one number.

A failing seed names the command that plays it alone. MAMBAAMQP_SEEDS sets how many are run.
"""

import hashlib
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.replay import play

SEEDS = int(os.environ.get("MAMBAAMQP_SEEDS", "2000"))
BATCH = 100
ROOT = Path(__file__).parent.parent.parent
FINGERPRINT = "from tests.simulation.test_universe import fingerprint; print(fingerprint())"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The log of so many lives costs more than the lives; `replay` plays one with it."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_what_clients_saw_is_possible(first: int) -> None:
    """Nothing confirmed is lost, invented, doubled, unmarked or out of order, whatever fails meanwhile."""
    for seed in range(first, min(first + BATCH, SEEDS)):
        play(seed)


def test_everything_happens() -> None:
    """The dice find what the history is about; a run in which nothing comes back proves nothing."""
    seen: Counter[str] = Counter()
    for seed in range(60):
        seen.update(play(seed).history.counts)
    expected = ("confirmed", "nacked", "returned", "received", "redelivered", "ack", "reject", "requeue")
    deaths = ("_crashed", "_cut_within", "_kill", "_stop", "_rot")
    room = ("segments let go", "moved", "slept", "woken")
    for what in (
        *expected,
        *deaths,
        "committed",
        "rolled back",
        "safely gone",
        "frozen",
        "broken",
        "shown",
        *room,
    ):
        assert seen[what] >= 4, seen


def fingerprint() -> str:
    """What a few seeds were, to the last octet of their disks."""
    digest = hashlib.sha256()
    for seed in range(5):
        universe = play(seed)
        digest.update(repr((universe.trace, universe.history.counts, universe.clock.now)).encode())
        machine = universe.machine
        assert machine is not None
        for path in sorted(machine.disk.files):
            digest.update(machine.disk.files[path].data)
    return digest.hexdigest()


def test_a_seed_is_the_same_in_another_process() -> None:
    """Whatever the order of sets of texts is there."""
    found = {
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
