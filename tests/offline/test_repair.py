"""mambaamqp/offline/repair.py: what can be read goes on, what was there stays beside it."""

from pathlib import Path

import pytest

from mambaamqp.errors import StoreError
from mambaamqp.offline import dump, state
from mambaamqp.offline.repair import Repair
from mambaamqp.store import inspect
from mambaamqp.store.disk import OsDisk
from mambaamqp.store.recovery import open_store
from tests.offline.conftest import Leave, contents, flip


def repaired(directory: str) -> Repair:
    work = Repair(directory, OsDisk(), 1 << 20)
    work.run()
    return work


def text_of(directory: str) -> list[str]:
    return list(dump.lines(state.read(directory, OsDisk()).broker))


def test_the_rest_goes_on(leave: Leave) -> None:
    """The new store is healthy and says what could be read; the old one is there to the last octet."""
    directory = leave()
    flip(directory, b"order 3")
    before, text = contents(directory), text_of(directory)
    work = repaired(directory)
    assert inspect.check(directory, OsDisk()).healthy
    assert text_of(directory) == text
    kept = contents(f"{directory}.before-repair-1")
    assert {name: data for name, data in kept.items() if name != "lock"} == before
    assert any("damage from offset" in line for line in work.said)
    assert work.said[-1].endswith(".before-repair-1")


@pytest.mark.parametrize("clean", [True, False])
def test_a_healthy_store_stays_what_it_was(leave: Leave, clean: bool) -> None:
    """Marks of redelivery included; and again, under another name."""
    directory = leave(clean=clean)
    text = text_of(directory)
    for number in (1, 2):
        repaired(directory)
        assert text_of(directory) == text
        assert Path(f"{directory}.before-repair-{number}").is_dir()


def test_a_broker_starts_on_it(leave: Leave) -> None:
    """As on any other."""
    directory = leave()
    flip(directory, b"order 3")
    repaired(directory)
    store = open_store(directory, OsDisk(), on_corruption="refuse")
    list(store.records())
    store.close()
    assert store.findings == []


def test_a_store_in_use_is_left_alone(leave: Leave) -> None:
    """The broker's pid is named, and nothing is beside it afterwards."""
    directory = leave()
    store = open_store(directory, OsDisk())
    with pytest.raises(StoreError, match="in use by another broker"):
        repaired(directory)
    store.close()
    assert [path.name for path in Path(directory).parent.iterdir()] == ["data"]


def test_no_room_changes_nothing(leave: Leave, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun lies beside the store."""
    directory = leave()
    text = text_of(directory)

    def write(self: OsDisk, file: object, data: bytes, at: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(StoreError, match="No space left"):
        patch.setattr(OsDisk, "write", write)
        repaired(directory)
    assert text_of(directory) == text
