"""Every state that a power cut may leave, in thousands: see `enumeration`."""

import pytest

from mambaamqp.store import writer
from tests.faults.enumeration import Enumeration
from tests.faults.scale import replay, scaled, seeds

STATES = scaled(2600, 60_000)
"""Of each shape."""

IMAGES = scaled(16, 200)
"""Of each moment, at most: a large body in the journal has very many."""

SHAPES = {
    "one write a commit": (writer.RUN_BYTES_MAX, True),
    "writes of 500 octets": (500, True),
    "a write a frame": (1, True),
    "without syncs": (writer.RUN_BYTES_MAX, False),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_power_cut_finds_a_moment_that_was(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each legal outcome of a power cut at each disk operation, recovery keeps I0 to I11, twice."""
    run_bytes_max, sync = SHAPES[shape]
    monkeypatch.setattr(writer, "RUN_BYTES_MAX", run_bytes_max)
    states: set[bytes] = set()
    operations: set[str] = set()
    for seed in seeds(STATES):
        with replay("test_crash_states.py", f"{shape}, seed {seed}"):
            enumeration = Enumeration(seed, lives=3, steps=120, sync=sync, states_per_moment=IMAGES)
            enumeration.run()
        states.update(enumeration.states)
        operations.update(enumeration.operations)
        if len(states) >= STATES:
            break
    assert len(states) >= STATES
    assert operations >= {"create", "write", "sync", "sync_directory", "truncate", "remove"}
