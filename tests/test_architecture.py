"""The layers, and the habits a machine can check: the rules stand here as data.

A breach is an import in the wrong direction or a file that breaks a rule, named with its line. Change the
data when you have changed docs/architecture.md, not to get a file through.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import attrs
import pytest

from mambaamqp.config.load import SECTIONS

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "mambaamqp"

LAYERS: Final[tuple[frozenset[str], ...]] = (
    frozenset({"errors", "config"}),
    frozenset({"wire", "store", "access", "observe"}),
    frozenset({"broker"}),
    frozenset({"session"}),
    frozenset({"control", "management", "cluster", "plugins"}),
    frozenset({"server", "bench", "ctl", "offline"}),
    frozenset({"cli", "__main__"}),
)
"""Lowest first. A room imports from itself and from lower layers, never sideways or upwards."""

SIDEWAYS: Final = frozenset({("config", "errors"), ("__main__", "cli")})
"""The exceptions: a wrong configuration is an error; python -m is the command line."""

OUTSIDE: Final[dict[str, frozenset[str]]] = {
    "argon2": frozenset({"access"}),
    "attrs": frozenset({"access", "bench", "config", "observe", "server", "broker/definitions.py"}),
    "click": frozenset(
        {"cli", "bench/command.py", "offline/command.py"}
        | {"ctl/accounts.py", "ctl/asking.py", "ctl/command.py"}
    ),
    "mypy_extensions": frozenset({"wire", "store", "broker", "session", "bench"}),
    "pamqp": frozenset({"wire"}),
    "psutil": frozenset({"server"}),
    "sortedcontainers": frozenset({"broker", "session", "server"}),
    "trio": frozenset({"server", "bench", "cli"}),
}
"""Every package that is not Python's own → the rooms (or files) that may import it. A new dependency is a
new row, and a decision."""

WAITING: Final = frozenset({"server", "bench", "ctl/client.py", "cli"})
OPERATING_SYSTEM: Final = frozenset({"server", "cli", "config", "ctl/client.py", "store/disk.py"})
NOWHERE: Final[frozenset[str]] = frozenset()

RESTRICTED: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(("asyncio", "concurrent", "multiprocessing", "queue", "sched", "select"), WAITING),
    **dict.fromkeys(("selectors", "signal", "socket", "ssl", "subprocess", "threading", "time"), WAITING),
    **dict.fromkeys(("ctypes", "fcntl", "mmap", "os", "shutil", "tempfile"), OPERATING_SYSTEM),
    **dict.fromkeys(("dbm", "imp", "marshal", "pickle", "runpy", "shelve", "yaml"), NOWHERE),
    "importlib": frozenset({"cli", "server", "plugins"}),
}
"""Modules of Python's own that not every room may import: what waits, what calls the operating system, what
runs code out of data (CVE-2023-46604, 2022-41678, 2015-5254)."""

CORE: Final = frozenset({"wire", "store", "broker", "session"})
SEEDED: Final = frozenset({"random.Random", "random.SystemRandom"})
"""Chance in the core comes out of a generator that a simulation can seed."""

FORBIDDEN_CALLS: Final = frozenset({"eval", "exec", "compile", "__import__", "open", "print", "input"})
CALLS_ALLOWED: Final = frozenset({("server/run.py", "print")})
CLOCK_CALLS: Final = frozenset({("datetime", "now"), ("datetime", "utcnow"), ("date", "today")})

KEYS_READ_THROUGH: Final = {
    "memory_high_watermark": "memory_high_bytes",
    "socket": "socket_path",
    "transient_queues": "refuses_transient_queues",
    "global_prefetch": "shares_prefetch",
    "unknown_exchange_type": "unknown_exchange_type_code",
    "queue_version_1": "refuses_version_1",
    "queue_master_locator": "refuses_master_locator",
    "client_x_death": "honours_client_deaths",
    "nacks": "counts_nacks",
}
"""Keys of the configuration that are read by way of a method of their section, or of a profile."""

BANNED_NAMES: Final = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"})
LINES_MAX: Final = 500


class Module(NamedTuple):
    """A file of the package: `label` is its path below mambaamqp/, `room` the first part of it."""

    path: Path
    label: str
    room: str
    tree: ast.Module


def modules() -> list[Module]:
    """Every file of the package, parsed."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        label = path.relative_to(PACKAGE).as_posix()
        room = label.split("/")[0].removesuffix(".py")
        found.append(Module(path, label, room, ast.parse(path.read_text(encoding="utf-8"))))
    return found


MODULES: Final = modules()
every_module = pytest.mark.parametrize("module", MODULES, ids=[module.label for module in MODULES])


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported anywhere, under TYPE_CHECKING and in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def layer(room: str) -> int:
    """How high a room stands; an unknown room is a breach of its own."""
    for height, rooms in enumerate(LAYERS):
        if room in rooms:
            return height
    raise AssertionError(f"{room} stands in no layer")


def may_import(importer: str, imported: str) -> bool:
    """Downwards, or within the room."""
    return importer == imported or (importer, imported) in SIDEWAYS or layer(imported) < layer(importer)


@every_module
def test_rooms_import_downwards_only(module: Module) -> None:
    """The diagram in docs/architecture.md is true."""
    for line, name in imports(module.tree):
        parts = name.split(".")
        if parts[0] != "mambaamqp" or parts[1] == "__version__" or module.label == "__init__.py":
            continue
        assert may_import(module.room, parts[1]), f"{module.label}:{line} imports {name}"


@every_module
def test_outside_packages_stay_in_their_rooms(module: Module) -> None:
    """pamqp in wire, trio in the shell, nothing that nobody decided on."""
    for line, name in imports(module.tree):
        package = name.split(".")[0]
        if package in ("mambaamqp", "__future__") or package in sys.stdlib_module_names:
            continue
        allowed = OUTSIDE.get(package, NOWHERE)
        assert {module.room, module.label} & allowed, f"{module.label}:{line} imports {package}"


@every_module
def test_waiting_and_system_calls_stay_in_their_rooms(module: Module) -> None:
    """The core has no clock, no thread, no socket, no file; nobody runs code out of data."""
    for line, name in imports(module.tree):
        allowed = RESTRICTED.get(name.split(".")[0])
        where = f"{module.label}:{line} imports {name}"
        assert allowed is None or {module.room, module.label} & allowed, where
        chance = name.split(".")[0] in ("random", "secrets", "uuid") and name not in SEEDED
        assert not (chance and module.room in CORE), where


@every_module
def test_no_call_that_goes_around_the_rules(module: Module) -> None:
    """No eval, no file opened beside the store, no print, no wall clock in the core."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
            assert (module.label, node.func.id) in CALLS_ALLOWED, (
                f"{module.label}:{node.lineno} {node.func.id}()"
            )
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and module.room not in WAITING
        ):
            called = (node.value.id, node.attr)
            assert called not in CLOCK_CALLS, f"{module.label}:{node.lineno} {'.'.join(called)}"


@every_module
def test_a_file_is_one_noun_with_a_docstring(module: Module) -> None:
    """It says what it is, bears a name of its own, and is not longer than a noun needs."""
    assert ast.get_docstring(module.tree), f"{module.label} has no docstring"
    assert module.path.stem not in BANNED_NAMES, f"{module.label} has a name that says nothing"
    lines = len(module.path.read_text(encoding="utf-8").splitlines())
    assert lines <= LINES_MAX, f"{module.label} has {lines} lines: it holds two nouns"


def test_every_room_is_a_package_in_a_layer() -> None:
    """A directory without __init__.py would be missing from the installed package."""
    for directory in {module.path.parent for module in MODULES} - {PACKAGE}:
        layer(directory.relative_to(PACKAGE).parts[0])
        assert (directory / "__init__.py").exists(), f"{directory.name} has no __init__.py"


def test_tests_mirror_modules() -> None:
    """tests/wire/test_table.py is about mambaamqp/wire/table.py, which is there."""
    for room in (path for path in PACKAGE.iterdir() if path.is_dir()):
        for path in (ROOT / "tests" / room.name).rglob("test_*.py"):
            below = path.relative_to(ROOT / "tests")
            mirrored = PACKAGE / below.with_name(below.name.removeprefix("test_"))
            assert mirrored.exists(), f"tests/{below} mirrors no {mirrored.relative_to(ROOT)}"


MIRRORED_ELSEWHERE: Final[dict[str, str]] = {
    "__main__.py": "tests/test_cli.py",
    "bench/consumer.py": "tests/bench/test_run.py",
    "bench/link.py": "tests/bench/test_run.py",
    "bench/producer.py": "tests/bench/test_run.py",
    "broker/annex.py": "tests/flows/test_delayed.py",
    "broker/destination.py": "tests/broker/test_binding.py",
    "broker/delay_queue.py": "tests/flows/test_delayed.py",
    "broker/description.py": "tests/flows/test_events.py",
    "broker/events.py": "tests/flows/test_events.py",
    "broker/emptying.py": "tests/broker/test_queue.py",
    "broker/kept.py": "tests/flows/test_kept_dead_letters.py",
    "broker/firehose.py": "tests/flows/test_firehose.py",
    "broker/marks.py": "tests/broker/test_broker.py",
    "broker/waiter.py": "tests/broker/test_broker.py",
    "control/accounts.py": "tests/control/test_desk.py",
    "control/connections.py": "tests/control/test_desk.py",
    "control/counter.py": "tests/control/test_desk.py",
    "control/listings.py": "tests/control/test_desk.py",
    "control/machine.py": "tests/control/test_desk.py",
    "control/node.py": "tests/control/test_desk.py",
    "control/policies.py": "tests/control/test_desk.py",
    "control/queues.py": "tests/flows/test_pausing.py",
    "ctl/accounts.py": "tests/ctl/test_command.py",
    "ctl/asking.py": "tests/ctl/test_command.py",
    "ctl/client.py": "tests/server/test_control.py",
    "server/machine.py": "tests/server/test_control.py",
    "server/ports.py": "tests/server/conftest.py",
    "config/fields.py": "tests/config/test_sections.py",
    "session/basic.py": "tests/flows/test_consuming.py",
    "session/channel.py": "tests/flows/test_consuming.py",
    "session/channels.py": "tests/flows/test_frames_and_channels.py",
    "session/connection.py": "tests/flows/test_closing.py",
    "session/consuming.py": "tests/flows/test_consuming.py",
    "session/lost.py": "tests/flows/test_large_bodies.py",
    "session/reporting.py": "tests/flows/test_events.py",
    "session/topology.py": "tests/flows/test_declaring.py",
    "store/segment.py": "tests/store/test_journal.py",
}
"""Modules whose behaviour shows only through a whole client, a load or a neighbour → what tests them."""


def test_modules_have_mirrors() -> None:
    """mambaamqp/wire/table.py is tested in tests/wire/test_table.py, or where this table says."""
    for path in (module.path for module in MODULES if module.path.name != "__init__.py"):
        below = path.relative_to(PACKAGE)
        mirror = MIRRORED_ELSEWHERE.get(below.as_posix(), f"tests/{below.with_name('test_' + below.name)}")
        assert (ROOT / mirror).exists(), f"{below} has no {mirror}"


def test_no_compiled_file_shadows_a_source() -> None:
    """Nothing compiled lies beside the sources: it would be imported instead, whatever is edited."""
    stray = [path for suffix in ("so", "pyd", "c") for path in PACKAGE.rglob(f"*.{suffix}")]
    assert not stray, f"compiled files beside their sources: {stray}"


def test_every_test_states_its_goal() -> None:
    """The first line of a test's docstring is what it is for."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                where = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
                assert ast.get_docstring(node), f"{where} has no docstring"


def test_tests_do_not_sleep() -> None:
    """A test that waits for the clock is slow on a good day and wrong on a bad one; trio's clock is faked."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) != ("time", "sleep"), (
                    f"{path.relative_to(ROOT)}:{node.lineno}"
                )


def test_every_key_of_the_configuration_is_read() -> None:
    """A key that nobody reads promises what it does not do; to copy it is not to read it."""
    read = {
        node.attr
        for module in MODULES
        if module.room != "config" and module.path.name != "settings.py"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
    }

    for section, cls in SECTIONS.items():
        for field in attrs.fields(cls):
            reader = KEYS_READ_THROUGH.get(field.name, field.name)
            assert reader in read, f"nobody reads [{section}] {field.name}"
