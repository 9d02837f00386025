"""A queue: what waits, who takes it, and what becomes of it.

Knows order, credit, limits, expiry and settlement of its own entries. Refuses to know routing, permissions
and the journal's format: where a dead letter goes and how a settlement is written is its virtual host's
matter. Invariant: every entry is in exactly one state (READY, UNACKED, DELAYED, GONE), and a journaled entry
that becomes GONE has its position noted in `settled` until the next flush writes it.

A push only appends; `dispatch` runs once per batch for all queues touched. Whoever needs the exact state
in the middle of a batch (get, declare-ok, a length limit) calls `dispatch` first.
"""

from typing import TYPE_CHECKING

from mambaamqp.broker import emptying
from mambaamqp.broker.arguments import QueueArguments
from mambaamqp.broker.consumers import Consumer, Rotation, first_by_priority
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.entry import DELAYED, GONE, NEVER, READY, UNACKED, Entry
from mambaamqp.broker.expiry import Expiry
from mambaamqp.broker.kept import Kept
from mambaamqp.broker.message import Message
from mambaamqp.broker.pace import Pace
from mambaamqp.broker.policy import NO_RULE
from mambaamqp.broker.ready import Block, Line, Ready, ready_for
from mambaamqp.broker.retry import Delayed
from mambaamqp.broker.unique import Unique
from mambaamqp.wire.table import Table

if TYPE_CHECKING:
    from mambaamqp.broker.vhost import VirtualHost

GRAVES_MAX = 1024
"""So many dead of one queue wait for their burial, at most."""


class Queue(Destination):
    """One queue of a virtual host.

    `owner` is the connection (an opaque object) of an exclusive queue; `journaled` says that its
    persistent messages survive a restart; `serial` is its id in the journal.
    """

    def __init__(
        self,
        vhost: "VirtualHost",
        serial: int,
        name: str,
        *,
        durable: bool,
        auto_delete: bool,
        owner: object | None,
        table: Table,
        arguments: QueueArguments,
    ) -> None:
        super().__init__(name, True)
        self.vhost = vhost
        self.broker = vhost.broker
        self.serial = serial
        self.durable = durable
        self.auto_delete = auto_delete
        self.owner = owner
        self.table = table
        self.arguments = arguments
        """What it is to do, policies included; what it was declared with is `table`."""
        self.rule = NO_RULE
        self.retimed = False
        """The time to live has changed: what is unacknowledged has a deadline of before."""
        self.journaled = durable and owner is None
        self.keeps_all = arguments.queue_type == "quorum"
        """A quorum queue keeps transient messages too."""
        self.ready: Ready = ready_for(arguments.queue_type, arguments.max_priority, self)
        self.delayed = Delayed()
        self.kept = Kept()
        self.unacked = 0
        self.next_position = 1
        self.pace = Pace()
        self.consumers: list[Consumer] = []
        self.rotation = Rotation()
        self.paused = False
        self.last_active: Consumer | None = None
        """Of a paused queue with a single active consumer: who that was."""
        self.had_consumer = False
        self.dirty = False
        self.deleted = False
        self.expiry = Expiry()
        self.appointment = NEVER
        self.used_at = self.broker.now
        self.settled: list[tuple[int, int]] = []
        self.returned: list[Entry] = []
        self.marks: list[tuple[int, int]] = []
        """(position, delivery count) of what sleeps and is to be written like what has returned."""
        self.settling = False
        self.unique: Unique | None = None
        self.rejects = self.bounded = self.selective = self.loses_no_dead = False
        self._take_bounds()
        if arguments.expires_ms is not None:
            self._appoint_expiry()

    def _take_bounds(self) -> None:
        arguments = self.arguments
        self.rejects = arguments.overflow in ("reject-publish", "reject-publish-dlx")
        self.bounded = arguments.max_length is not None or arguments.max_length_bytes is not None
        self.loses_no_dead = arguments.at_least_once
        header = arguments.unique_by
        if header != (None if self.unique is None else self.unique.header):
            self.unique = None if header is None else Unique(header)
            self.recall()
        self.selective = self.unique is not None or (self.bounded and self.rejects)

    def recall(self) -> None:
        """Know anew which messages stand here, if that matters."""
        if self.unique is not None:
            self.unique.recall(self)

    def recovered(self) -> None:
        """The log has been replayed: what waits is there."""
        self.recall()

    # Policies

    def govern(self, arguments: QueueArguments) -> None:
        """Do this from now on, with what waits already too: it is what policies have come to."""
        before = self.arguments
        self.arguments = arguments
        self._take_bounds()
        if arguments.message_ttl_ms != before.message_ttl_ms:
            self._retime()
        if arguments.expires_ms != before.expires_ms:
            self.use()
        if self.bounded and not self.rejects and self._over(self.ready.count, self.ready.body_bytes):
            self._cut_down()

    def _cut_down(self) -> None:
        """Drop from the head of a backlog of any depth; few of its dead are in memory at a time."""
        self.dispatch()
        while self._over(self.ready.count, self.ready.body_bytes):
            entry = self.ready.pop()
            if entry is None:
                return
            self._bury(entry, "maxlen")
            if len(self.broker.graves) >= GRAVES_MAX:
                self.broker.bury_all()

    def _retime(self) -> None:
        """What waits lives as long as it would if the queue's time to live had always been this."""
        self.retimed = True
        self.expiry.returned.clear()
        for line in self.ready.all_lines():
            line.retime(self)
        self.broker.agenda.schedule(self, self.expiry.deadline())

    # Publishing

    def keeps(self, message: Message) -> bool:
        """Whether the journal must hold `message` for this queue."""
        return self.journaled and (message.persistent or self.keeps_all)

    def refuses(self, message: Message) -> bool:
        """Whether a reject-publish limit stands against one more message."""
        if not (self.bounded and self.rejects):
            return False
        if self.dirty:
            self.dispatch()
        return self.would_refuse(1, message.body_bytes)

    def would_refuse(self, count: int, body_bytes: int) -> bool:
        """Whether a reject-publish limit stands against `count` more messages of `body_bytes` together."""
        if not (self.bounded and self.rejects):
            return False
        kept = self.kept
        count += self.ready.count + len(kept)
        return self._over(count, self.ready.body_bytes + kept.body_bytes + body_bytes)

    def admit(self, message: Message) -> Entry:
        """A new entry at the end of the queue, not yet waiting: `push` lets it in once it is journaled."""
        position = self.next_position
        self.next_position = position + 1
        return Entry(message, self, position)

    def push(self, entry: Entry) -> None:
        """Let a new entry wait for a consumer."""
        message = entry.message
        ttl_ms = -1
        if self.arguments.message_ttl_ms is not None or message.expiration_ms >= 0:
            ttl_ms = self.ttl_ms(message)
            if ttl_ms > 0:
                entry.deadline = self.broker.now + ttl_ms / 1000
        self.ready.push(entry)
        if not self.dirty:
            self.dirty = True
            self.broker.dirty.append(self)
        if ttl_ms == 0:
            self._now_or_never(entry)
        if self.bounded and not self.rejects:
            self._shorten()

    def _now_or_never(self, entry: Entry) -> None:
        """An entry that may not wait at all goes to a consumer at once, or not."""
        self.dispatch()
        # Only now, or it would be too late for the consumer that waits for it.
        entry.deadline = self.broker.now
        if entry.state == READY:
            self._expire(entry)

    def watch(self, line: Line, block: Block) -> None:
        """A block of a line has an earlier deadline than before."""
        self.expiry.watch(line, block)
        self.broker.agenda.schedule(self, block.deadline)

    def resume_clock(self, entry: Entry) -> None:
        """Of an entry out of the log or the scratch, or of before: it has waited since it was published."""
        entry.deadline = self._moment(entry.message.published_ms, self.ttl_ms(entry.message))

    def moment_of(self, published_ms: int) -> float:
        """When what was published then has its time up by the queue's time to live; NEVER without one."""
        ttl_ms = self.arguments.message_ttl_ms
        return self._moment(published_ms, -1 if ttl_ms is None else ttl_ms)

    def _moment(self, published_ms: int, ttl_ms: int) -> float:
        age_ms = self.broker.wall_ms - published_ms
        return NEVER if ttl_ms < 0 else self.broker.now + (ttl_ms - age_ms) / 1000

    def ttl_ms(self, message: Message) -> int:
        """The shorter of the queue's and the message's time to live; -1 without either."""
        own = self.arguments.message_ttl_ms
        if own is None:
            return message.expiration_ms
        return own if message.expiration_ms < 0 else min(own, message.expiration_ms)

    def _over(self, count: int, body_bytes: int) -> bool:
        length = self.arguments.max_length
        size = self.arguments.max_length_bytes
        return (length is not None and count > length) or (size is not None and body_bytes > size)

    def _shorten(self) -> None:
        """Drop from the head until the limits hold; what a consumer can take at once is no overflow."""
        if not self._over(self.ready.count, self.ready.body_bytes):
            return
        self.dispatch()
        while self._over(self.ready.count, self.ready.body_bytes):
            entry = self.ready.pop()
            if entry is None:
                return
            self._bury(entry, "maxlen")

    # Delivery

    def touch(self) -> None:
        """Dispatch this queue at the end of the batch."""
        if not self.dirty:
            self.dirty = True
            self.broker.dirty.append(self)

    def dispatch(self) -> None:
        """Hand out what waits to consumers that can take it."""
        self.dirty = False
        ready = self.ready
        if not ready.count:
            return
        before = ready.count
        rotation = self.rotation
        while ready.count:
            consumer = rotation.next()
            if consumer is None:
                break
            self._serve(consumer, rotation.alone)
        self.pace.taken += before - ready.count
        if self.pace.caught_up(ready.count):
            self.pace.release(self.broker.now)

    def _serve(self, consumer: Consumer, alone: bool) -> None:
        """Hand entries to a consumer: one, or, where there is no other, as many as it can take."""
        ready = self.ready
        while True:
            entry = self.take()
            if entry is None:
                return
            if not consumer.no_ack:
                entry.state = UNACKED
                entry.consumer = consumer
                self.unacked += 1
                consumer.credit -= 1
            else:
                self.settle_unseen(entry)
            consumer.deliver(entry)
            if not (alone and ready.count and consumer.can_take()):
                return

    def take(self) -> Entry | None:
        """The next entry whose time is not up, out of the line; the caller says what becomes of it."""
        while True:
            entry = self.ready.pop()
            if entry is None or entry.deadline > self.broker.now:
                return entry
            self._bury(entry, "expired")

    def hold(self, entry: Entry) -> None:
        """Count a taken entry as unacknowledged, without a consumer (basic.get)."""
        entry.state = UNACKED
        self.unacked += 1

    # Settlement

    def settle(self, entry: Entry) -> None:
        """An unacknowledged entry is done with."""
        entry.state = GONE
        self.unacked -= 1
        if entry.journaled:
            self._forget(entry)
        if self.unique is not None:
            self.unique.forget(entry.message)

    def settle_unseen(self, entry: Entry) -> None:
        """An entry taken out of the line is done with at once (automatic acknowledgement, purge)."""
        entry.state = GONE
        if entry.journaled:
            self._forget(entry)
        if self.unique is not None:
            self.unique.forget(entry.message)

    def requeue(self, entry: Entry, counted: bool) -> None:
        """Put an unacknowledged entry back to its place; `counted` towards the delivery limit."""
        self.unacked -= 1
        entry.come_back(counted)
        limit = self.arguments.delivery_limit
        if self.deleted:
            self.settle_unseen(entry)
        elif limit is not None and 0 <= limit < entry.delivery_count:
            self._bury(entry, "delivery_limit")
        else:
            if entry.journaled:
                self.returned.append(entry)
                self.owe()
            delay = self.arguments.retry.delay_seconds(entry.delivery_count, counted, self.broker.random)
            if delay > 0:
                self._defer(entry, self.broker.now + delay)
            else:
                self._put_back(entry)

    def _defer(self, entry: Entry, moment: float) -> None:
        """Keep an entry out of the line until then, or until its time is up."""
        entry.state = DELAYED
        self.delayed.put(entry, min(moment, entry.deadline))
        self.broker.agenda.schedule(self, self.delayed.next_moment())

    def _put_back(self, entry: Entry) -> None:
        if self.retimed:
            self.resume_clock(entry)
        if entry.deadline <= self.broker.now:
            self._bury(entry, "expired")
            return
        entry.state = READY
        self.ready.push_back(entry)
        if entry.deadline != NEVER:
            self.expiry.watch_returned(entry)
            self.broker.agenda.schedule(self, entry.deadline)
        self.touch()
        if self.bounded and not self.rejects:
            self._shorten()

    def reject(self, entry: Entry) -> None:
        """An unacknowledged entry is refused for good: dead letter or nothing."""
        self.unacked -= 1
        self._bury(entry, "rejected")

    def purge(self) -> int:
        """Drop all that waits; returns how many. Unacknowledged entries stay."""
        count = emptying.purge(self)
        self.recall()
        return count

    def _bury(self, entry: Entry, reason: str) -> None:
        """An entry out of the line (or unacknowledged no more) dies: to the dead-letter exchange, if any."""
        entry.state = GONE
        if self.unique is not None:
            self.unique.forget(entry.message)
        self.vhost.bury(entry, reason)

    def put_away(self, entry: Entry, reason: str) -> None:
        """The end of an entry that has died: it is settled and dead-lettered."""
        self.vhost.dead_letter(entry, reason)

    def _forget(self, entry: Entry) -> None:
        self.broker.release(entry)
        if not self.deleted:
            self.note_settled(entry.position)

    def note_settled(self, position: int) -> None:
        """The next flush writes that `position` is done with."""
        self.note_dropped(position, position)

    def note_dropped(self, first: int, last: int) -> None:
        """The next flush writes that these positions are done with; neighbours share a range."""
        settled = self.settled
        if settled and settled[-1][1] == first - 1:
            settled[-1] = (settled[-1][0], last)
            return
        settled.append((first, last))
        self.owe()

    def owe(self) -> None:
        """The next flush writes what this queue owes the journal."""
        if not self.settling:
            self.settling = True
            self.broker.settling.append(self)

    # Time

    def tick(self, now: float) -> bool:
        """Expire what is due; returns True when the queue itself has expired (x-expires)."""
        for entry in self.expiry.due(now, self.broker.pager):
            if entry.state == READY:
                self._expire(entry)
        for entry in self.delayed.due(now):
            self._put_back(entry)
        self.kept.try_again(self)
        # What is gone at the front would stay in memory until somebody takes what is behind it.
        self.ready.peek()
        moment = min(self.expiry.deadline(), self.delayed.next_moment(), self.kept.next_attempt)
        self.broker.agenda.schedule(self, moment)
        expires_ms = self.arguments.expires_ms
        if expires_ms is None or self.consumers:
            return False
        if self.used_at + expires_ms / 1000 <= now:
            return True
        self._appoint_expiry()
        return False

    def use(self) -> None:
        """Someone declared or read this queue: its own expiry starts anew."""
        if self.arguments.expires_ms is not None:
            self.used_at = self.broker.now
            self._appoint_expiry()

    def _appoint_expiry(self) -> None:
        expires_ms = self.arguments.expires_ms
        if expires_ms is not None:
            self.broker.agenda.schedule(self, self.used_at + expires_ms / 1000)

    def _expire(self, entry: Entry) -> None:
        entry.state = GONE
        self.ready.remove(entry)
        self._bury(entry, "expired")

    # Consumers

    def add_consumer(self, consumer: Consumer) -> None:
        """Let a consumer in; exclusivity has been checked."""
        self.consumers.append(consumer)
        self.had_consumer = True
        self._activate_some([consumer])

    def remove_consumer(self, consumer: Consumer) -> None:
        """Let a consumer go; what it holds stays unacknowledged."""
        self.consumers.remove(consumer)
        self.rotation.forget(consumer)
        consumer.active = False
        if self.arguments.single_active_consumer:
            self._activate_some([])
        if not self.consumers:
            self.use()

    def pause(self) -> None:
        """Deliver nothing from now on; consumers stay, and nobody who publishes waits for them."""
        self.paused = True
        for consumer in self.consumers:
            if consumer.active:
                self.last_active = consumer
            self.rotation.forget(consumer)
            consumer.active = False
        self.pace.release(self.broker.now)

    def resume(self) -> None:
        """Deliver again, to all consumers in turn, or to the one who was the active one."""
        self.paused = False
        last, self.last_active = self.last_active, None
        if last is not None and last in self.consumers and self.arguments.single_active_consumer:
            self._activate(last)
        else:
            self._activate_some(self.consumers)

    def _activate_some(self, consumers: list[Consumer]) -> None:
        """Let consumers have messages; where one only may, one of all stays until it goes."""
        if self.paused:
            return
        if not self.arguments.single_active_consumer:
            for consumer in consumers:
                self._activate(consumer)
        elif self.consumers and not any(consumer.active for consumer in self.consumers):
            self._activate(first_by_priority(self.consumers))

    def _activate(self, consumer: Consumer) -> None:
        consumer.active = True
        self.rotation.enter(consumer)
        self.touch()
