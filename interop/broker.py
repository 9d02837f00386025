"""A broker in a process of its own: started on a free port, stopped, killed, started again.

With INTEROP_AMQP_URL in the environment the tests talk to the broker there instead (a RabbitMQ, to see
that a scenario is right); what needs a restart is then skipped.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

START_SECONDS = 20.0
STOP_SECONDS = 20.0


@contextmanager
def full_disk(directory: Path) -> Iterator["BrokerProcess"]:
    """A broker that would like more free space than any disk has: publishers are blocked."""
    process = BrokerProcess(directory, limits_disk_free_bytes_min=str(2**60))
    if process.foreign:
        pytest.skip("a foreign broker's disk is not filled")
    yield process.start()
    process.stop()


class BrokerProcess:
    """`python -m mambaamqp serve` on a directory; the port stays the same over restarts.

    Settings are named after the section and the key of the configuration.
    """

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.settings = {f"MAMBAAMQP_{key.upper()}": value for key, value in settings.items()}
        self.host = "127.0.0.1"
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.foreign = os.environ.get("INTEROP_AMQP_URL")
        if self.foreign:
            parts = urlsplit(self.foreign)
            self.host, self.port = parts.hostname or self.host, parts.port or 5672

    @property
    def url(self) -> str:
        """amqp:// with guest and the virtual host /."""
        return f"amqp://guest:guest@{self.host}:{self.port}/"

    def start(self) -> "BrokerProcess":
        """Start and wait until it says that it is ready."""
        if self.foreign:
            return self
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mambaamqp",
                "serve",
                "--port",
                str(self.port),
                "--data-dir",
                self.directory,
            ],
            env=os.environ | self.settings,
            stdout=subprocess.PIPE,
            text=True,
        )
        watchdog = threading.Timer(START_SECONDS, self.process.kill)
        watchdog.start()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
            if line.startswith("ready"):
                watchdog.cancel()
                return self
        raise AssertionError(f"the broker did not start: exit code {self.process.wait()}")

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL; returns the exit code."""
        return self._end(signal.SIGKILL)

    def _end(self, number: int) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(number)
        try:
            return process.wait(STOP_SECONDS)
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()
