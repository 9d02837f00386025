"""The brokers that are compared: how each is started on 127.0.0.1, found ready, and ended by its pid."""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 90
STOP_SECONDS = 30
RABBITMQ_SCRIPTS = "/usr/lib/rabbitmq/lib"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _await_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"the broker ended at once with code {process.returncode}")
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"nobody listens on {port} after {READY_SECONDS} s")


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Mambaamqp:
    """This broker, by the command that runs it."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.command = command
        self.version = subprocess.run(
            [*command, "--version"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
        self.port = 0
        self.pid = 0

    def start(self, directory: Path) -> None:
        """With an empty store in `directory`."""
        self.port = free_port()
        flags = ["serve", "--port", str(self.port), "--data-dir", str(directory / "data")]
        with (directory / "log").open("wb") as log:
            self.process = subprocess.Popen([*self.command, *flags], cwd=ROOT, stdout=log, stderr=log)
        _await_port(self.port, self.process)
        self.pid = self.process.pid

    def stop(self) -> None:
        """SIGTERM, and kill if that does not help."""
        _end(self.process)


class RabbitMQ:
    """A RabbitMQ of its own: node name, ports, directories and port mapper are nobody else's."""

    def __init__(self, script: Path, plugins: tuple[str, ...] = ()) -> None:
        self.name = "RabbitMQ"
        self.script = script
        self.plugins = plugins
        self.environment: dict[str, str] = {}
        found = re.search(r"rabbitmq_server-([\d.]+)", str(script))
        self.version = f"RabbitMQ {found.group(1) if found else 'of unknown version'}"
        self.port = 0
        self.pid = 0

    def start(self, directory: Path) -> None:
        """With empty directories below `directory`."""
        self.port, mapper_port = free_port(), free_port()
        self.environment = self._environment(directory, mapper_port)
        with (directory / "log").open("wb") as log:
            mapper = ["epmd", "-port", str(mapper_port), "-address", "127.0.0.1"]
            self.mapper = subprocess.Popen(mapper, stdout=log, stderr=log)
            self.process = subprocess.Popen([str(self.script)], env=self.environment, stdout=log, stderr=log)
        try:
            _await_port(self.port, self.process)
            self.pid = int((directory / "pid").read_text())
        except BaseException:
            self.stop()
            raise

    def _environment(self, directory: Path, mapper_port: int) -> dict[str, str]:
        (directory / "plugins").write_text(f"[{','.join(self.plugins)}].\n")
        (directory / "rabbitmq.conf").write_text("log.console = false\n")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "ERL_EPMD_PORT": str(mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"bench{os.getpid()}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory / "logs"),
            "RABBITMQ_PID_FILE": str(directory / "pid"),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        }

    def ctl(self, *arguments: str) -> str:
        """rabbitmqctl with these arguments; what it printed."""
        command = [str(self.script.with_name("rabbitmqctl")), "-q", *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=READY_SECONDS
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return done.stdout

    def stop(self) -> None:
        """The virtual machine ends on SIGTERM, then its script by itself, then the port mapper."""
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.kill(self.pid, signal.SIGKILL)
        _end(self.process)
        _end(self.mapper)


def find_rabbitmq() -> Path | None:
    """The script of Debian's package, which does not change the user."""
    found = sorted(Path(RABBITMQ_SCRIPTS).glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return found[-1] if found else None


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
