"""mambaamqp/offline/state.py: what a broker would start with, and nothing is done to the store."""

from pathlib import Path

import pytest

from mambaamqp.errors import StoreError
from mambaamqp.offline import state
from mambaamqp.store.disk import OsDisk
from tests.offline.conftest import Leave, contents, flip


def test_a_look_leaves_no_trace(leave: Leave) -> None:
    """Not even a lock, not even where there is a torn tail or damage."""
    directory = leave(clean=False)
    flip(directory, b"order 3")
    before = contents(directory)
    found = state.read(directory, OsDisk())
    assert contents(directory) == before
    assert [finding.torn for finding in found.findings] == [False]
    assert not found.broker.pager.spills


def test_it_finds_what_a_broker_would(leave: Leave) -> None:
    """Queues and what waits in them."""
    found = state.read(leave(), OsDisk())
    queues = found.broker.vhosts["/"].queues
    assert {name: queue.ready.count for name, queue in queues.items()} == {"orders": 5, "audit": 2}


def test_progress_counts_octets(leave: Leave) -> None:
    """Never more than there are."""
    directory, seen = leave(), list[int]()
    state.read(directory, OsDisk(), seen.append)
    assert 0 <= sum(seen) <= state.log_bytes(directory, OsDisk())


def test_no_store_is_one_clear_error(tmp_path: Path) -> None:
    """A directory without segments, and none at all."""
    with pytest.raises(StoreError, match="holds no store"):
        state.read(str(tmp_path), OsDisk())
    with pytest.raises(StoreError, match="cannot read the store"):
        state.read(str(tmp_path / "nowhere"), OsDisk())
    assert list(tmp_path.iterdir()) == []
