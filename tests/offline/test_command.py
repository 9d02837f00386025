"""mambaamqp/offline/command.py: `mambaamqp store …` as an operator calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.offline.conftest import Leave, flip


def store(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mambaamqp", "store", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_healthy_store(leave: Leave) -> None:
    """Counts, and exit code 0."""
    done = store("check", leave())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("healthy\n")


def test_damage_names_file_offset_and_queues(leave: Leave) -> None:
    """Exit code 1; the queue whose message is gone is named, the other one is not said to have lost it."""
    directory = leave()
    flip(directory, b"order 3")
    done = store("check", directory)
    assert done.returncode == 1
    assert f"{directory}/" in done.stdout
    assert "damage from offset" in done.stdout
    assert "queue 'orders' of '/': positions 4 to 4 may have stood in the damage" in done.stdout
    assert "'audit'" not in done.stdout


def test_a_dump_can_be_read(leave: Leave) -> None:
    """JSON on standard output, what is damaged on standard error."""
    directory = leave()
    assert json.loads(store("dump", directory).stdout)["format"] == 1
    flip(directory, b"order 3")
    done = store("dump", "--bodies", directory)
    assert (done.returncode, "damage from offset" in done.stderr) == (1, True)
    messages = json.loads(done.stdout)["vhosts"][0]["messages"]
    assert 4 not in [message["position"] for message in messages if message["queue"] == "orders"]


def test_a_repair_says_what_it_did(leave: Leave) -> None:
    """And the store is healthy then."""
    directory = leave()
    flip(directory, b"order 3")
    done = store("repair", directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 queues with 6 messages were written into a new store" in done.stdout
    assert store("check", directory).returncode == 0


@pytest.mark.parametrize("command", ["check", "dump", "repair"])
def test_no_store_is_one_line(command: str, tmp_path: Path) -> None:
    """Exit code 2."""
    done = store(command, str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == f"mambaamqp: {tmp_path} holds no store\n"
