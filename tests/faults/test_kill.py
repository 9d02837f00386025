"""kill -9 again and again under real clients, and a checker over all that they saw."""

from pathlib import Path

import pytest

from tests.faults.history import History
from tests.faults.ordeal import Broker, Ordeal
from tests.faults.scale import SEED, replay, scaled
from tests.support.process import BrokerProcess

LIVES = scaled(3, 100)
SEGMENT_BYTES = str(1 << 20)
"""As small as they come: some begin and go in each life."""


@pytest.fixture(autouse=True)
def small_chunks() -> None:
    """The broker is another process; nothing is shrunk."""


def kill(broker: Broker, history: History) -> None:
    assert isinstance(broker, BrokerProcess)
    broker.kill()


def test_kill_9_breaks_no_promise(tmp_path: Path) -> None:
    """I1 to I10 over all lives, with publishers, transactions, consumers and pollers."""
    environment = {"MAMBAAMQP_STORE_SEGMENT_BYTES": SEGMENT_BYTES}
    with replay("test_kill.py", f"seed {SEED}"):
        ordeal = Ordeal(SEED, lambda: BrokerProcess(tmp_path / "data", **environment), kill)
        history = ordeal.run(LIVES)
    assert len(history.confirmed) >= LIVES
    assert history.settled
