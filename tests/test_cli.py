"""mambaamqp.cli: commands, flags, exit codes, and errors on one line."""

import importlib.metadata
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from mambaamqp import __version__
from mambaamqp.access.passwords import verify
from mambaamqp.cli import main
from mambaamqp.config import Config, Secret
from mambaamqp.errors import ConfigError, StoreError

CONF = Path(__file__).parents[1] / "conf"

Serve = Callable[[Config], int]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that a fake broker was started with; it returns at once."""
    configs: list[Config] = []
    fake_run(monkeypatch, lambda config: configs.append(config) or 0)
    return configs


def fake_run(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    """Put a module with that run() in the place of the shell."""
    module = ModuleType("mambaamqp.server.run")
    module.run = serve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mambaamqp.server.run", module)
    monkeypatch.setattr("mambaamqp.observe.logs.configure", lambda config: None)
    monkeypatch.setattr("os.umask", lambda mask: 0)


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment)


@pytest.mark.parametrize("command", [(), ("serve",)])
def test_serve_is_what_happens_without_a_command(served: list[Config], command: tuple[str, ...]) -> None:
    """Without arguments the defaults are served."""
    result = invoke(*command)

    assert result.exit_code == 0, result.output
    assert served == [Config()]


def test_flags_reach_the_broker(served: list[Config]) -> None:
    """Host, port and data directory, with and without the word serve."""
    flags = ("--host", "::1", "--port", "0", "--data-dir", "d")

    assert invoke("serve", *flags).exit_code == 0
    assert invoke(*flags).exit_code == 0
    for config in served:
        assert (config.listener.host, config.listener.port, config.server.data_dir) == ("::1", 0, Path("d"))


def test_file_environment_and_flags_in_that_order(served: list[Config], tmp_path: Path) -> None:
    """A flag beats a variable, a variable the file; the file may be named by a variable."""
    file = tmp_path / "mq.toml"
    file.write_text("[listener]\nport = 1\nbacklog = 9\n")

    invoke(MAMBAAMQP_CONFIG=str(file))
    invoke("--config", str(file), MAMBAAMQP_LISTENER_PORT="2")
    invoke("serve", "--config", str(file), "--port", "3", MAMBAAMQP_LISTENER_PORT="2")

    assert [(config.listener.port, config.listener.backlog) for config in served] == [(1, 9), (2, 9), (3, 9)]


@pytest.mark.parametrize(
    ("error", "exit_code", "line"),
    [
        (ConfigError("[x] y: wrong"), 2, "mambaamqp: [x] y: wrong"),
        (StoreError("d: in use by process 5"), 1, "mambaamqp: d: in use by process 5"),
        (OSError(13, "Permission denied", "/mq"), 1, "mambaamqp: /mq: Permission denied"),
        (OSError("all ports taken"), 1, "mambaamqp: all ports taken"),
    ],
)
def test_what_keeps_the_broker_from_starting_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, exit_code: int, line: str
) -> None:
    """No traceback for what is not our bug, and an exit code that is not 0."""

    def failing(_config: Config) -> int:
        raise error

    fake_run(monkeypatch, failing)
    result = invoke("serve")

    assert (result.exit_code, result.stderr) == (exit_code, line + "\n")


def test_the_brokers_exit_code_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that failed later is a failed process."""
    fake_run(monkeypatch, lambda _config: 1)

    assert invoke("serve").exit_code == 1


def test_a_wrong_key_stops_the_start(served: list[Config], tmp_path: Path) -> None:
    """Nothing is served with half a configuration."""
    file = tmp_path / "mq.toml"
    file.write_text("[listener]\nprot = 1\n")
    result = invoke("--config", str(file))

    assert result.exit_code == 2
    assert result.stderr == f"mambaamqp: {file}: [listener] prot: unknown key (did you mean port?)\n"
    assert served == []


def test_version_names_python_and_the_core() -> None:
    """What a bug report needs."""
    result = invoke("--version")

    assert result.exit_code == 0
    assert result.output.startswith(f"mambaamqp {__version__} (")
    assert "core: " in result.output


def test_check_config_says_good_or_what_is_wrong(tmp_path: Path) -> None:
    """What serve would refuse is refused here, patterns and hashes too."""
    assert invoke("check-config", str(CONF / "mambaamqp.toml")).output.endswith(
        "good; 1 user, 1 virtual host, 1 permission\n"
    )
    file = tmp_path / "mq.toml"
    file.write_text('[[permissions]]\nuser = "guest"\nread = "("\n')
    result = invoke("check-config", str(file))

    assert result.exit_code == 2
    assert result.stderr.startswith(f"mambaamqp: {file}: [[permissions]] user 'guest', vhost '/': '(' is not")
    assert len(result.stderr.splitlines()) == 1
    assert invoke("check-config", str(tmp_path / "absent")).exit_code == 2


def test_show_config_prints_the_annotated_file() -> None:
    """The file in conf/ is this output."""
    assert invoke("show-config").output == (CONF / "mambaamqp.toml").read_text(encoding="utf-8")


def test_hash_password_prints_what_verifies() -> None:
    """The line can be put into the configuration as it is; a blank password is refused."""
    result = invoke("hash-password", "--password", "s3cret")

    assert verify(Secret("s3cret"), result.output.strip())
    assert invoke("hash-password", "--password", "").exit_code == 2


def test_help_names_the_environment() -> None:
    """Whoever asks for help learns about variables and the list of keys."""
    text = " ".join(invoke("serve", "--help").output.split())

    assert "MAMBAAMQP_<SECTION>_<KEY>" in text
    assert "show-config" in text
    assert invoke("-h").exit_code == 0


def test_the_package_says_the_same_version() -> None:
    """Metadata and module agree, where the package is installed."""
    try:
        installed = importlib.metadata.version("mambaamqp")
    except importlib.metadata.PackageNotFoundError:
        return
    assert installed == __version__
