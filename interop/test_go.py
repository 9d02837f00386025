"""amqp091-go, the Go client; the scenarios are in go/."""

import os
import subprocess
from pathlib import Path

from interop.broker import BrokerProcess
from interop.conftest import need

GO = Path(__file__).parent / "go"
GO_SECONDS = 300
"""The client is downloaded and compiled too."""


def test_scenarios(broker: BrokerProcess) -> None:
    """Every test of the Go program passes, and none is skipped."""
    done = subprocess.run(
        [need("go"), "test", "-count=1", "-v", "./..."],
        cwd=GO,
        env=os.environ | {"AMQP_URL": broker.url},
        capture_output=True,
        text=True,
        timeout=GO_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert done.stdout.count("--- PASS") == (GO / "amqp091_test.go").read_text().count("\nfunc Test")
