"""Every call to the disk fails in turn, in every way: see `failing`."""

import random

import pytest

from tests.faults.failing import NO_FAULT, FailingLife, faults
from tests.faults.scale import replay, scaled, seeds

LIVES = scaled(2, 5)
KINDS_PER_CALL = scaled(1, 16)


@pytest.mark.parametrize("reads", [False, True], ids=["writes", "writes and reads"])
@pytest.mark.parametrize("seed", seeds(LIVES))
def test_whatever_call_fails_no_promise_is_broken(seed: int, reads: bool) -> None:
    """I13, I14, and I0 after the next start, for each call, errno, once and for ever, short or not at all."""
    whole = FailingLife(seed, NO_FAULT._replace(reads=reads))
    whole.run()
    assert not whole.stopped
    tried = stopped = 0
    for fault in faults(whole.calls, reads, random.Random(seed), KINDS_PER_CALL):
        with replay("test_io_errors.py", f"seed {seed}, {fault}"):
            life = FailingLife(seed, fault)
            life.run()
        tried += bool(life.disk.failed)
        stopped += life.stopped
    assert tried > 30
    assert 0 < stopped < tried
