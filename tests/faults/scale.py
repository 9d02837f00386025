"""How much of the rig is run, and from which seed: the one place that reads the environment.

`MAMBAAMQP_FAULTS=full` runs all of it (`make faults`), anything else the part that belongs to every test run.
`MAMBAAMQP_FAULTS_SEED` moves every random choice; a failure says how to run its own again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import pytest

from mambaamqp.store import journal, records
from tests.support.disk import SECTOR_BYTES

FULL: Final = os.environ.get("MAMBAAMQP_FAULTS") == "full"
SEED: Final = int(os.environ.get("MAMBAAMQP_FAULTS_SEED", "1"))

Amount = TypeVar("Amount")


def scaled(fast: Amount, full: Amount) -> Amount:
    """The amount for this run."""
    return full if FULL else fast


def seeds(count: int) -> range:
    """So many seeds, others for each base seed."""
    return range(SEED * 1_000_000, SEED * 1_000_000 + count)


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Small stores: messages of a few hundred octets are chunked, as large ones are in earnest."""
    patch.setattr(records, "CHUNK_BYTES", 600)
    patch.setattr(records, "PIECE_BYTES_MAX", 900)
    patch.setattr(journal, "SPACE_BYTES", SECTOR_BYTES)


@contextmanager
def replay(file: str, case: object) -> Iterator[None]:
    """A failure inside names its case, and the command that repeats it."""
    try:
        yield
    except Exception as failure:
        scale = "MAMBAAMQP_FAULTS=full " if FULL else ""
        failure.add_note(f"case: {case}")
        failure.add_note(f"replay: {scale}MAMBAAMQP_FAULTS_SEED={SEED} make test TESTS=tests/faults/{file}")
        raise
