"""mambaamqp/server/memory.py: how much there is, how much is taken."""

import subprocess
import sys
from pathlib import Path

import pytest

from mambaamqp.server import memory


def test_resident_memory_is_plausible() -> None:
    """A Python process takes between 5 MB and what is available."""
    resident = memory.ResidentMemory()
    assert 5_000_000 < resident.bytes() < memory.available_bytes() * 2
    resident.close()


def test_limits_of_all_cgroups_above_bind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest limit on the way from the own cgroup to the root counts."""
    root, proc = tmp_path / "cgroup", tmp_path / "proc"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "memory.max").write_text("max\n")
    (root / "a" / "memory.max").write_text("12345678\n")
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text("0::/a/b\n")
    monkeypatch.setattr(memory, "CGROUP_V2_ROOT", root)
    assert memory.available_bytes(proc) == 12_345_678


def test_without_cgroups_the_machine_counts(tmp_path: Path) -> None:
    """A system without /proc/self/cgroup has the memory it has."""
    assert memory.available_bytes(tmp_path) > 100_000_000


def test_giving_back_memory_is_harmless() -> None:
    """Asking the allocator to trim works, or does nothing."""
    memory.give_back_free_memory()


LARGE_BLOCKS = """
from mambaamqp.server import memory
memory.set_up_allocator()
resident = memory.ResidentMemory()
before = resident.bytes()
for _ in range(3):
    block = bytearray(20_000_000)
    during = resident.bytes()
    del block
print(during - before, resident.bytes() - before)
"""


def test_large_blocks_are_returned_at_once() -> None:
    """After setting up the allocator a freed block of many megabytes is no longer resident."""
    # A process of its own: what else lives in this one would be measured too.
    done = subprocess.run([sys.executable, "-c", LARGE_BLOCKS], capture_output=True, text=True, check=True)
    taken, kept = map(int, done.stdout.split())
    assert taken > 15_000_000
    assert kept < 5_000_000
