"""One queue, several clients, anything in any order, against a model that a reader can check by eye.

The model: messages have numbers; those that wait go out lowest number first; what is outstanding belongs to
a client's tag until it is settled; what comes back waits again, at its place, marked. After every step the
broker must agree about what waits, what is outstanding, and that nobody who could take a message is idle,
unless an operator has paused the queue: then nobody is given anything.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from pamqp import commands

from tests.support.client import Client, Delivery, World
from tests.support.desk import Operator

CLIENTS = 3


class Seat:
    """A client's channel as the model sees it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.tags: dict[int, int] = {}
        """Delivery tag → message number, of what is outstanding."""
        self.consumers: dict[str, int] = {}
        """Consumer tag → prefetch; -1 for automatic acknowledgement."""
        self.holders: dict[int, str] = {}
        """Delivery tag → consumer."""
        self.published = 0

    def has_credit(self) -> bool:
        for tag, prefetch in self.consumers.items():
            held = sum(holder == tag for holder in self.holders.values())
            if prefetch <= 0 or held < prefetch:
                return True
        return False


class Deliveries(RuleBasedStateMachine):
    """The broker and the model, side by side."""

    seats = Bundle("seats")

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.waiting: set[int] = set()
        self.persistent: set[int] = set()
        self.marked: set[int] = set()
        self.number = 0
        self.serial = 0
        self.table: list[Seat] = []
        self.paused = False

    @initialize(target=seats)
    def sit_down(self) -> Any:
        """Three clients, and a durable queue."""
        self.world.connect().open().queue("q", durable=True)
        self.table = [Seat(self.world.connect().open().confirm()) for _ in range(CLIENTS)]
        return multiple(*range(CLIENTS))

    # What clients do

    @rule(at=seats, count=st.integers(1, 4), persistent=st.booleans())
    def publish(self, at: int, count: int, persistent: bool) -> None:
        seat = self.table[at]
        for _ in range(count):
            self.number += 1
            seat.published += 1
            self.waiting.add(self.number)
            if persistent:
                self.persistent.add(self.number)
            mode = {"delivery_mode": 2 if persistent else 1}
            seat.client.publish(b"%d" % self.number, properties=mode)
            self.observe()

    @rule(at=seats, no_ack=st.booleans())
    def get(self, at: int, no_ack: bool) -> None:
        seat = self.table[at]
        expected = min(self.waiting) if self.waiting and not self.paused else None
        delivery = seat.client.get("q", no_ack=no_ack)
        if expected is None:
            assert delivery is None
            return
        assert delivery is not None
        self.take(seat, delivery, expected)
        if not no_ack:
            seat.tags[delivery.method.delivery_tag] = expected
        self.observe()

    @rule(at=seats, prefetch=st.integers(-1, 3))
    def consume(self, at: int, prefetch: int) -> None:
        seat = self.table[at]
        self.serial += 1
        tag = f"c{self.serial}"
        seat.client.call(1, commands.Basic.Qos(0, max(prefetch, 0), False))
        seat.consumers[tag] = prefetch
        seat.client.consume("q", tag, no_ack=prefetch < 0)
        self.observe()

    @rule(at=seats)
    def cancel(self, at: int) -> None:
        seat = self.table[at]
        if seat.consumers:
            tag = sorted(seat.consumers)[0]
            del seat.consumers[tag]
            seat.client.call(1, commands.Basic.Cancel(tag))
            self.observe()

    @rule(
        at=seats, data=st.data(), how=st.sampled_from(["ack", "nack", "drop", "reject"]), upto=st.booleans()
    )
    def settle(self, at: int, data: st.DataObject, how: str, upto: bool) -> None:
        seat = self.table[at]
        if not seat.tags:
            return
        tag = data.draw(st.sampled_from(sorted(seat.tags)))
        upto = upto and how != "reject"
        settled = [known for known in seat.tags if known == tag or (upto and known < tag)]
        numbers = [self.let_go(seat, known) for known in settled]
        if how in ("nack", "reject"):
            self.come_back(numbers)
        if how == "ack":
            seat.client.ack(tag, upto)
        elif how == "reject":
            seat.client.reject(tag)
        else:
            seat.client.nack(tag, upto, requeue=how == "nack")
        self.observe()

    @rule(at=seats)
    def recover(self, at: int) -> None:
        seat = self.table[at]
        self.come_back([self.let_go(seat, tag) for tag in list(seat.tags)])
        seat.client.call(1, commands.Basic.Recover(True))
        self.observe()

    @rule(at=seats)
    def purge(self, at: int) -> None:
        count = self.table[at].client.call(1, commands.Queue.Purge(queue="q")).message_count
        assert count == len(self.waiting)
        self.waiting.clear()

    @rule(pause=st.booleans())
    def pause_or_resume(self, pause: bool) -> None:
        Operator(self.world).ask("queue pause" if pause else "queue resume", name="q")
        self.paused = pause
        self.observe()

    # What befalls them

    @rule(at=seats)
    def close_channel(self, at: int) -> None:
        seat = self.table[at]
        self.leave(seat)
        seat.client.call(1, commands.Channel.Close(200, "", 0, 0))
        self.observe()
        self.table[at] = Seat(seat.client.open().confirm())

    @rule(at=seats)
    def lose_connection(self, at: int) -> None:
        seat = self.table[at]
        self.leave(seat)
        seat.client.disconnect()
        self.observe()
        self.table[at] = Seat(self.world.connect().open().confirm())

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        for seat in self.table:
            self.leave(seat)
        self.world = self.world.restart(clean=clean)
        self.waiting &= self.persistent
        if not clean:
            self.marked |= self.waiting
        self.table = [Seat(self.world.connect().open().confirm()) for _ in range(CLIENTS)]

    # The model

    def leave(self, seat: Seat) -> None:
        seat.consumers.clear()
        self.come_back([self.let_go(seat, tag) for tag in list(seat.tags)])

    def let_go(self, seat: Seat, tag: int) -> int:
        seat.holders.pop(tag, None)
        return seat.tags.pop(tag)

    def come_back(self, numbers: list[int]) -> None:
        self.waiting |= set(numbers)
        self.marked |= set(numbers)

    def take(self, seat: Seat, delivery: Delivery, number: int) -> None:
        assert delivery.body == b"%d" % number
        assert delivery.method.redelivered == (number in self.marked)
        self.waiting.remove(number)

    def observe(self) -> None:
        """Note what consumers were given: the lowest that waited, each client's in order."""
        arrived: list[tuple[int, Seat, Delivery]] = []
        for seat in self.table:
            mine = [(int(delivery.body), seat, delivery) for delivery in seat.client.take()]
            arrived += mine
        numbers = sorted(number for number, _, _ in arrived)
        assert numbers == sorted(self.waiting)[: len(numbers)]
        assert not (numbers and self.paused)
        for number, seat, delivery in arrived:
            self.take(seat, delivery, number)
            consumer = delivery.method.consumer_tag
            if seat.consumers[consumer] >= 0:
                seat.tags[delivery.method.delivery_tag] = number
                seat.holders[delivery.method.delivery_tag] = consumer

    @invariant()
    def broker_and_model_agree(self) -> None:
        if not self.table:
            return
        queue = self.world.broker.vhosts["/"].queues["q"]
        assert [int(entry.message.body()) for entry in queue.ready.entries()] == sorted(self.waiting)
        assert queue.ready.count == len(self.waiting)
        assert queue.unacked == sum(len(seat.tags) for seat in self.table)
        assert sum(segment.live for segment in self.world.journal.segments) >= 0

    @invariant()
    def nobody_is_idle_while_something_waits(self) -> None:
        assert self.paused or not self.waiting or not any(seat.has_credit() for seat in self.table)

    @invariant()
    def every_publish_is_confirmed(self) -> None:
        for seat in self.table:
            acked = 0
            for value in seat.client.of(commands.Basic.Ack):
                acked = value.delivery_tag
            if seat.published:
                assert acked == seat.published
            assert not seat.client.of(commands.Channel.Close)
            assert not seat.client.of(commands.Connection.Close)


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
