"""mambaamqp/server/housekeeping.py: what nobody asks for."""

import pytest
import trio

from mambaamqp.server.housekeeping import keep_house


class House:
    """Journal, broker and committer in one; notes what was done."""

    def __init__(self) -> None:
        self.wants = False
        self.sparse = False
        self.dead_segments = 0
        self.bug = False
        self.done: list[str] = []

    def wants_checkpoint(self) -> bool:
        return self.wants

    def drop_dead_segments(self) -> int:
        if self.bug:
            raise ZeroDivisionError("a bug")
        return self.dead_segments

    def checkpoint(self) -> None:
        self.done.append("checkpoint")

    def compact(self, now: float) -> bool:
        return self.sparse

    def commit(self) -> None:
        self.done.append("commit")

    def now(self) -> float:
        return trio.current_time()

    def finish(self, now: float) -> None:
        self.done.append("finish")


async def test_commits_only_what_it_did(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """Dead segments and checkpoints are committed at once; without either there is no commit."""
    house = House()
    nursery.start_soon(keep_house, house, house, house, house)
    await trio.sleep(1.5)
    assert house.done == []
    house.dead_segments = 2
    await trio.sleep(1)
    assert house.done == ["commit"]
    house.wants, house.dead_segments = True, 0
    await trio.sleep(1)
    assert house.done == ["commit", "checkpoint", "commit"]


async def test_an_error_is_logged_and_not_the_end(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug while tidying does not end the tidying."""
    house = House()
    house.bug = True
    nursery.start_soon(keep_house, house, house, house, house)
    await trio.sleep(1.5)
    house.bug, house.dead_segments = False, 1
    await trio.sleep(1)
    assert house.done == ["commit"]
    assert "unexpected error while housekeeping" in caplog.text


async def test_a_sparse_journal_is_emptied_beside_the_traffic(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """What has begun needs the end of a batch, so that the broker is called when its first slice is due."""
    house = House()
    nursery.start_soon(keep_house, house, house, house, house)
    await trio.sleep(1.5)
    house.sparse = True
    await trio.sleep(1)
    assert house.done == ["finish"]
