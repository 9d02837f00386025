"""Whole brokers that lose their power: random clients, and one disk that outlives several brokers.

Clients do random things to a broker over a disk in memory, and at a random change of that disk the machine
stops, in any state that the disk may legally be left in. `moments` says what the next broker must find.
"""

import random
from collections.abc import Callable
from typing import Any

from pamqp import commands, frame, header

from mambaamqp.broker.entry import NEVER
from mambaamqp.broker.queue import Queue
from mambaamqp.errors import StoreError
from mambaamqp.server.housekeeping import tidy
from mambaamqp.store.spool import WHOLE_BYTES_MAX
from tests.support.accounts import check_accounts
from tests.support.client import World
from tests.support.disk import MemoryDisk
from tests.support.moments import (
    CONSUMED,
    EXCHANGES,
    KEEPING,
    KEYS,
    PASSING,
    QUEUES,
    STREAM,
    Model,
    Moment,
    judge,
    moment_of,
)
from tests.support.seats import Held, Seat
from tests.support.violation import Violation

TARGETS = ("", "commit", "commit", "acknowledge", "acknowledge", "publish", "delete", "housekeep", "compact")
"""The steps that the power cut looks for; the empty one means any. Large transactions are rare and long."""
LIVES = 3
"""Brokers in a row over one disk, stopped by power cuts, now and then in good order."""
STEPS = 120


class PowerCut(BaseException):
    """The machine stops; `disk` is what is left."""

    def __init__(self, disk: MemoryDisk) -> None:
        super().__init__("power cut")
        self.disk = disk


class Simulation:
    """One disk, and the lives of the brokers over it."""

    def __init__(self, seed: int, *, lives: int = LIVES, steps: int = STEPS, tidiness: int = 1) -> None:
        """`tidiness`: how often, compared to clients, the broker sees to its segments."""
        self.lives = lives
        self.steps = steps
        self.tidiness = tidiness
        self.rng = random.Random(seed)
        self.drowsy = self.rng.choice((0, 1, 3))
        self.whole_bytes_max = self.rng.choice((150, 150, 1000, WHOLE_BYTES_MAX))
        self.disk = MemoryDisk()
        self.model = Model()
        self.bodies = 0
        self.moved = 0
        """Messages that compaction wrote again."""
        self.headers: dict[bytes, bytes] = {}
        """Body of each persistent message → its content header, as sent."""
        self.countdown = 0
        self.target = self.acting = ""
        self.clean = False
        """The last stop was in good order."""
        self.cut: MemoryDisk | None = None

    def run(self) -> None:
        """Live, crash, and compare, several times."""
        for _ in range(self.lives):
            self.begin_life()
            for _ in range(self.steps):
                self.step()
                if self.cut is not None:
                    break
            self.compare()

    def begin_life(self) -> None:
        self.world = self.open(self.disk)
        self.world.journal.segment_bytes = self.rng.choice((2000, 20_000))
        self.world.journal.slack_segments = 0 if self.tidiness > 1 else self.rng.choice((1, 4))
        self.world.broker.compaction.slice_entries = self.rng.choice((3, 4096))
        self.world.broker.compaction.slice_bytes = self.rng.choice((100, 1000, 65_536))
        self.world.journal.frame_bytes_target = self.rng.choice((100, 200, 1000, 1 << 22))
        self.vhost = self.world.broker.vhosts["/"]
        self.check_agreement()
        self.seats = [Seat(self, self.rng.choice(("confirm", "confirm", "tx", ""))) for _ in range(3)]
        self.cut = None
        self.target = self.rng.choice(TARGETS)
        self.countdown = self.rng.randint(1, 8 if self.target else 200)
        self.disk.before = self._count_down

    def open(self, disk: MemoryDisk) -> World:
        """A broker that starts on a disk."""
        return World(disk, drowsy=self.drowsy, whole_bytes_max=self.whole_bytes_max)

    def _count_down(self, _: str) -> None:
        self.countdown -= self.target in ("", self.acting)
        if self.countdown == 0:
            raise PowerCut(self.disk.crash(self.rng))

    # Steps

    def step(self) -> None:
        """One thing that a client or the broker does."""
        actions: list[tuple[Callable[[], None], int]] = [
            (self.declare, 12 - 2 * len(self.model.queues)),
            (self.bind, 3),
            (self.publish, 12),
            (self.commit, 4),
            (self.consume, 2),
            (self.acknowledge, 8),
            (self.get, 3),
            (self.hold, 3 if self.world.hold else 1),
            (self.housekeep, 2 * self.tidiness),
            (self.compact, 4 * self.tidiness if self.world.broker.compaction.deadline != NEVER else 0),
            (self.purge, 1),
            (self.trim, 3),
            (self.delete, 1),
            (self.unbind, 1),
            (self.leave, 1),
        ]
        (action,) = self.rng.choices([a for a, _ in actions], [weight for _, weight in actions])
        self.acting = action.__name__
        action()

    def guarded(self, work: Callable[[], Any]) -> Any:
        """Do it, and read all that came of it; a power cut ends this life after the step."""
        result = None
        try:
            result = work()
        except PowerCut as cut:
            self.cut = cut.disk
            for seat in self.seats:
                seat.client.pump()
        except StoreError as failure:
            raise Violation("I13", f"the store fails, and no call to the disk has: {failure}") from failure
        return result

    def listen(self) -> None:
        for seat in self.seats:
            seat.listen()

    def feed(self, seat: Seat, method: Any, answer: type | None, moment: int | None) -> None:
        """A method; `moment` is what its answer promises."""
        if answer is not None:
            seat.awaited.append((answer, moment))
        self.guarded(lambda: seat.client.send(1, method))
        self.listen()

    def changed(self, before: int) -> int | None:
        """The moment of a step, if it made one."""
        now = self.model.note()
        return now if now != before else None

    def declare(self) -> None:
        seat, before = self.rng.choice(self.seats), len(self.model.moments) - 1
        if self.rng.random() < 0.6:
            name = self.rng.choice(list(QUEUES))
            if name == STREAM and name not in self.model.queues:
                self.model.stream_next = 1
            self.model.queues.setdefault(name, [])
            method: Any = commands.Queue.Declare(queue=name, durable=name != PASSING, arguments=QUEUES[name])
            answer: type = commands.Queue.DeclareOk
        else:
            name = self.rng.choice(list(EXCHANGES))
            self.model.exchanges[name] = EXCHANGES[name]
            method = commands.Exchange.Declare(exchange=name, exchange_type=EXCHANGES[name], durable=True)
            answer = commands.Exchange.DeclareOk
        self.feed(seat, method, answer, self.changed(before))

    def bind(self) -> None:
        if not self.model.queues or not self.model.exchanges:
            return
        seat, before = self.rng.choice(self.seats), len(self.model.moments) - 1
        exchange = self.rng.choice(sorted(self.model.exchanges))
        if "graveyard" in self.model.exchanges and self.rng.random() < 0.3:
            exchange = "graveyard"
        queue = "dead" if exchange == "graveyard" else self.rng.choice(sorted(self.model.queues))
        if queue not in self.model.queues or (queue == "dead" and exchange != "graveyard"):
            return
        key = self.rng.choice((*KEYS, "#"))
        self.model.bindings.add((exchange, key, queue))
        method = commands.Queue.Bind(queue=queue, exchange=exchange, routing_key=key)
        self.feed(seat, method, commands.Queue.BindOk, self.changed(before))

    def unbind(self) -> None:
        if not self.model.bindings:
            return
        seat, before = self.rng.choice(self.seats), len(self.model.moments) - 1
        binding = self.rng.choice(sorted(self.model.bindings))
        self.model.bindings.remove(binding)
        exchange, key, queue = binding
        method = commands.Queue.Unbind(queue=queue, exchange=exchange, routing_key=key)
        self.feed(seat, method, commands.Queue.UnbindOk, self.changed(before))

    def publish(self) -> None:
        seat = self.rng.choice([*self.seats, *(seat for seat in self.seats if seat.mode == "tx")])
        exchange = self.rng.choice(["", "", *sorted(set(self.model.exchanges) - {"graveyard"})])
        key = self.rng.choice(KEYS if exchange else (*QUEUES, "nowhere"))
        if not exchange and key == "dead":
            return
        body = self.new_body()
        persistent = self.rng.random() < 0.85 or "short" in self.model.routes(exchange, key)
        routes = self.model.routes(exchange, key)
        if seat.mode == "tx":
            kept = [name for name in routes if persistent or name in KEEPING]
            seat.tx_publishes.append((body, [self.vhost.queues[name] for name in kept]))
        else:
            self._take_publish(seat, body, [name for name in routes if persistent or name in KEEPING])
        self.send_publish(seat, body, exchange, key, persistent)
        self.listen()

    def new_body(self) -> bytes:
        """Every body is one of a kind; some are large enough for many sectors."""
        self.bodies += 1
        size = self.rng.choice((0, 0, 5, 100, 700, 3000))
        return b"%d:" % self.bodies + self.rng.randbytes(size)

    def _take_publish(self, seat: Seat, body: bytes, queues: list[str]) -> None:
        self.model.put(body, queues)
        moment = self.model.note()
        if self.model.shorten(queues):
            self.model.note()
        if seat.mode == "confirm":
            # A message that nobody keeps is confirmed too, and that promises nothing.
            seat.unconfirmed[seat.next_publish] = moment if set(queues) - {PASSING} else 0
            seat.next_publish += 1

    def send_publish(self, seat: Seat, body: bytes, exchange: str, key: str, persistent: bool) -> None:
        properties = {"delivery_mode": 2 if persistent else 1, "headers": {"n": self.bodies}}
        if persistent:
            head = header.ContentHeader(0, len(body), commands.Basic.Properties(**properties))
            self.headers[body] = frame.marshal(head, 1)[7:-1]
        cut = self.rng.choice((131064, 50))
        self.guarded(lambda: seat.client.publish(body, key, exchange, properties=properties, frame_size=cut))

    def commit(self) -> None:
        """tx.commit, or now and then tx.rollback."""
        seats = [seat for seat in self.seats if seat.mode == "tx"]
        if not seats:
            return
        seat = self.rng.choice(seats)
        before = len(self.model.moments) - 1
        publishes, settled = seat.tx_publishes, seat.tx_settled
        if len(publishes) + len(settled) < 3 and self.rng.random() < 0.8:
            return
        seat.tx_publishes, seat.tx_settled = [], []
        if self.rng.random() < 0.15:
            seat.held.update({held.tag: held for held, _ in settled})
            self.feed(seat, commands.Tx.Rollback(), commands.Tx.RollbackOk, None)
            return
        buried = [held for held, action in settled if action == "reject"]
        for held, action in settled:
            if action != "requeue" and self.is_there(held.queue):
                self.model.remove(held.queue.name, held.body)
        for body, queues in publishes:
            self.model.put(body, [queue.name for queue in queues if self.is_there(queue)])
            self.model.shorten([queue.name for queue in queues if self.is_there(queue)])
        for held in buried:
            self._bury(held)
        self.feed(seat, commands.Tx.Commit(), commands.Tx.CommitOk, self.changed(before))

    def is_there(self, queue: Queue) -> bool:
        """Whether this very queue still exists, rather than one of its name."""
        return self.vhost.queues.get(queue.name) is queue

    def _bury(self, held: Held) -> None:
        """Where a rejected message goes."""
        if held.queue.name == "deadly" and held.body in self.headers and "graveyard" in self.model.exchanges:
            self.model.put(held.body, self.model.routes("graveyard", ""))

    def consume(self) -> None:
        seat = self.rng.choice(self.seats)
        names = [name for name in CONSUMED if name in self.model.queues and name not in seat.consuming]
        if not names:
            return
        name = self.rng.choice(names)
        seat.consuming[name] = self.vhost.queues[name]
        method = commands.Basic.Consume(queue=name, consumer_tag=name)
        self.feed(seat, method, commands.Basic.ConsumeOk, None)

    def acknowledge(self) -> None:
        """basic.ack, nack or reject, of one delivery or of several."""
        seats = [seat for seat in self.seats if seat.held]
        if not seats:
            return
        seat = self.rng.choice(seats)
        tag = self.rng.choice(sorted(seat.held))
        multiple = self.rng.random() < 0.3
        action = self.rng.choice(("ack", "reject", "reject", "requeue"))
        taken = [held for held in sorted(seat.held.values(), key=lambda held: held.tag) if held.tag <= tag]
        if not multiple:
            taken = taken[-1:]
        for held in taken:
            del seat.held[held.tag]
        if seat.mode == "tx":
            seat.tx_settled += [(held, action) for held in taken]
        elif action == "ack":
            self._note_settled(taken)
        elif action == "reject":
            for held in taken:
                self._note_rejected(held)
        if action == "ack":
            method: Any = commands.Basic.Ack(tag, multiple)
        elif multiple or self.rng.random() < 0.5:
            method = commands.Basic.Nack(tag, multiple, action == "requeue")
        else:
            method = commands.Basic.Reject(tag, action == "requeue")
        self.feed(seat, method, None, None)

    def _note_settled(self, taken: list[Held]) -> None:
        """Each queue writes its settlements on its own."""
        for queue in dict.fromkeys(held.queue for held in taken):
            for held in taken:
                if held.queue is queue and self.is_there(queue):
                    self.model.remove(queue.name, held.body)
            self.model.note()

    def _note_rejected(self, held: Held) -> None:
        """A dead letter leaves one queue and reaches others in one step."""
        if self.is_there(held.queue):
            self.model.remove(held.queue.name, held.body)
        self._bury(held)
        self.model.note()

    def get(self) -> None:
        """basic.get of what waits, settled at once."""
        names = sorted(self.model.queues.keys() - {STREAM})
        if not names:
            return
        seat = self.rng.choice(self.seats)
        name = self.rng.choice(names)
        first = self.vhost.queues[name].ready.peek()
        if first is None:
            return
        self.model.remove(name, first.message.body())
        self.model.note()
        seat.got.append(first.message.body())
        self.feed(seat, commands.Basic.Get(queue=name, no_ack=True), commands.Basic.GetOk, None)

    def hold(self) -> None:
        """The disk is slow: nothing is synced until it is fast again."""
        if self.world.hold:
            self.world.hold = False
            self.guarded(self.world.settle)
            self.listen()
        else:
            self.world.hold = True

    def housekeep(self) -> None:
        """What the shell does once a second."""
        tidy(self.world.journal, self.world.broker)
        self.world.broker.compact(self.world.now)
        self.guarded(self.world.settle)
        self.listen()

    def compact(self) -> None:
        """A slice of emptying sparse segments, if one is under way."""
        compaction = self.world.broker.compaction
        if compaction.deadline == NEVER:
            return
        moved = compaction.moved_messages
        compaction.step()
        self.moved += compaction.moved_messages - moved
        check_accounts(self.world)
        self.guarded(self.world.settle)
        self.listen()

    def purge(self) -> None:
        names = sorted(self.model.queues.keys() - {STREAM})
        if not names:
            return
        seat = self.rng.choice(self.seats)
        name = self.rng.choice(names)
        for entry in self.vhost.queues[name].ready.entries():
            self.model.remove(name, entry.message.body())
        before = len(self.model.moments) - 1
        method = commands.Queue.Purge(queue=name)
        self.feed(seat, method, commands.Queue.PurgeOk, self.changed(before))

    def trim(self) -> None:
        """All of the stream has become too old; one step, since it is one record."""
        stream = self.vhost.queues.get(STREAM)
        if stream is None or not stream.ready.count:
            return
        self.model.queues[STREAM].clear()
        self.model.note()
        stream.arguments.max_age_ms = 0
        while stream.ready.count:
            stream.dispatch()
        stream.arguments.max_age_ms = None
        self.guarded(self.world.settle)
        self.listen()

    def delete(self) -> None:
        seat, before = self.rng.choice(self.seats), len(self.model.moments) - 1
        if self.rng.random() < 0.7 and self.model.queues:
            name = self.rng.choice(sorted(self.model.queues))
            del self.model.queues[name]
            self.model.bindings = {binding for binding in self.model.bindings if binding[2] != name}
            method: Any = commands.Queue.Delete(queue=name)
            answer: type = commands.Queue.DeleteOk
        elif self.model.exchanges:
            name = self.rng.choice(sorted(self.model.exchanges))
            del self.model.exchanges[name]
            self.model.bindings = {binding for binding in self.model.bindings if binding[0] != name}
            method, answer = commands.Exchange.Delete(exchange=name), commands.Exchange.DeleteOk
        else:
            return
        self.feed(seat, method, answer, self.changed(before))

    def leave(self) -> None:
        """A connection breaks; what it held waits again."""
        seat = self.rng.choice(self.seats)
        self.seats.remove(seat)
        self.guarded(seat.client.disconnect)
        self.listen()
        if self.cut is None:
            self.guarded(lambda: self.seats.append(Seat(self, seat.mode)))

    # Judgement

    def compare(self) -> None:
        """This life ends; the next broker finds a moment that may be."""
        self.disk.before = None
        self.clean = self.cut is None and self.rng.random() < 0.3
        if self.clean:
            self.world.hold = False
            self.world.settle()
            self.listen()
            self.model.promise(len(self.model.moments) - 1)
            world = self.world.restart()
            assert world.store.clean_stop
        else:
            world = self.open(self.after_crashes())
        found = self.judge(world)
        self.model.restart(found)
        self.disk = world.disk

    def after_crashes(self) -> MemoryDisk:
        """What the power cut has left, and those that may follow while the next brokers start."""
        after = self.disk.crash(self.rng) if self.cut is None else self.cut
        while self.rng.random() < 0.4:
            self.disk, self.countdown = after, self.rng.randint(1, 12)
            after.before = self._count_down
            try:
                self.target = ""
                self.open(after)
            except PowerCut as cut:
                after = cut.disk
            after.before = None
        return after

    def judge(self, world: World) -> Moment:
        """The moment that a broker has found after a crash or a stop; Violation if it may not be."""
        damage = [finding for finding in world.store.findings if not finding.torn]
        if damage:
            raise Violation("I11", f"a power cut is no damage: {damage[0]}")
        found = moment_of(world)
        judge(self.model, found)
        self.check_octets(world)
        self.check_marks(world)
        self.check_offsets(world)
        return found

    def check_agreement(self) -> None:
        """The broker that starts holds what the model says."""
        assert moment_of(self.world) == self.model.moment()

    def check_marks(self, world: World) -> None:
        """After a stop that was not clean whatever waits may have been delivered."""
        for queue in world.broker.vhosts["/"].queues.values():
            if queue.name == STREAM or world.store.clean_stop:
                continue
            if not all(entry.redelivered for entry in queue.ready.entries()):
                raise Violation("I6", f"not marked as redelivered in {queue.name}")

    def check_offsets(self, world: World) -> None:
        """What a stream holds stands right before the position that it goes on with, without a gap."""
        stream = world.broker.vhosts["/"].queues.get(STREAM)
        if stream is not None:
            positions = [entry.position for entry in stream.ready.entries()]
            if positions != list(range(stream.next_position - len(positions), stream.next_position)):
                raise Violation("I4", f"offsets have changed: {positions} before {stream.next_position}")

    def check_octets(self, world: World) -> None:
        """Content headers are as they were sent, but for those of dead letters."""
        for queue in world.broker.vhosts["/"].queues.values():
            for entry in queue.ready.entries() if queue.name not in ("dead", "quorum") else ():
                if queue.name == STREAM and entry.message.body() not in self.headers:
                    continue
                if entry.message.header() != self.headers.get(entry.message.body()):
                    raise Violation("I2", f"the content header of {entry.message.body()[:9]!r} has changed")
