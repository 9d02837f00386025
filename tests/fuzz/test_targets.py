"""Each target with octets that are nearly right: valid ones, changed here and there, out of one seed.

MAMBAAMQP_FUZZ sets how many times as much is run as by default.
"""

import logging
import os
import random
from collections.abc import Iterator
from typing import Final

import pytest

from tests.fuzz.kept import corpus
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

TIMES: Final = int(os.environ.get("MAMBAAMQP_FUZZ", "1"))
RUNS: Final = {"table": 10_000, "method": 20_000, "properties": 10_000, "topic": 10_000, "body": 20_000}
RUNS_OF_OTHERS: Final = 2000
SPECIAL: Final = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xce", b"F", b"A", b"S", b"\xff\xff\xff\xff")
"""Ends of ranges, ends of frames, and what nests."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Everything here is refused, and the log would say so."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def changed(octets: bytes, rng: random.Random) -> bytes:
    """One change: an octet, a special one, a piece cut out, doubled, or moved."""
    at, end = sorted((rng.randint(0, len(octets)), rng.randint(0, len(octets))))
    way = rng.randrange(6)
    if way == 0:
        return octets[:at] + rng.randbytes(1) + octets[at + 1 :]
    if way == 1:
        special = rng.choice(SPECIAL)
        return octets[:at] + special + octets[at + len(special) :]
    if way == 2:
        return octets[:at] + octets[end:]
    if way == 3:
        return octets[:end] + octets[at:]
    if way == 4:
        return octets[:at] + rng.randbytes(rng.randint(1, 4)) + octets[at:]
    return octets[:end]


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_is_taken_or_refused(name: str) -> None:
    """Nothing but our own errors; readers of the same octets agree; a failure shows its octets."""
    rng = random.Random(name)
    for _ in range(RUNS.get(name, RUNS_OF_OTHERS) * TIMES):
        octets = rng.choice(SEEDS[name])
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            octets = changed(octets, rng)
        try:
            TARGETS[name](octets)
        except Exception as failure:
            failure.add_note(f"octets: {octets!r}")
            raise


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_right_is_taken(name: str) -> None:
    """Or the changes above would say little."""
    for octets in SEEDS[name]:
        TARGETS[name](octets)


@pytest.mark.parametrize("name", TARGETS)
def test_what_the_guided_search_found_before(name: str) -> None:
    """Every way through the code that the corpus knows is gone again."""
    for octets in corpus(name):
        TARGETS[name](octets)
