"""A producer under way: one connection that publishes as fast as window, rate and socket let it."""

from itertools import cycle, islice
from time import monotonic_ns
from typing import Final

import trio

from mambaamqp.bench.flow import CHANNEL, Confirms
from mambaamqp.bench.histogram import Histogram
from mambaamqp.bench.link import Link
from mambaamqp.bench.workload import BURST_BYTES, Workload
from mambaamqp.wire.framing import FRAME_METHOD, frame
from mambaamqp.wire.methods import Confirm, Tx, encode

SECOND_NS: Final = 1_000_000_000
SPIN_SECONDS: Final = 0.002
"""A timer wakes up to a millisecond late, which would count as the broker's latency: the end is spun."""

COMMIT: Final = frame(FRAME_METHOD, CHANNEL, encode(Tx.Commit()))


class Producer:
    """One publishing connection."""

    def __init__(self, link: Link, workload: Workload, number: int, latency: Histogram) -> None:
        self.link = link
        self.workload = workload
        self.confirms = Confirms(latency, bool(workload.confirm))
        self.templates = workload.templates(number, link.frame_bytes_max)
        self.next_template = cycle(self.templates)
        self.burst = max(1, BURST_BYTES // self.templates[0].size)
        self.limit = workload.count // workload.producers if workload.count else 0
        self.moved = trio.Event()

    async def prepare(self) -> None:
        """Ask for confirms or transactions."""
        if self.workload.confirm:
            await self.link.call(Confirm.Select(), Confirm.SelectOk)
        if self.workload.tx:
            await self.link.call(Tx.Select(), Tx.SelectOk)

    async def run(self) -> None:
        """Publish until cancelled or at the limit; read what the broker has to say."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            await (self._publish_at_rate() if self.workload.rate else self._publish_at_will())

    async def _read(self) -> None:
        while True:
            data = await self.link.receive()
            self.confirms.take(data, monotonic_ns())
            self.moved.set()
            await trio.lowlevel.checkpoint()

    async def _publish_at_will(self) -> None:
        while not self._finished():
            count = self._room(self.workload.tx or self.burst)
            if count <= 0:
                await self._wait()
                continue
            await self._publish(count, monotonic_ns())
            if self.workload.tx:
                await self._commit()
            await trio.lowlevel.checkpoint()

    async def _publish_at_rate(self) -> None:
        """Every message has its due time and bears it, however late it goes: a stall is not forgiven."""
        interval = SECOND_NS / self.workload.rate
        due = float(monotonic_ns())
        while not self._finished():
            await _sleep_until(due)
            while self._room(1) <= 0:
                await self._wait()
            await self._publish(1, int(due))
            due += interval

    async def _publish(self, count: int, now: int) -> None:
        if len(self.templates) == 1:
            octets = self.templates[0].octets(now) * count
        else:
            octets = b"".join(template.octets(now) for template in islice(self.next_template, count))
        self.confirms.sent(count, now)
        await self.link.send(octets)

    async def _commit(self) -> None:
        wanted = self.confirms.commits + 1
        await self.link.send(COMMIT)
        while self.confirms.commits < wanted:
            await self._wait()

    def _room(self, wanted: int) -> int:
        if self.confirms.blocked:
            return 0
        if self.workload.confirm:
            wanted = min(wanted, self.workload.confirm - self.confirms.outstanding)
        if self.limit:
            wanted = min(wanted, self.limit - self.confirms.published)
        return wanted

    def _finished(self) -> bool:
        return bool(self.limit) and self.confirms.published >= self.limit

    async def _wait(self) -> None:
        """Until the broker has said something."""
        self.moved = trio.Event()
        await self.moved.wait()


async def _sleep_until(due: float) -> None:
    left = (due - monotonic_ns()) / SECOND_NS
    if left > SPIN_SECONDS:
        await trio.sleep(left - SPIN_SECONDS)
    await trio.lowlevel.checkpoint()
    while monotonic_ns() < due:
        await trio.lowlevel.checkpoint()
