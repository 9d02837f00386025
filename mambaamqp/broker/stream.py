"""A stream: a queue that is read and not emptied.

To the journal, to compaction and to the pager it is a queue whose messages wait for ever: an offset is a
position less one, so it survives and is never used twice. What makes it a stream is what is overridden here:
each consumer reads at a pace and from a place of its own (`broker.stream_reader`), an acknowledgement gives
credit and nothing else, and messages go by age and size (`broker.retention`). Every message is journaled, and
none is delivered before it is safe: a consumer that has noted an offset will not find another message there
after a crash.

Readers take turns of bounded length, and a batch gives all of them together no more than so many looks; the
rest is due at once, after whatever else has come in meanwhile.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from mambaamqp.broker import subscription as wishes
from mambaamqp.broker.arguments import QueueArguments
from mambaamqp.broker.asleep import Asleep
from mambaamqp.broker.consumers import Consumer
from mambaamqp.broker.entry import GONE, Entry
from mambaamqp.broker.message import Message
from mambaamqp.broker.pace import Pace
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.ready import Block
from mambaamqp.broker.retention import Retention, oldest_ms
from mambaamqp.broker.stream_reader import StreamReader
from mambaamqp.broker.subscription import Subscription
from mambaamqp.broker.waiter import Waiter
from mambaamqp.wire import properties
from mambaamqp.wire.table import Table

if TYPE_CHECKING:
    from mambaamqp.broker.vhost import VirtualHost

TURN_LOOKS: Final = 128
"""What one reader looks at before it is another one's turn."""
BATCH_LOOKS: Final = 2048
"""What all readers of a stream look at in one batch."""
LATELY_MAX: Final = 4
"""Blocks read from disk that are kept for whoever comes next."""
SHOWN_BYTES_MAX: Final = 1024 * 1024
"""Messages with their offset that are kept for the other readers."""
SHOWN_MESSAGE_BYTES: Final = 300
"""What one of them takes besides its body, about."""
NEXT_ONLY: Final = Subscription(wishes.NEXT, 0, None)


class Stream(Queue):
    """`committed` is the first position that may not be delivered yet, since it is not on stable storage."""

    def __init__(
        self, vhost: "VirtualHost", serial: int, name: str, table: Table, arguments: QueueArguments
    ) -> None:
        super().__init__(
            vhost,
            serial,
            name,
            durable=True,
            auto_delete=False,
            owner=None,
            table=table,
            arguments=arguments,
        )
        self.keeps_all = True
        self.pace = Unhurried()
        self.committed: i64 = 1
        self.readers: dict[Consumer, StreamReader] = {}
        self.retention = Retention(self)
        self._watch = Watch(self)
        self._appended: i64 = 1
        """What stands in front of this position is in the journal, or on its way there."""
        self._unsafe: deque[tuple[int, int]] = deque()
        """(end of the log, next position) at the end of each batch that is not safe yet."""
        self._at_end: dict[Consumer, None] = {}
        """Consumers that could take more if there were any."""
        self._lately: dict[Asleep, list[Entry | None]] = {}
        self._shown: dict[int, Message] = {}
        self._shown_bytes = 0

    def _take_bounds(self) -> None:
        """No limit of a stream stands against a publish: `retention` sees to them."""

    def govern(self, arguments: QueueArguments) -> None:
        """At the end of the batch what is too much by now begins to go."""
        self.arguments = arguments
        self.touch()

    def recovered(self) -> None:
        """All that the log held is safe."""
        self.committed = self._appended = self.next_position
        self.broker.agenda.schedule(self, self.broker.now)

    # Publishing

    def push(self, entry: Entry) -> None:
        self.ready.push(entry)
        if not self.dirty:
            self.dirty = True
            self.broker.dirty.append(self)

    def ttl_ms(self, message: Message) -> int:
        """A message of a stream does not expire by itself."""
        return -1

    # Delivery

    def dispatch(self) -> None:
        """The end of a batch, or of a sync."""
        self.dirty = False
        self._note_appended()
        if self._commit():
            for consumer in self._at_end:
                consumer.wake()
            self._at_end.clear()
            self.dirty = False
        self.broker.agenda.schedule(self, self.retention.trim())
        self._serve_readers()

    def _note_appended(self) -> None:
        if self.next_position > self._appended:
            self._appended = self.next_position
            self._unsafe.append((self.broker.journal.position, self.next_position))

    def _commit(self) -> bool:
        """See how far the stream is safe by now; whether that is further than before."""
        unsafe, before = self._unsafe, self.committed
        while unsafe and unsafe[0][0] <= self.broker.journal.durable:
            self.committed = unsafe.popleft()[1]
        if unsafe and self.readers:
            self.broker.await_durable(self._watch)
        return self.committed > before

    def _serve_readers(self) -> None:
        looks: i64 = BATCH_LOOKS
        while looks > 0:
            consumer = self.rotation.next()
            if consumer is None:
                return
            reader = self.readers[consumer]
            looks -= 1 + reader.serve(min(looks, TURN_LOOKS))
            if reader.at_end:
                self.rotation.leave(consumer)
                self._at_end[consumer] = None
        self.broker.agenda.schedule(self, self.broker.now)

    def tick(self, now: float) -> bool:
        """More is to be read, or something has become too old."""
        self.touch()
        return False

    def entries_of(self, block: Block) -> list[Entry | None]:
        """The entries of a block; those of one that sleeps are a copy."""
        asleep = block.asleep
        if asleep is None:
            return block.entries
        entries = self._lately.get(asleep)
        if entries is None:
            entries = []
            entries += self.broker.pager.read(asleep, self, lose=False)
            if len(entries) < asleep.count:
                return self._without_damage(block)
            if len(self.readers) > 1:
                self._keep_lately(asleep, entries)
        return entries

    def _keep_lately(self, asleep: Asleep, entries: list[Entry | None]) -> None:
        if len(self._lately) >= LATELY_MAX:
            del self._lately[next(iter(self._lately))]
        self._lately[asleep] = entries

    def _without_damage(self, block: Block) -> list[Entry | None]:
        """What can be read of a block, awake; the rest is reported and counts no longer."""
        line = self.ready.line
        self.broker.pager.wake(line, block)
        entries = block.entries
        if not entries:
            self.broker.pager.used_up(line, block)
            line.blocks.remove(block)
        return entries

    def shown(self, entry: Entry) -> Message:
        """A message as consumers see it, with its offset."""
        position = int(entry.position)
        message = self._shown.get(position)
        if message is None:
            original = entry.message
            header = properties.with_first_header(original.header(), OFFSET_KEY, offset_value(position - 1))
            message = original.with_header(header)
            if len(self.readers) > 1:
                self._keep_shown(position, message)
        return message

    def _keep_shown(self, position: int, message: Message) -> None:
        self._shown_bytes += message.body_bytes + SHOWN_MESSAGE_BYTES
        if self._shown_bytes > SHOWN_BYTES_MAX:
            self._shown.clear()
            self._shown_bytes = message.body_bytes + SHOWN_MESSAGE_BYTES
        self._shown[position] = message

    # Consumers

    def add_consumer(self, consumer: Consumer) -> None:
        self._note_appended()
        self._commit()
        wish = NEXT_ONLY if consumer.subscription is None else consumer.subscription
        reader = StreamReader(self, consumer, self.place_of(wish), wish.wanted)
        self.readers[consumer] = reader
        super().add_consumer(consumer)

    def place_of(self, wish: Subscription) -> int:
        """The position that a subscription begins at; beyond either end it is that end."""
        if wish.start == wishes.FIRST:
            return 1
        if wish.start == wishes.LAST:
            return max(1, self.committed - 1)
        if wish.start == wishes.OFFSET:
            return min(wish.number + 1, self.next_position)
        return self._position_since(wish.number) if wish.start == wishes.SINCE else self.next_position

    def _position_since(self, moment_ms: int) -> int:
        """Of the first message that was published then, or later."""
        blocks = self.ready.line.blocks
        low, high = 0, len(blocks)
        while low < high:
            middle = (low + high) // 2
            if oldest_ms(blocks[middle]) < moment_ms:
                low = middle + 1
            else:
                high = middle
        # The block in front of the first one that is young enough may end with some that are.
        for block in blocks[max(low - 1, 0) : low + 1]:
            for entry in self.entries_of(block):
                if entry is not None and entry.message.published_ms >= moment_ms:
                    return int(entry.position)
        return self.next_position

    def remove_consumer(self, consumer: Consumer) -> None:
        super().remove_consumer(consumer)
        self.readers.pop(consumer, None)
        self._at_end.pop(consumer, None)
        if len(self.readers) < 2:
            self._lately.clear()
            self._shown.clear()
            self._shown_bytes = 0

    # Settlement: the stream keeps what it has

    def settle(self, entry: Entry) -> None:
        entry.state = GONE
        self.unacked -= 1

    def settle_unseen(self, entry: Entry) -> None:
        """Nothing of a stream is taken without acknowledgement."""
        entry.state = GONE

    def requeue(self, entry: Entry, counted: bool) -> None:
        self.settle(entry)

    def reject(self, entry: Entry) -> None:
        self.settle(entry)


class Unhurried(Pace):
    """Who publishes is not held back by who reads."""

    def behind(self, ready: int) -> bool:
        return False


class Watch(Waiter):
    """Waits for the journal in the name of a stream."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self.stream = stream

    def durable(self, position: int, now: float) -> None:
        self.stream.touch()


OFFSET_KEY: Final = "x-stream-offset"


def offset_value(offset: int) -> bytes:
    """An offset as the field table of a delivery has it: a signed integer of 64 bits."""
    return b"l" + offset.to_bytes(8, "big", signed=True)
