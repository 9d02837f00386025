"""mambaamqp/broker/pace.py: publishers no faster than consumers, and never for good."""

from mambaamqp.broker.pace import MARK_MESSAGES, TAKEN_MIN, Pace
from mambaamqp.broker.waiter import Waiter


class Publisher(Waiter):
    """Counts how often it was let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.went_on = 0

    def proceed(self, now: float) -> None:
        self.went_on += 1


def test_behind_means_beyond_the_mark() -> None:
    """The mark itself is fine."""
    pace = Pace()
    assert not pace.behind(MARK_MESSAGES)
    assert pace.behind(MARK_MESSAGES + 1)


def test_whoever_waits_goes_on_when_half_is_taken() -> None:
    """Once; and without anyone who waits there is nothing to catch up."""
    pace, publisher = Pace(), Publisher()
    assert not pace.caught_up(0)
    pace.hold(publisher)
    assert not pace.caught_up(MARK_MESSAGES // 2 + 1)
    assert pace.caught_up(MARK_MESSAGES // 2)
    pace.release(0.0)
    pace.release(0.0)
    assert publisher.went_on == 1


def test_a_queue_that_is_not_taken_from_doubles_its_mark() -> None:
    """A backlog that nobody can prevent is built at full speed; the mark comes down with it."""
    pace = Pace()
    pace.hold(Publisher())
    pace.taken += TAKEN_MIN
    assert pace.keeps_up()
    assert not pace.keeps_up()
    assert pace.mark == 2 * MARK_MESSAGES
    assert not pace.behind(2 * MARK_MESSAGES)
    assert pace.mark == 2 * MARK_MESSAGES
    pace.behind(0)
    assert pace.mark == MARK_MESSAGES
