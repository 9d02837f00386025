"""rabbitmq-c; the scenarios are in c/."""

import functools
import subprocess
from pathlib import Path

from interop.broker import BrokerProcess, full_disk
from interop.conftest import need, need_header

C = Path(__file__).parent / "c"
SECONDS = 120


@functools.cache
def program() -> Path:
    """The scenarios, compiled."""
    compiler = need("cc")
    need_header(compiler, "amqp_tcp_socket.h", "librabbitmq-dev")
    target = C / "target"
    target.mkdir(exist_ok=True)
    built = target / "scenarios"
    sources = sorted(C.glob("*.c"))
    command = [compiler, "-std=gnu11", "-Wall", "-Wextra", "-o", built, *sources, "-lrabbitmq"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-4000:]
    return built


def run(*arguments: str) -> str:
    """Run it to its end; what it printed. Fails with that if it does not end with 0."""
    done = subprocess.run([program(), *arguments], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_scenarios(broker: BrokerProcess) -> None:
    """Every scenario of the C client passes: all of the table at the end of the program."""
    table = (C / "scenarios.c").read_text().partition("} scenarios[] = {")[2]
    assert run(str(broker.port)).count("ok ") == table.partition("};")[0].count("{")


def test_a_publisher_is_told_that_it_is_blocked(tmp_path: Path) -> None:
    """connection.blocked, by a broker whose disk is too full."""
    with full_disk(tmp_path) as full:
        assert run(str(full.port), "blocked").startswith("ok ")
