"""One run: declare, connect, put the load on, watch the clock, tidy up."""

from collections.abc import Callable
from time import monotonic
from typing import Final

import trio

from mambaamqp.bench.consumer import Consumer
from mambaamqp.bench.flow import CHANNEL, BenchError
from mambaamqp.bench.histogram import Histogram
from mambaamqp.bench.link import Link, dial
from mambaamqp.bench.outcome import Outcome, Totals, live_line
from mambaamqp.bench.producer import Producer
from mambaamqp.bench.target import Target
from mambaamqp.bench.workload import Workload
from mambaamqp.wire.framing import FRAME_METHOD, frame
from mambaamqp.wire.methods import Exchange, Queue, encode

LIVE_SECONDS: Final = 1.0
TICK_SECONDS: Final = 0.02
TIDY_SECONDS: Final = 60.0

Show = Callable[[str], None]


class Run:
    """Everybody who takes part in a run."""

    def __init__(self, target: Target, workload: Workload, show: Show) -> None:
        self.target = target
        self.workload = workload
        self.show = show
        self.confirm = Histogram()
        self.end_to_end = Histogram()
        self.producers: list[Producer] = []
        self.consumers: list[Consumer] = []
        self.links: list[Link] = []
        self.started = 0.0

    async def execute(self) -> Outcome:
        """All of it. The queues go away at the end, unless they are to be kept."""
        try:
            await self._declare(await self._dial())
            await self._connect()
            return await self._load()
        finally:
            for link in self.links:
                link.close()
            if self.links and not self.workload.keep:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + TIDY_SECONDS):
                    await self._tidy()

    async def _dial(self) -> Link:
        link = await dial(self.target)
        self.links.append(link)
        return link

    async def _declare(self, admin: Link) -> None:
        load = self.workload
        for queue in load.queue_names():
            declare = Queue.Declare(queue=queue, durable=load.durable, arguments=load.arguments)
            await admin.call(declare, Queue.DeclareOk)
        if not load.exchange_type:
            return
        exchange = Exchange.Declare(
            exchange=load.exchange, exchange_type=load.exchange_type, durable=load.durable
        )
        await admin.call(exchange, Exchange.DeclareOk)
        *others, last = [
            Queue.Bind(queue=queue, exchange=load.exchange, routing_key=key, nowait=True)
            for queue, key in load.binding_keys()
        ]
        for bind in others:
            await admin.send(frame(FRAME_METHOD, CHANNEL, encode(bind)))
        last.nowait = False
        await admin.call(last, Queue.BindOk)

    async def _connect(self) -> None:
        for number in range(self.workload.consumers):
            consumer = Consumer(await self._dial(), self.workload, number, self.end_to_end)
            self.consumers.append(consumer)
            await consumer.prepare()
        for number in range(self.workload.producers):
            producer = Producer(await self._dial(), self.workload, number, self.confirm)
            self.producers.append(producer)
            await producer.prepare()

    async def _load(self) -> Outcome:
        self.started = monotonic()
        async with trio.open_nursery() as nursery:
            for consumer in self.consumers:
                nursery.start_soon(consumer.run)
            for producer in self.producers:
                nursery.start_soon(producer.run)
            outcome = await self._watch()
            nursery.cancel_scope.cancel()
        return outcome

    async def _watch(self) -> Outcome:
        warmup = 0.0 if self.workload.count else self.workload.warmup
        await trio.sleep(warmup)
        self.confirm.clear()
        self.end_to_end.clear()
        since, before = monotonic(), self.totals()
        await self._wait_for_end()
        seconds = max(monotonic() - since, 1e-9)
        return Outcome(self.totals(), before, seconds, self.confirm.summary(), self.end_to_end.summary())

    async def _wait_for_end(self) -> None:
        shown, before = monotonic(), self.totals()
        end = self.started + self.workload.seconds
        while (now := monotonic()) < end and not self._counted_out():
            if now - shown >= LIVE_SECONDS:
                totals = self.totals()
                rates = totals.since(before, now - shown)
                self.show(live_line(now - self.started, rates, self.end_to_end.summary()))
                shown, before = now, totals
            await trio.sleep(min(TICK_SECONDS, end - now))

    def _counted_out(self) -> bool:
        if not self.workload.count:
            return False
        totals = self.totals()
        if self.consumers:
            return totals.consumed >= self.workload.count
        limit = sum(producer.limit for producer in self.producers)
        return (totals.confirmed if self.workload.confirm else totals.published) >= limit

    def totals(self) -> Totals:
        """The counts now."""
        confirms = [producer.confirms for producer in self.producers]
        return Totals(
            published=sum(each.published for each in confirms),
            confirmed=sum(each.published - each.outstanding for each in confirms if each.awaited),
            consumed=sum(consumer.arrivals.consumed for consumer in self.consumers),
            nacked=sum(each.nacked for each in confirms),
            returned=sum(each.returned for each in confirms),
        )

    async def _tidy(self) -> None:
        """On a connection of its own: the others may be the reason why the load has ended."""
        try:
            admin = await dial(self.target)
            await self._delete(admin)
            admin.close()
        except BenchError as error:
            self.show(f"left behind: {self.workload.name}-*: {error}")

    async def _delete(self, admin: Link) -> None:
        for queue in self.workload.queue_names():
            await admin.call(Queue.Delete(queue=queue), Queue.DeleteOk)
        if self.workload.exchange_type:
            await admin.call(Exchange.Delete(exchange=self.workload.exchange), Exchange.DeleteOk)


def run(target: Target, workload: Workload, show: Show) -> Outcome:
    """Put the load on; `show` gets a line a second. Raises BenchError in one piece."""
    try:
        return trio.run(Run(target, workload, show).execute)
    except BaseExceptionGroup as group:
        raise _first(group) from None


def _first(error: BaseException) -> BaseException:
    """What the reader needs to know: a bug before an interruption before a refusal."""
    while isinstance(error, BaseExceptionGroup):
        error = sorted(error.exceptions, key=lambda each: isinstance(each, BenchError))[0]
    return error
