"""lapin, the Rust client; the scenarios are in rust/."""

import functools
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest

from interop.broker import BrokerProcess, full_disk
from interop.conftest import need, own_broker_only

RUST = Path(__file__).parent / "rust"
RUST_SECONDS = 300
"""The client is downloaded and compiled too."""
RECOVERY_SECONDS = 60.0


@functools.cache
def cargo() -> str:
    """The path of cargo, when its compiler is as new as the client wants it."""
    path = need("cargo")
    found = subprocess.run([need("rustc"), "--version"], capture_output=True, text=True, check=True).stdout
    wanted = re.search(r'rust-version = "(\d+)\.(\d+)"', (RUST / "Cargo.toml").read_text())
    have = re.search(r"(\d+)\.(\d+)", found)
    assert wanted and have
    if tuple(map(int, have.groups())) < tuple(map(int, wanted.groups())):
        pytest.skip(f"lapin needs Rust {'.'.join(wanted.groups())}, and here is {found.strip()}")
    return path


def run(*arguments: str, **environment: str) -> str:
    """cargo with these arguments; what it printed. Fails with that if it does not end with 0."""
    done = subprocess.run(
        [cargo(), *arguments],
        cwd=RUST,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=RUST_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def scenarios() -> int:
    """How many there are in the sources, those with a broker of their own too."""
    return sum(source.read_text().count("#[tokio::test]") for source in RUST.glob("tests/*/*.rs"))


def test_scenarios(broker: BrokerProcess) -> None:
    """Every scenario of the Rust client passes; the one left out is the one below."""
    output = run("test", "--locked", AMQP_URL=broker.url.rstrip("/"))
    assert f"{scenarios() - 1} passed; 0 failed; 1 ignored" in output


def test_a_publisher_is_told_that_it_is_blocked(tmp_path: Path) -> None:
    """connection.blocked, by a broker whose disk is too full."""
    with full_disk(tmp_path) as full:
        output = run("test", "--locked", "--", "--ignored", AMQP_URL_FULL=full.url.rstrip("/"))
    assert "1 passed; 0 failed" in output


def test_the_client_recovers_when_the_broker_was_killed(broker: BrokerProcess) -> None:
    """Connection, queue, exchange, binding and consumer are there again when the broker is."""
    own_broker_only(broker)
    run("build", "--locked")
    with subprocess.Popen(
        RUST / "target" / "debug" / "recovery",
        env=os.environ | {"AMQP_URL": broker.url.rstrip("/")},
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        watchdog = threading.Timer(RECOVERY_SECONDS, client.kill)
        watchdog.start()
        assert client.stdout is not None
        assert client.stdout.readline() == "connected\n"
        broker.kill()
        broker.start()
        assert client.stdout.read() == "recovered\n"
        assert client.wait() == 0
        watchdog.cancel()
