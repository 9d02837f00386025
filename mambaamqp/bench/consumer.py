"""A consumer under way: one connection that takes and acknowledges what comes, or asks for it."""

from time import monotonic_ns

import trio

from mambaamqp.bench.flow import CHANNEL, Arrivals
from mambaamqp.bench.histogram import Histogram
from mambaamqp.bench.link import Link
from mambaamqp.bench.workload import Workload
from mambaamqp.wire.framing import FRAME_METHOD, frame
from mambaamqp.wire.methods import Basic, encode


class Consumer:
    """One consuming connection."""

    def __init__(self, link: Link, workload: Workload, number: int, latency: Histogram) -> None:
        self.link = link
        self.workload = workload
        self.queue = workload.queue(number)
        self.arrivals = Arrivals(workload.ack_every, workload.stamped, latency)

    async def prepare(self) -> None:
        """Subscribe, unless it is going to poll."""
        if self.workload.get:
            return
        if self.workload.prefetch:
            await self.link.call(Basic.Qos(prefetch_count=self.workload.prefetch), Basic.QosOk)
        consume = Basic.Consume(queue=self.queue, consumer_tag="c", no_ack=not self.workload.ack_every)
        await self.link.call(consume, Basic.ConsumeOk)

    async def run(self) -> None:
        """Consume until cancelled."""
        if self.workload.get:
            await self._poll()
        while True:
            await self._take()

    async def _take(self) -> None:
        data = await self.link.receive()
        self.arrivals.take(data, monotonic_ns())
        if acks := self.arrivals.take_acks():
            await self.link.send(acks)
        await trio.lowlevel.checkpoint()

    async def _poll(self) -> None:
        """basic.get, one at a time."""
        get = encode(Basic.Get(queue=self.queue, no_ack=not self.workload.ack_every))
        octets = frame(FRAME_METHOD, CHANNEL, get)
        arrivals = self.arrivals
        while True:
            answered = arrivals.consumed + arrivals.empty
            await self.link.send(octets)
            while arrivals.consumed + arrivals.empty == answered:
                await self._take()
