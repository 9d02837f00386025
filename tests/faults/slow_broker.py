"""mambaamqp with a disk whose syncs wait at a gate: `python -m tests.faults.slow_broker serve ...`.

MAMBAAMQP_TEST_GATE names a FIFO. While a file of that name with ".closed" stands beside it, each sync waits
until somebody has opened the FIFO for writing and closed it again.
"""

import os
import sys

from mambaamqp.cli import main
from mambaamqp.server import run
from mambaamqp.store.disk import File, OsDisk

GATE = "MAMBAAMQP_TEST_GATE"


class GatedDisk(OsDisk):
    """The operating system, on a slow day."""

    def sync(self, file: File) -> None:
        gate = os.environ[GATE]
        if os.path.exists(f"{gate}.closed"):
            with open(gate, encoding="utf-8") as fifo:
                fifo.read()
        super().sync(file)


if __name__ == "__main__":
    run.OsDisk = GatedDisk  # type: ignore[misc]
    sys.exit(main())
