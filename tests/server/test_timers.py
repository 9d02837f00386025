"""mambaamqp/server/timers.py: many deadlines, one task."""

import math

import trio

from mambaamqp.server.timers import Timers


class Item:
    def __init__(self, timers: Timers, again: float = math.inf) -> None:
        self.due = math.inf
        self.expired: list[float] = []
        self._timers = timers
        self._again = again

    def expire(self, now: float) -> None:
        self.expired.append(now)
        if self._again != math.inf:
            self._timers.schedule(self, now + self._again)


class Batch:
    def __init__(self) -> None:
        self.finished: list[float] = []

    def now(self) -> float:
        return trio.current_time()

    def finish(self, now: float) -> None:
        self.finished.append(now)


def test_expires_in_order() -> None:
    """Only what is due is called, once."""
    timers = Timers()
    early, late = Item(timers), Item(timers)
    timers.schedule(late, 20.0)
    timers.schedule(early, 10.0)
    assert (timers.next_due, timers.expire(15.0), timers.expire(15.0)) == (10.0, 1, 0)
    assert (early.expired, late.expired, timers.next_due) == ([15.0], [], 20.0)


def test_scheduling_again_moves_the_deadline() -> None:
    """An item waits once, for the last time it was given."""
    timers = Timers()
    item = Item(timers)
    timers.schedule(item, 10.0)
    timers.schedule(item, 30.0)
    assert (len(timers), timers.expire(20.0), timers.expire(30.0)) == (1, 0, 1)


def test_cancelled_items_are_forgotten() -> None:
    """A cancelled item is not called, and leaves nothing behind."""
    timers = Timers()
    item = Item(timers)
    timers.schedule(item, 10.0)
    timers.cancel(item)
    timers.cancel(item)
    assert (len(timers), timers.next_due, timers.expire(100.0)) == (0, math.inf, 0)


def test_outdated_entries_do_not_pile_up() -> None:
    """Rescheduling a hundred thousand times keeps the heap small."""
    timers = Timers()
    item = Item(timers)
    for step in range(100_000):
        timers.schedule(item, 1e9 - step)
    assert len(timers._heap) < 5_000


def test_an_item_may_schedule_itself_again() -> None:
    """An item that schedules itself from expire() is called again later, not in the same turn."""
    timers = Timers()
    item = Item(timers, again=5.0)
    timers.schedule(item, 10.0)
    assert (timers.expire(10.0), timers.next_due) == (1, 15.0)


async def test_run_wakes_for_an_earlier_deadline(autojump_clock: trio.testing.MockClock) -> None:
    """A deadline set while the task sleeps for a later one is kept, and the batch is finished after it."""
    timers, batch = Timers(), Batch()
    late, early = Item(timers), Item(timers)
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timers.run, batch)
        timers.schedule(late, start + 100)
        await trio.sleep(1)
        timers.schedule(early, start + 5)
        await trio.sleep(50)
        assert (early.expired, late.expired, batch.finished) == ([start + 5], [], [start + 5])
        nursery.cancel_scope.cancel()
