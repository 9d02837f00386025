"""amqplib on Node; the scenarios are in node/amqplib.test.js."""

import os
import subprocess
from pathlib import Path

from interop.broker import BrokerProcess
from interop.conftest import need

NODE = Path(__file__).parent / "node"


def test_amqplib(broker: BrokerProcess) -> None:
    """Every scenario of the Node client passes."""
    node, npm = need("node"), need("npm")
    if not (NODE / "node_modules" / "amqplib").is_dir():
        subprocess.run([npm, "install", "--no-audit", "--no-fund"], cwd=NODE, check=True, timeout=180)
    done = subprocess.run(
        [node, "--test"],
        cwd=NODE,
        env=dict(os.environ, AMQP_URL=broker.url),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
