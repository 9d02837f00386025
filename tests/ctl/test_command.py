"""mambaamqp ctl: what each command asks, what it shows, and how it ends."""

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mambaamqp.access.passwords import verify
from mambaamqp.cli import main
from mambaamqp.config import Secret
from mambaamqp.control.desk import OPERATIONS

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix-domain sockets here")

Row = dict[str, Any]


class FakeBroker:
    """Notes requests; answers with rows and a result, or an error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[Row] = []
        self.rows: list[Row] = []
        self.done: Row = {}
        self.error: Row | None = None

    def lines(self, request: Row) -> list[Row]:
        self.asked.append(request)
        if self.error is not None:
            return [self.error]
        return [*({"row": row} for row in self.rows), {"done": self.done}]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[FakeBroker]:
    fake = FakeBroker(tmp_path / "s")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                for reply in fake.lines(json.loads(line)):
                    self.wfile.write(json.dumps(reply).encode() + b"\n")

    with socketserver.ThreadingUnixStreamServer(str(fake.path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield fake
        server.shutdown()
        thread.join()


@pytest.fixture
def ctl(broker: FakeBroker) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["ctl", "--socket", str(broker.path), *arguments])

    return run


POLICY = {"pattern": "^q", "definition": {"max-length": 5}, "priority": 2, "apply-to": "queues"}


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["status"], {"command": "status"}),
        (["queue", "pause", "q"], {"command": "queue pause", "vhost": "/", "name": "q"}),
        (["queue", "resume", "-p", "v", "q"], {"command": "queue resume", "vhost": "v", "name": "q"}),
        (["queue", "purge", "q"], {"command": "queue purge", "vhost": "/", "name": "q"}),
        (
            ["queue", "delete", "--if-empty", "q"],
            {"command": "queue delete", "vhost": "/", "name": "q", "if-unused": False, "if-empty": True},
        ),
        (["connection", "close", "c"], {"command": "connection close", "name": "c"}),
        (["connection", "close", "c", "r"], {"command": "connection close", "name": "c", "reason": "r"}),
        (["connection", "close-all", "--user", "u"], {"command": "connection close-all", "user": "u"}),
        (["user", "delete", "u"], {"command": "user delete", "name": "u"}),
        (["user", "tags", "u", "a", "b"], {"command": "user tags", "name": "u", "tags": ["a", "b"]}),
        (
            ["user", "set-limits", "u", '{"max-channels": 1}'],
            {"command": "user set-limits", "name": "u", "limits": {"max-channels": 1}},
        ),
        (["user", "clear-limits", "u"], {"command": "user clear-limits", "name": "u"}),
        (
            ["permissions", "set", "u", "a", "b", "c"],
            {
                "command": "permissions set",
                "vhost": "/",
                "user": "u",
                "configure": "a",
                "write": "b",
                "read": "c",
            },
        ),
        (["permissions", "clear", "u"], {"command": "permissions clear", "vhost": "/", "user": "u"}),
        (
            ["topic-permissions", "set", "u", "x", "a", "b"],
            {
                "command": "topic-permissions set",
                "vhost": "/",
                "user": "u",
                "exchange": "x",
                "write": "a",
                "read": "b",
            },
        ),
        (
            ["topic-permissions", "clear", "u"],
            {"command": "topic-permissions clear", "vhost": "/", "user": "u"},
        ),
        (
            ["vhost", "add", "--default-queue-type", "quorum", "v"],
            {"command": "vhost add", "name": "v", "default_queue_type": "quorum"},
        ),
        (["vhost", "delete", "v"], {"command": "vhost delete", "name": "v"}),
        (
            ["vhost", "set-limits", "v", '{"max-queues": 1}'],
            {"command": "vhost set-limits", "vhost": "v", "limits": {"max-queues": 1}},
        ),
        (["vhost", "clear-limits", "v"], {"command": "vhost clear-limits", "vhost": "v"}),
        (
            ["policy", "set", "--priority", "2", "--apply-to", "queues", "p", "^q", '{"max-length": 5}'],
            {"command": "policy set", "vhost": "/", "name": "p", "policy": POLICY},
        ),
        (["policy", "clear", "p"], {"command": "policy clear", "vhost": "/", "name": "p"}),
        (
            ["operator-policy", "clear", "p"],
            {"command": "operator-policy clear", "vhost": "/", "name": "p"},
        ),
        (["trace", "on"], {"command": "trace", "vhost": "/", "on": True}),
        (["trace", "off", "-p", "v"], {"command": "trace", "vhost": "v", "on": False}),
        (["alarm", "memory", "0.4"], {"command": "alarm memory", "value": 0.4}),
        (["alarm", "memory", "2GB"], {"command": "alarm memory", "value": 2_000_000_000}),
        (["alarm", "disk", "50MiB"], {"command": "alarm disk", "value": 52_428_800}),
        (["alarm", "disk", "default"], {"command": "alarm disk"}),
        (["list", "queues", "-p", "v"], {"command": "list queues", "vhost": "v"}),
        (["list", "users"], {"command": "list users"}),
        (["definitions", "export"], {"command": "definitions export"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_command_asks(
    broker: FakeBroker, ctl: Callable[..., Result], arguments: list[str], asked: Row
) -> None:
    """One request each, and a command that the broker knows."""
    broker.done = {"totals": {}, "alarms": []} if arguments == ["status"] else {}
    done = ctl(*arguments)
    assert (done.exit_code, broker.asked) == (0, [asked]), done.output
    assert asked["command"] in OPERATIONS


@pytest.mark.parametrize("command", ["add", "password"])
def test_a_password_never_goes_over_the_socket(
    broker: FakeBroker, ctl: Callable[..., Result], command: str
) -> None:
    """Its hash does."""
    assert ctl("user", command, "--password", "secret", "u").exit_code == 0
    [asked] = broker.asked
    assert verify(Secret("secret"), asked["password_hash"])
    assert "secret" not in json.dumps(asked)


def test_a_list_is_a_table_or_json(broker: FakeBroker, ctl: Callable[..., Result]) -> None:
    """With the columns that are named; JSON has all of them."""
    broker.rows = [{"user": "kim", "tags": ["a", "b"], "limits": {}}]
    assert ctl("list", "users").stdout == "user  tags  limits\nkim   a, b  {}\n"
    assert ctl("list", "users", "tags").stdout == "tags\na, b\n"
    assert json.loads(ctl("list", "users", "--json").stdout) == broker.rows[0]
    assert json.loads(ctl("--json", "list", "users", "user").stdout) == {"user": "kim"}
    wrong = ctl("list", "users", "size")
    assert (wrong.exit_code, "no column size" in wrong.stderr) == (2, True)


def test_status_is_a_fact_a_line(broker: FakeBroker, ctl: Callable[..., Result]) -> None:
    """Totals among them; JSON has them as they came."""
    broker.done = {"version": "1", "alarms": [], "totals": {"queues": 3}}
    assert ctl("status").stdout.splitlines() == ["version  1", "alarms   none", "queues   3"]
    assert json.loads(ctl("--json", "status").stdout) == broker.done


def test_a_refusal_is_one_line(broker: FakeBroker, ctl: Callable[..., Result]) -> None:
    """On standard error, and exits with 1."""
    broker.error = {"error": "no queue 'q' in vhost '/'", "reason": "not_found"}
    done = ctl("queue", "pause", "q")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "mambaamqp: no queue 'q' in vhost '/'\n"


def test_without_a_broker_it_exits_with_3(tmp_path: Path) -> None:
    """And says where it looked, in the environment's directory or the one named."""
    done = CliRunner().invoke(main, ["ctl", "status"], env={"MAMBAAMQP_SERVER_DATA_DIR": str(tmp_path)})
    assert (done.exit_code, done.stderr.count("\n")) == (3, 1)
    assert str(tmp_path / "control.sock") in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["list", "nonsense"],
        ["policy", "set", "p", "q", "{"],
        ["policy", "set", "p", "q", "[]"],
        ["user", "set-limits", "u", "5"],
        ["alarm", "memory", "much"],
        ["alarm", "memory", "5 parsecs"],
        ["user", "add", "--password", "", "u"],
        ["trace", "perhaps"],
    ],
)
def test_wrong_usage_asks_nobody(
    broker: FakeBroker, ctl: Callable[..., Result], arguments: list[str]
) -> None:
    """Exit code 2."""
    assert ctl(*arguments).exit_code == 2
    assert not broker.asked


def test_definitions_go_in_portions(broker: FakeBroker, ctl: Callable[..., Result], tmp_path: Path) -> None:
    """In the order in which things need each other; reports exit with 1."""
    file = tmp_path / "definitions.json"
    queues = [{"name": f"q{number}"} for number in range(450)]
    file.write_text(json.dumps({"queues": queues, "vhosts": [{"name": "v"}], "strange": [1]}))
    broker.done = {"reports": []}
    assert ctl("definitions", "import", str(file)).exit_code == 0
    sections = [next(iter(asked["definitions"])) for asked in broker.asked]
    assert sections == ["vhosts", "queues", "queues", "queues", "strange"]
    sent = [queue for asked in broker.asked for queue in asked["definitions"].get("queues", [])]
    assert sent == queues
    broker.done = {"reports": ["queues: no"]}
    done = ctl("definitions", "import", str(file))
    assert (done.exit_code, done.stderr.count("not taken over: queues: no\n")) == (1, 5)
    assert ctl("definitions", "import", str(tmp_path / "absent")).exit_code == 2


def test_an_export_is_one_document(broker: FakeBroker, ctl: Callable[..., Result]) -> None:
    """Whatever the pieces it comes in."""
    broker.rows = [{"section": "users", "value": []}, {"section": "queues", "value": [{"name": "q"}]}]
    assert json.loads(ctl("definitions", "export").stdout) == {"users": [], "queues": [{"name": "q"}]}


def test_reload_needs_a_file(broker: FakeBroker, ctl: Callable[..., Result]) -> None:
    """The one that the broker's configuration names."""
    broker.done = {"definitions_file": ""}
    assert ctl("reload").exit_code == 1
