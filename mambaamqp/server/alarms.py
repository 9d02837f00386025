"""Memory and disk alarms: look at two figures now and then, and tell the broker when one crosses its mark.

Refuses to know what an alarm does (the broker blocks publishers) and where the figures come from.

An alarm ends only when the figure is clearly on the right side again (hysteresis), since blocking and
unblocking every publisher many times a second would cost more than it protects.
"""

import logging
from collections.abc import Callable

import trio

CHECK_SECONDS = 1.0
CHECK_SECONDS_NEAR = 0.25
"""Near its mark a figure may cross it soon."""

NEAR = 0.8
MEMORY_CLEARS_BELOW = 0.95
"""Of the memory mark."""
DISK_CLEARS_ABOVE = 1.1
"""Of the disk mark."""

log = logging.getLogger(__name__)

Report = Callable[[bool, bool], None]
"""(memory alarm, disk alarm); called when one of them changed."""


class Alarms:
    """Two alarms. Figures and marks are bytes; a mark may be changed, and counts from the next look."""

    def __init__(
        self,
        *,
        memory_bytes: Callable[[], int],
        memory_bytes_high: int,
        disk_free_bytes: Callable[[], int],
        disk_free_bytes_min: int,
        report: Report,
        relieve: Callable[[], None],
    ) -> None:
        self.memory = False
        self.disk = False
        self.memory_bytes = memory_bytes
        self.memory_bytes_high = memory_bytes_high
        self.disk_free_bytes = disk_free_bytes
        self.disk_free_bytes_min = disk_free_bytes_min
        self._report = report
        self._relieve = relieve

    async def run(self) -> None:
        """Check for ever."""
        while True:
            await trio.sleep(self.check())

    def check(self) -> float:
        """Look once; seconds until the next look."""
        was = (self.memory, self.disk)
        resident = self._look_at_memory()
        free = self._look_at_disk()
        if (self.memory, self.disk) != was:
            self._report(self.memory, self.disk)
        near = (
            self.memory
            or self.disk
            or resident > NEAR * self.memory_bytes_high
            or NEAR * free < self.disk_free_bytes_min
        )
        return CHECK_SECONDS_NEAR if near else CHECK_SECONDS

    def _look_at_memory(self) -> int:
        high = self.memory_bytes_high
        resident = self.memory_bytes()
        if self.memory:
            self._relieve()
            resident = self.memory_bytes()
            if resident < MEMORY_CLEARS_BELOW * high:
                self.memory = False
                log.warning("memory alarm is over: %d bytes resident, the mark is %d", resident, high)
        elif resident >= high:
            self.memory = True
            log.warning(
                "memory alarm: %d bytes resident, the mark is %d; publishers are blocked", resident, high
            )
        return resident

    def _look_at_disk(self) -> int:
        least = self.disk_free_bytes_min
        try:
            free = self.disk_free_bytes()
        except Exception as error:
            # Not knowing is not an alarm: a disk that really fails shows at the next commit.
            log.error("free disk space is unknown: %s", error)
            return 0 if self.disk else least
        if self.disk and free > DISK_CLEARS_ABOVE * least:
            self.disk = False
            log.warning("disk alarm is over: %d bytes free, the mark is %d", free, least)
        elif not self.disk and free < least:
            self.disk = True
            log.warning("disk alarm: %d bytes free, the mark is %d; publishers are blocked", free, least)
        return free
