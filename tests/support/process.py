"""A broker in a process of its own, on a free port, for tests that need the real thing."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar

import pika

READY_LINES_MAX = 50
STOP_SECONDS = 15
SAY_SECONDS = 60


class BrokerProcess:
    """`with BrokerProcess(directory) as broker:` starts it, and kills it at the end if it still runs."""

    module: ClassVar[str] = "mambaamqp"
    """What `python -m` runs."""

    def __init__(self, data_dir: Path, *flags: str, **environment: str) -> None:
        self.data_dir = data_dir
        self._environment = os.environ | environment
        self.port = 0
        self.banner: list[str] = []
        self._command = [
            *(sys.executable, "-m", self.module, "serve", "--data-dir", str(data_dir)),
            *("--port", "0", *flags),
        ]
        self._process: subprocess.Popen[str] | None = None
        self._errors: list[str] = []
        self._heard = threading.Condition()
        self._ended = False
        self._listener = threading.Thread(target=self._listen, daemon=True)
        """Reads the log while the broker runs: a full pipe would stop it in the middle of a line."""

    def __enter__(self) -> "BrokerProcess":
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._listener.start()
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.banner.append(line.rstrip("\n"))
            if line == "ready\n":
                break
        [listening] = [line for line in self.banner if line.startswith("listening: ")]
        self.port = int(re.split(r"[:\s]", listening)[-1])
        return self

    def __exit__(self, *_: object) -> None:
        process = self.process
        if process.poll() is None:
            process.kill()
        process.wait()
        self._listener.join(STOP_SECONDS)
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._heard:
                self._errors.append(line)
                self._heard.notify_all()
        with self._heard:
            self._ended = True
            self._heard.notify_all()

    def until_it_says(self, text: str) -> None:
        """Wait for a line of its log with this text, unless there was one already."""
        with self._heard:
            said = self._heard.wait_for(lambda: self._ended or self._said(text), SAY_SECONDS)
            assert said and self._said(text), f"the broker never said {text!r}"

    def _said(self, text: str) -> bool:
        return any(text in line for line in self._errors)

    @property
    def process(self) -> "subprocess.Popen[str]":
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(STOP_SECONDS)

    def errors(self) -> str:
        """What it wrote to standard error, once it has ended."""
        self.wait()
        self._listener.join(STOP_SECONDS)
        return "".join(self._errors)

    def connect(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(pika.ConnectionParameters(port=self.port, socket_timeout=10))


def run_to_failure(data_dir: Path, *flags: str) -> tuple[int, str]:
    """Exit code and standard error of a broker that cannot start."""
    command = [sys.executable, "-m", "mambaamqp", "serve", "--data-dir", str(data_dir), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=STOP_SECONDS)
    return done.returncode, done.stderr
