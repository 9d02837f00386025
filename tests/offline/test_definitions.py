"""mambaamqp definitions: into and out of a store that nobody uses."""

import json
from pathlib import Path

from click.testing import CliRunner

from mambaamqp.cli import main
from mambaamqp.store.disk import OsDisk
from mambaamqp.store.recovery import open_store

FIXTURE = Path(__file__).parents[1] / "broker" / "definitions.json"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["definitions", *arguments])
    return result.exit_code, result.output


def test_what_was_imported_is_exported(tmp_path: Path) -> None:
    """What could not be taken over is told and exits with 1; taken over again it is whole."""
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    code, said = run("import", "--data-dir", first, str(FIXTURE))
    assert code == 1
    assert said.count("not taken over: ") == 3
    code, written = run("export", "--data-dir", first)
    assert code == 0
    assert [user["name"] for user in json.loads(written)["users"]] == ["kim", "old"]
    file = tmp_path / "written.json"
    file.write_text(written)
    assert run("import", "--data-dir", second, str(file)) == (0, "")
    assert run("export", "--data-dir", second) == (0, written)


def test_a_store_in_use_is_left_alone(tmp_path: Path) -> None:
    """A broker that runs holds the lock."""
    directory = str(tmp_path / "store")
    held = open_store(directory, OsDisk())
    code, _ = run("import", "--data-dir", directory, str(FIXTURE))
    held.close()
    assert code == 1


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    """No file is 2, no store is 1."""
    assert run("import", "--data-dir", str(tmp_path), str(tmp_path / "absent"))[0] == 2
    assert run("export", "--data-dir", str(tmp_path / "absent"))[0] == 1
