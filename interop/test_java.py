"""RabbitMQ's Java client; the scenarios are in java/."""

import subprocess
import threading

from interop import jvm
from interop.broker import BrokerProcess
from interop.conftest import own_broker_only

RECOVERY_SECONDS = 60.0


def test_scenarios(broker: BrokerProcess) -> None:
    """Every scenario of the Java client passes."""
    assert "FAILED" not in jvm.run("AmqpScenarios", broker.url.rstrip("/"))


def test_streams(broker: BrokerProcess) -> None:
    """Every scenario of streams passes, by the same client."""
    assert "FAILED" not in jvm.run("StreamScenarios", broker.url.rstrip("/"))


def test_the_client_recovers_from_a_restart(broker: BrokerProcess) -> None:
    """Connection, queue, exchange, binding and consumer are there again when the broker is."""
    own_broker_only(broker)
    command = jvm.command("Recovery", broker.url.rstrip("/"))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as client:
        watchdog = threading.Timer(RECOVERY_SECONDS, client.kill)
        watchdog.start()
        assert client.stdout is not None
        assert client.stdout.readline() == "connected\n"
        broker.stop()
        broker.start()
        assert client.stdout.read() == "recovered\n"
        assert client.wait() == 0
        watchdog.cancel()
