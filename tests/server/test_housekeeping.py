"""mambaamqp/server/housekeeping.py: what nobody asks for."""

import pytest
import trio

from mambaamqp.server.housekeeping import keep_house


class House:
    """Journal, broker and batch in one; notes what was done."""

    def __init__(self) -> None:
        self.wants = False
        self.done: list[str] = []

    def wants_checkpoint(self) -> bool:
        return self.wants

    def drop_dead_segments(self) -> None:
        self.done.append("drop")
        if self.wants:
            raise ZeroDivisionError("a bug")

    def checkpoint(self) -> None:
        self.done.append("checkpoint")

    def now(self) -> float:
        return trio.current_time()

    def finish(self, now: float) -> None:
        self.done.append("finish")


async def test_tidies_and_finishes_the_batch(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a second; a checkpoint when the journal wants one; an error is logged and not the end."""
    house = House()
    nursery.start_soon(keep_house, house, house, house)
    await trio.sleep(1.5)
    house.wants = True
    await trio.sleep(1)
    assert house.done == ["drop", "finish", "checkpoint", "drop", "finish"]
    assert "unexpected error while housekeeping" in caplog.text
