"""mambaamqp/server/alarms.py: two figures, two marks."""

from mambaamqp.server.alarms import CHECK_SECONDS, CHECK_SECONDS_NEAR, Alarms


class Machine:
    """Figures to turn, and what was reported."""

    def __init__(self) -> None:
        self.memory = 100
        self.disk = 10_000
        self.reports: list[tuple[bool, bool]] = []
        self.relieved = 0
        self.alarms = Alarms(
            memory_bytes=lambda: self.memory,
            memory_bytes_high=1000,
            disk_free_bytes=self.free,
            disk_free_bytes_min=500,
            report=lambda memory, disk: self.reports.append((memory, disk)),
            relieve=self.relieve,
        )

    def free(self) -> int:
        if self.disk < 0:
            raise OSError("no such disk")
        return self.disk

    def relieve(self) -> None:
        self.relieved += 1


def test_nothing_is_reported_while_all_is_well() -> None:
    """Far from the marks the broker hears nothing and the looks are rare."""
    machine = Machine()
    assert (machine.alarms.check(), machine.reports) == (CHECK_SECONDS, [])


def test_memory_alarm_with_hysteresis() -> None:
    """The alarm comes at the mark and goes clearly below it, each reported once."""
    machine = Machine()
    for machine.memory in (999, 1000, 2000, 990, 951, 949, 990):
        machine.alarms.check()
    assert machine.reports == [(True, False), (False, False)]


def test_disk_alarm_with_hysteresis() -> None:
    """The alarm comes below the mark and goes clearly above it, each reported once."""
    machine = Machine()
    for machine.disk in (500, 499, 10, 510, 550, 551, 510):
        machine.alarms.check()
    assert machine.reports == [(False, True), (False, False)]


def test_both_alarms() -> None:
    """Both alarms are told together."""
    machine = Machine()
    machine.memory, machine.disk = 1000, 0
    machine.alarms.check()
    assert machine.reports == [(True, True)]


def test_looks_more_often_near_a_mark() -> None:
    """Near a mark, and during an alarm, the next look is soon."""
    machine = Machine()
    machine.memory = 900
    assert machine.alarms.check() == CHECK_SECONDS_NEAR
    machine.memory, machine.disk = 100, 560
    assert machine.alarms.check() == CHECK_SECONDS_NEAR


def test_free_memory_is_given_back_during_the_alarm() -> None:
    """While memory is short, what the allocator holds is returned before the next judgement."""
    machine = Machine()
    machine.memory = 1000
    machine.alarms.check()
    machine.alarms.check()
    assert machine.relieved == 1


def test_an_unknown_disk_changes_nothing() -> None:
    """When the free space cannot be read, the alarm stays as it was."""
    machine = Machine()
    machine.disk = -1
    machine.alarms.check()
    assert (machine.alarms.disk, machine.reports) == (False, [])
