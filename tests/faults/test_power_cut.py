"""Real power cuts under real clients: ext4 loses all that was not synced, the checker looks at the rest."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.history import History
from tests.faults.ordeal import Broker, Ordeal
from tests.faults.powercut import PoweredDisk, why_not
from tests.faults.scale import SEED, replay, scaled
from tests.support.process import BrokerProcess
from tests.support.violation import Violation

CUTS = scaled(3, 60)
IMAGE_BYTES = 256 << 20
UNSYNCED = {"MAMBAAMQP_STORE_SYNC": "never", "MAMBAAMQP_STORE_SEGMENT_BYTES": str(64 << 20)}
"""One segment: the end of a segment is synced whatever the setting."""

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


class Plug:
    """A broker on a disk with a plug that can be pulled."""

    def __init__(self, disk: PoweredDisk, **environment: str) -> None:
        self.disk = disk
        self.environment = {"MAMBAAMQP_STORE_SEGMENT_BYTES": str(1 << 20)} | environment

    @contextmanager
    def start(self) -> Iterator[BrokerProcess]:
        with BrokerProcess(self.disk.path / "data", **self.environment) as broker:
            yield broker

    def pull(self, broker: Broker, history: History) -> None:
        """What is seen from here on binds nobody: a sync that is under way may lie."""
        assert isinstance(broker, BrokerProcess)
        history.freeze()
        self.disk.cut()
        broker.kill()
        self.disk.restore()


def test_a_real_power_cut_breaks_no_promise(tmp_path: Path) -> None:
    """I1 to I10 over all cuts."""
    with PoweredDisk(tmp_path, IMAGE_BYTES) as disk, replay("test_power_cut.py", f"seed {SEED}"):
        plug = Plug(disk)
        history = Ordeal(SEED, plug.start, plug.pull).run(CUTS)
        assert disk.cuts == CUTS
    assert len(history.confirmed) >= CUTS


def test_a_power_cut_is_one(tmp_path: Path) -> None:
    """A broker that does not sync loses what it confirmed: otherwise the test above would prove nothing."""
    with PoweredDisk(tmp_path, IMAGE_BYTES) as disk:
        plug = Plug(disk, **UNSYNCED)
        with pytest.raises(Violation) as caught:
            Ordeal(SEED, plug.start, plug.pull).run(1)
        assert caught.value.invariant in ("I1", "I5", "I7")
