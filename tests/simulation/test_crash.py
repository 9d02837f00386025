"""Whole brokers that lose their power: what clients did and were told, against what the next start finds.

A failing seed names the command that runs it alone. MAMBAAMQP_SEEDS sets how many are run.
"""

import os

import pytest

from mambaamqp.store import records
from tests.support.lives import Simulation

SEEDS = range(int(os.environ.get("MAMBAAMQP_SEEDS", "300")))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_power_cut_finds_a_moment_that_was(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was promised is there, whole and in order; what was not is there whole or not at all."""
    monkeypatch.setattr(records, "CHUNK_BYTES", 600)
    monkeypatch.setattr(records, "PIECE_BYTES_MAX", 900)
    try:
        Simulation(seed).run()
    except Exception as failure:
        failure.add_note(f"replay: python -m pytest '{__file__}' -k 'moment_that_was and [{seed}]'")
        raise


def test_the_seeds_empty_segments_in_the_middle_of_all_that() -> None:
    """Or the seeds above would say nothing about it."""
    simulations = [Simulation(seed) for seed in range(40)]
    for simulation in simulations:
        simulation.run()
    assert sum(simulation.moved > 0 for simulation in simulations) > 5
