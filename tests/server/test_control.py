"""mambaamqp/server/control.py: the socket of a real broker, and the command line at its other end."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
import trio
import trio.testing
from pika.exceptions import AMQPConnectionError, ConnectionClosedByBroker

from mambaamqp.control.requests import REQUEST_BYTES_MAX, Reply
from mambaamqp.ctl.client import ControlClient, ControlError
from mambaamqp.server import control
from mambaamqp.server.control import CONNECTIONS_MAX, IDLE_SECONDS, SEND_SECONDS, ControlServer
from mambaamqp.server.listeners import ListenError
from tests.support.process import BrokerProcess, run_to_failure

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix-domain sockets here")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path / "data") as broker:
        yield broker


def ctl(broker: BrokerProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mambaamqp", "ctl", "--data-dir", str(broker.data_dir), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def door(broker: BrokerProcess) -> Path:
    return broker.data_dir / "control.sock"


# A whole broker


def test_the_socket_is_for_its_owner_only(broker: BrokerProcess) -> None:
    """Mode 0600 in a directory of mode 0700; it goes with the broker."""
    assert stat.S_IMODE(door(broker).stat().st_mode) == 0o600
    assert stat.S_IMODE(broker.data_dir.stat().st_mode) == 0o700
    assert broker.terminate() == 0
    assert not door(broker).exists()


def test_what_a_dead_broker_left_is_replaced(tmp_path: Path) -> None:
    """kill -9 leaves the file behind."""
    with BrokerProcess(tmp_path) as broker:
        broker.kill()
        assert door(broker).exists()
    with BrokerProcess(tmp_path) as broker, ControlClient(door(broker)) as client:
        assert client.ask("status")["pid"] == broker.process.pid


def test_a_live_one_is_left_alone(broker: BrokerProcess, tmp_path: Path) -> None:
    """A second broker on the same socket does not start, and says why in one line."""
    environment = {"MAMBAAMQP_CONTROL_SOCKET": str(door(broker))}
    os.environ.update(environment)
    try:
        code, errors = run_to_failure(tmp_path / "other", "--port", "0")
    finally:
        del os.environ["MAMBAAMQP_CONTROL_SOCKET"]
    assert code == 1
    assert errors.splitlines()[-1].endswith("control.sock: a broker answers there")
    with ControlClient(door(broker)) as client:
        assert client.ask("status")["pid"] == broker.process.pid


def test_a_long_path_will_do(tmp_path: Path) -> None:
    """Longer than an address of a socket may be."""
    with BrokerProcess(tmp_path / ("x" * 150)) as broker, ControlClient(door(broker)) as client:
        assert client.ask("status")["pid"] == broker.process.pid


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    """And the command line says so."""
    with BrokerProcess(tmp_path, MAMBAAMQP_CONTROL_SOCKET="off") as broker:
        assert not door(broker).exists()
        done = ctl(broker, "status")
        assert (done.returncode, done.stderr.count("\n")) == (3, 1)


def test_changes_are_in_force_at_once_and_last(tmp_path: Path) -> None:
    """A user is added, works, is deleted: its connection ends within a second. After kill -9 it is gone."""
    with BrokerProcess(tmp_path) as broker:
        assert (
            ctl(broker, "user", "add", "kim", "--password", "secret", "--tag", "monitoring").returncode == 0
        )
        assert ctl(broker, "user", "add", "lee", "--password", "secret").returncode == 0
        assert ctl(broker, "permissions", "set", "kim", ".*", ".*", ".*").returncode == 0
        credentials = pika.PlainCredentials("kim", "secret")
        parameters = pika.ConnectionParameters(port=broker.port, credentials=credentials)
        connection = pika.BlockingConnection(parameters)
        with ControlClient(door(broker)) as client:
            client.ask("user delete", name="kim")
            started = time.monotonic()
            with pytest.raises(ConnectionClosedByBroker) as closed:
                connection.process_data_events(time_limit=10)
        assert time.monotonic() - started < 1
        assert (closed.value.reply_code, "is deleted" in closed.value.reply_text) == (320, True)
        broker.kill()
    with BrokerProcess(tmp_path, MAMBAAMQP_PROTOCOL_LOGIN_FAILURE_DELAY_SECONDS="0") as broker:
        parameters = pika.ConnectionParameters(port=broker.port, credentials=credentials)
        with pytest.raises(AMQPConnectionError):
            pika.BlockingConnection(parameters)
        listed = ctl(broker, "list", "users", "user", "--json").stdout.splitlines()
        assert [json.loads(line)["user"] for line in listed] == ["guest", "lee"]


def test_a_paused_queue_by_the_command_line(broker: BrokerProcess) -> None:
    """Listed as paused, and empty for who asks; resumed it is not."""
    with broker.connect() as connection:
        channel = connection.channel()
        channel.queue_declare("q", durable=True)
        channel.basic_publish("", "q", b"m")
        assert ctl(broker, "queue", "pause", "q").returncode == 0
        assert channel.basic_get("q", auto_ack=True)[0] is None
        assert "paused" in ctl(broker, "list", "queues", "name", "state").stdout
        assert ctl(broker, "queue", "resume", "q").returncode == 0
        assert channel.basic_get("q", auto_ack=True)[2] == b"m"


def test_marks_of_alarms_are_set_at_run_time(broker: BrokerProcess) -> None:
    """The alarm is there when the command returns, and over when it is taken back."""
    assert ctl(broker, "alarm", "memory", "0.000000001").returncode == 0
    assert json.loads(ctl(broker, "--json", "status").stdout)["alarms"] == ["memory"]
    ctl(broker, "alarm", "memory", "default")
    ctl(broker, "alarm", "disk", "8000000GB")
    assert json.loads(ctl(broker, "--json", "status").stdout)["alarms"] == ["disk"]
    ctl(broker, "alarm", "disk", "default")
    assert json.loads(ctl(broker, "--json", "status").stdout)["alarms"] == []


def test_definitions_are_read_again(tmp_path: Path) -> None:
    """By `ctl reload` and by SIGHUP; a broken file changes nothing, and nobody is thrown out."""
    file = tmp_path / "definitions.json"

    def write(*names: str) -> None:
        queues = [{"name": name, "vhost": "/", "durable": True} for name in names]
        file.write_text(json.dumps({"queues": queues}))

    write("a")
    with BrokerProcess(tmp_path / "data", MAMBAAMQP_DEFINITIONS_FILE=str(file)) as broker:
        with broker.connect() as connection:
            write("a", "b")
            assert ctl(broker, "reload").returncode == 0
            assert connection.channel().queue_declare("b", passive=True)
            write("c")
            broker.process.send_signal(signal.SIGHUP)
            broker.until_it_says("have been read again")
            assert connection.channel().queue_declare("c", passive=True)
            file.write_text("{")
            broker.process.send_signal(signal.SIGHUP)
            broker.until_it_says("definitions are as they were")
            assert ctl(broker, "reload").returncode == 2
        assert broker.terminate() == 0


def test_an_offline_import_names_the_command_for_a_running_broker(broker: BrokerProcess) -> None:
    """The store is in use; who wants it now has another way."""
    file = broker.data_dir / "definitions.json"
    file.write_text("{}")
    command = [sys.executable, "-m", "mambaamqp", "definitions", "import", "--data-dir", str(broker.data_dir)]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "mambaamqp ctl definitions import" in done.stderr
    assert ctl(broker, "definitions", "import", str(file)).returncode == 0


# The socket alone


def test_something_else_in_its_place_is_left_there(tmp_path: Path) -> None:
    """A file that is no socket may be somebody's."""
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(ListenError, match="something else"):
        control.listen(path)
    assert path.read_text() == "mine"
    with pytest.raises(ListenError, match="no such file"):
        control.listen(tmp_path / "absent" / "control.sock")


class FakeDesk:
    """Answers with what it was asked, or with more than anybody takes."""

    def answer(self, line: bytes, now: float) -> Reply:
        if line == b"endless":
            return Reply({"n": "x" * 1000} for _ in range(100_000_000))
        if line == b"bug":
            return Reply({"n": 1 // 0} for _ in range(1))
        return Reply(done={"asked": line.decode(errors="replace")})


class FakeNode:
    """Time as trio has it; everything is durable, unless the store has failed."""

    sound = True

    def now(self) -> float:
        return trio.current_time()

    def finish(self, now: float) -> None:
        pass

    async def wait_until_durable(self, position: int) -> bool:
        return self.sound


class Rig:
    """A server over fakes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.node = FakeNode()
        found = control.listen(path)
        assert found is not None
        self.listener = found
        self.server = ControlServer(FakeDesk(), self.node)  # type: ignore[arg-type]

    async def connect(self) -> trio.SocketStream:
        return await trio.open_unix_socket(str(self.path))

    async def ask(self, line: bytes) -> Any:
        async with await self.connect() as stream:
            return await reply(stream, line)


async def reply(stream: trio.SocketStream, line: bytes) -> Any:
    """The last line of what comes back."""
    await stream.send_all(line + b"\n")
    data = b""
    while not data.endswith(b"\n"):
        piece = await stream.receive_some(65_536)
        if not piece:
            return None
        data += piece
    return json.loads(data.splitlines()[-1])


@pytest.fixture
async def rig(tmp_path: Path, nursery: trio.Nursery) -> Any:
    made = Rig(tmp_path / "control.sock")
    nursery.start_soon(made.server.run, made.listener)
    yield made
    control.close(made.listener, made.path)


async def test_requests_of_one_connection_are_answered_in_order(rig: Rig) -> None:
    """One after the other, in whatever pieces they come."""
    stream = await rig.connect()
    await stream.send_all(b"a\nb")
    await trio.testing.wait_all_tasks_blocked()
    await stream.send_all(b"c\nd\n")
    data = b""
    while data.count(b"\n") < 3:
        data += await stream.receive_some(65_536)
    assert [json.loads(line)["done"]["asked"] for line in data.splitlines()] == ["a", "bc", "d"]


async def test_a_request_beyond_the_bound_ends_its_connection(rig: Rig) -> None:
    """It is told why, if it listens; nobody else notices."""
    other = await rig.connect()
    stream = await rig.connect()
    with contextlib.suppress(trio.BrokenResourceError):
        await stream.send_all(b"x" * (REQUEST_BYTES_MAX + 100_000))
    assert await reply(other, b"a") == {"done": {"asked": "a"}}


async def test_a_bug_ends_one_connection(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and others go on."""
    assert await rig.ask(b"bug") is None
    assert "unexpected error on the control socket" in caplog.text
    assert await rig.ask(b"a") == {"done": {"asked": "a"}}


async def test_a_failed_store_is_told(rig: Rig) -> None:
    """Nothing may count as done then."""
    rig.node.sound = False
    assert "has failed" in (await rig.ask(b"a"))["error"]


async def test_only_so_many_at_a_time(rig: Rig) -> None:
    """One more is closed at once; who leaves makes room."""
    streams = [await rig.connect() for _ in range(CONNECTIONS_MAX)]
    await trio.testing.wait_all_tasks_blocked()
    extra = await rig.connect()
    assert await extra.receive_some(1) == b""
    await streams.pop().aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert await rig.ask(b"a") == {"done": {"asked": "a"}}


async def test_who_takes_nothing_is_dropped(rig: Rig, autojump_clock: trio.testing.MockClock) -> None:
    """An endless list goes to nobody."""
    stream = await rig.connect()
    await stream.send_all(b"endless\n")
    started = trio.current_time()
    await trio.sleep(SEND_SECONDS + 1)
    with pytest.raises(trio.BrokenResourceError):
        while True:
            await stream.send_all(b"a\n")
            await trio.sleep(1)
    assert trio.current_time() - started < 2 * SEND_SECONDS


async def test_who_asks_nothing_is_dropped(rig: Rig, autojump_clock: trio.testing.MockClock) -> None:
    """After a while."""
    stream = await rig.connect()
    started = trio.current_time()
    assert await stream.receive_some(1) == b""
    assert trio.current_time() - started >= IDLE_SECONDS


def test_without_a_broker_the_client_says_so(tmp_path: Path) -> None:
    """In one line that names the socket."""
    with pytest.raises(ControlError, match=r"no broker listens at .*control.sock: no such file") as error:
        ControlClient(tmp_path / "control.sock")
    assert error.value.reason == "unreachable"
