"""The same power cuts for RabbitMQ and for us: `make faults-peers`, a table on standard output.

RabbitMQ runs by itself, on ports and directories of its own, with its data on the disk that loses its power;
it is left out where it is not installed. Each cut has a fresh disk, and everything is synced once the queues
are declared: what is put to the test is messages, not the first start. A broker that does not start again,
given two tries, has lost everything.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from tests.faults import actors
from tests.faults.history import History
from tests.faults.ordeal import Broker, Ordeal
from tests.faults.powercut import PoweredDisk, why_not
from tests.support.process import BrokerProcess
from tests.support.violation import Violation

IMAGE_BYTES = 1 << 30
PORT, DIST_PORT, EPMD_PORT = 5673, 25673, 43690
START_SECONDS = 90
LINES_KEPT = 12
DRAIN_SECONDS = 5.0
"""Without another message: a quorum queue may need a while after the start."""
SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
QUEUES = ("north", "south")


class DoesNotStart(Exception):
    """The broker was given its time."""


class Outcome(NamedTuple):
    """One cut: messages (each in each of its queues), and how the next start went."""

    promised: int
    lost: int
    started: bool
    violation: str


class Peer(Protocol):
    """A broker on a disk that can lose its power."""

    def start(self) -> "Iterator[Broker]": ...

    def end(self) -> None: ...


class Ours:
    """mambaamqp, from this source tree."""

    def __init__(self, disk: PoweredDisk, logs: Path) -> None:
        self.disk = disk
        self.broker: BrokerProcess | None = None

    @contextmanager
    def start(self) -> Iterator[BrokerProcess]:
        with BrokerProcess(self.disk.path / "data") as self.broker:
            yield self.broker

    def end(self) -> None:
        assert self.broker is not None
        self.broker.kill()


class Rabbit:
    """RabbitMQ as the system has it, in the foreground, in a process group of its own."""

    port = PORT

    def __init__(self, disk: PoweredDisk, logs: Path) -> None:
        self.logs = logs
        plugins = logs / "plugins"
        plugins.write_text("[].")
        self.environment = os.environ | {
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(PORT),
            "RABBITMQ_DIST_PORT": str(DIST_PORT),
            "RABBITMQ_NODENAME": "faults@localhost",
            "RABBITMQ_MNESIA_BASE": str(disk.path / "mnesia"),
            "RABBITMQ_LOG_BASE": str(logs),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_PID_FILE": str(logs / "pid"),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(EPMD_PORT),
            "HOME": str(logs),
        }
        self.process: subprocess.Popen[str] | None = None

    @contextmanager
    def start(self) -> Iterator["Rabbit"]:
        self.process = subprocess.Popen(
            [SERVER],
            cwd="/",
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        watchdog = threading.Timer(START_SECONDS, self.end)
        watchdog.start()
        try:
            assert self.process.stdout is not None
            said: list[str] = []
            for line in self.process.stdout:
                said.append(line)
                if "completed with" in line:
                    break
            else:
                raise DoesNotStart("".join(said[-LINES_KEPT:]))
            watchdog.cancel()
            yield self
        finally:
            watchdog.cancel()
            self.end()

    def end(self) -> None:
        """kill -9, all of it."""
        assert self.process is not None
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def forget(self) -> None:
        """Erlang's port mapper outlives its nodes."""
        subprocess.run(["epmd", "-kill"], env=self.environment, capture_output=True, check=False)


PEERS: dict[str, tuple[type[Ours] | type[Rabbit], dict[str, str | int] | None]] = {
    "mambaamqp": (Ours, None),
    "RabbitMQ, classic queues": (Rabbit, {"x-queue-type": "classic"}),
    "RabbitMQ, classic queues, version 2": (Rabbit, {"x-queue-type": "classic", "x-queue-version": 2}),
    "RabbitMQ, quorum queues": (Rabbit, {"x-queue-type": "quorum"}),
}


def cast(history: History, port: int, seed: int, queues: tuple[str, ...]) -> list[actors.Actor]:
    """What all these brokers can do: no transactions, which quorum queues do not know."""
    kinds = [(actors.Publisher, "publisher"), (actors.Publisher, "press"), (actors.Consumer, "consumer")]
    return [kind(history, port, name, seed, queues) for kind, name in kinds]


def cut_once(name: str, seed: int, confirmed: int) -> Outcome:
    """One life with clients, one cut, one start."""
    kind, arguments = PEERS[name]
    with tempfile.TemporaryDirectory() as directory:
        logs = Path(directory) / "logs"
        logs.mkdir()
        with PoweredDisk(Path(directory), IMAGE_BYTES) as disk:
            peer = kind(disk, logs)

            def pull(_: Broker, history: History) -> None:
                history.freeze()
                disk.cut()
                peer.end()
                disk.restore()

            ordeal = Ordeal(
                seed,
                peer.start,
                pull,
                confirmed_per_life=confirmed,
                queues=QUEUES,
                arguments=arguments,
                cast=cast,
                settle=os.sync,
            )
            # A quorum queue keeps transient messages too, as it should.
            ordeal.history.keeps_transient = (arguments or {}).get("x-queue-type") == "quorum"
            try:
                ordeal.live()
                return judge(ordeal)
            finally:
                peer.end()
                if isinstance(peer, Rabbit):
                    peer.forget()


def judge(ordeal: Ordeal) -> Outcome:
    """What the next start has left of what was promised."""
    history = ordeal.history
    promised = sum(
        len(history.sent[name].queues) for name in history.confirmed if history.sent[name].persistent
    )
    history.begin_life()
    try:
        with ordeal.start() as broker:
            drained = actors.drain(broker.port, history, ordeal.queues, DRAIN_SECONDS)
    except (DoesNotStart, Violation) as failure:
        nothing = {queue: [] for queue in ordeal.queues}
        sys.stderr.write(f"{failure}\n")
        return Outcome(promised, history.count_lost(nothing), False, "does not start")
    except actors.GONE as failure:
        # It runs and does not hand its messages out: what it has lost cannot be said.
        return Outcome(promised, 0, True, f"not drained ({type(failure).__name__})")
    lost = history.count_lost(drained)
    try:
        history.check(drained)
    except Violation as violation:
        return Outcome(promised, lost, True, violation.invariant)
    return Outcome(promised, lost, True, "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--confirmed", type=int, default=5000, help="publishes before a cut, about")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if reason := why_not():
        print(f"skipped: {reason}")
        return 0
    names = [name for name in PEERS if PEERS[name][0] is Ours or Path(SERVER).exists()]
    print(f"seed {options.seed}, {options.cuts} cuts each, ext4 shut down under load")
    print("| broker | cuts | started again | promised | lost | promises broken |")
    print("|---|---|---|---|---|---|")
    for name in names:
        found = [cut_once(name, options.seed + cut, options.confirmed) for cut in range(options.cuts)]
        print(row(name, found), flush=True)
    return 0


def row(name: str, found: list[Outcome]) -> str:
    """A line of the table."""
    promised, lost = sum(one.promised for one in found), sum(one.lost for one in found)
    broken = " ".join(sorted({one.violation for one in found if one.violation})) or "none"
    started = sum(one.started for one in found)
    share = 100 * lost / max(promised, 1)
    return f"| {name} | {len(found)} | {started} | {promised:,} | {lost:,} ({share:.1f} %) | {broken} |"


if __name__ == "__main__":
    sys.exit(main())
