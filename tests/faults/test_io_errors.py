"""Every call to the disk fails in turn, in every way: see `failing`."""

import errno
import random

import pytest

from tests.faults.failing import FailingLife, Fault
from tests.faults.scale import FULL, replay, scaled, seeds

CODES = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)
NEVER = 1 << 30
LIVES = scaled(2, 5)


def faults(calls: int, reads: bool, rng: random.Random) -> list[Fault]:
    """Each call with every kind of failure, or, in a fast run, with one of them."""
    found = []
    for at in range(1, calls + 1):
        kinds = [
            Fault(at, code, for_ever, short, reads)
            for code in CODES
            for for_ever in (False, True)
            for short in (False, True)
        ]
        found += kinds if FULL else rng.sample(kinds, 1)
    return found


@pytest.mark.parametrize("reads", [False, True], ids=["writes", "writes and reads"])
@pytest.mark.parametrize("seed", seeds(LIVES))
def test_whatever_call_fails_no_promise_is_broken(seed: int, reads: bool) -> None:
    """I13, I14, and I0 after the next start, for each call, errno, once and for ever, short or not at all."""
    whole = FailingLife(seed, Fault(NEVER, errno.EIO, False, False, reads))
    whole.run()
    assert not whole.stopped
    tried = stopped = 0
    for fault in faults(whole.calls, reads, random.Random(seed)):
        with replay("test_io_errors.py", f"seed {seed}, {fault}"):
            life = FailingLife(seed, fault)
            life.run()
        tried += life.disk.failures > 0
        stopped += life.stopped
    assert tried > 30
    assert 0 < stopped < tried
