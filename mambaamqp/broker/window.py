"""The window of a deduplicating exchange: which keys it has routed, the oldest first, in time and number.

Theory of operation. A window is a queue like any other to the journal, to compaction, to the pager and to
expiry, and a destination like any other to routing: what a deduplicating exchange routes reaches its window
too, which takes the key instead of the message, and only if every other queue let the message in. The key's
record is written in one atom of the journal with the message's, so that a crash leaves both or none, and it
is written only if the message is. The number of keys is a `max-length`, their time a time to live. No client
reaches a window: its name is reserved, it is locked for everybody, and the default exchange does not know it.
"""

from typing import TYPE_CHECKING, Final

from mambaamqp.broker.arguments import QueueArguments
from mambaamqp.broker.deduplication import FOR_EVER, Keys, digest_of, ttl_ms
from mambaamqp.broker.destination import Nobody
from mambaamqp.broker.entry import Entry
from mambaamqp.broker.message import Message, address_of, names_of
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.traits import Traits
from mambaamqp.wire import fast, properties
from mambaamqp.wire.table import Table

if TYPE_CHECKING:
    from mambaamqp.broker.vhost import VirtualHost

PREFIX: Final = "amq.deduplication."
EXCHANGE: Final = "x-deduplication-exchange"
"""The argument that names the exchange."""


class Window(Queue):
    """`exchange_name` is whose keys these are; that exchange says which and how many, see `take_rules`."""

    def __init__(self, vhost: "VirtualHost", serial: int, name: str, durable: bool, table: Table) -> None:
        super().__init__(
            vhost,
            serial,
            name,
            durable=durable,
            auto_delete=False,
            owner=Nobody(),
            table=table,
            arguments=QueueArguments(),
        )
        self.hidden = True
        self.journaled = durable
        self.exchange_name = str(table.get(EXCHANGE))
        self.keys = Keys()
        self.header = ""
        self.key_ttl_ms = -1
        self.on_disk = True

    def take_rules(self, header: str, size: int, default_ttl_ms: int, on_disk: bool) -> None:
        """Take keys out of that header, at most so many; -1 is no time to live."""
        self.header = header
        self.key_ttl_ms = default_ttl_ms
        self.on_disk = on_disk
        arguments = QueueArguments()
        arguments.max_length = size
        self.govern(arguments)

    def knows(self, digest: bytes, now_ms: int) -> bool:
        """Whether a key is remembered."""
        return self.keys.has(digest, now_ms)

    def remember(self, message: Message, durable: bool) -> None:
        """A message has been let in; `durable`: into the journal too."""
        key = self._key_of(message, durable and self.on_disk)
        if key.expiration_ms == 0:
            return
        entry = self.admit(key)
        if self.keeps(key):
            self.broker.keep(key, [entry])
        self._know(key)
        self.push(entry)

    def _key_of(self, message: Message, durable: bool) -> Message:
        """A message without a body, whose routing key is the digest."""
        traits = Traits(message)
        digest = digest_of(traits.header(self.header))
        lasting_ms = ttl_ms(traits.headers, self.key_ttl_ms)
        values: dict[str, object] = {"expiration": str(lasting_ms)} if lasting_ms >= 0 else {}
        if durable:
            values["delivery_mode"] = properties.PERSISTENT
        content = fast.content_frames(properties.encode(values, 0), b"")
        key = Message(address_of("", digest.hex()), content, 0, durable)
        key.published_ms = message.published_ms
        key.expiration_ms = lasting_ms
        return key

    def recovered(self) -> None:
        """Of what the log has brought back, what is too much goes."""
        if self._over(self.ready.count, 0):
            self._cut_down()
        self.recall()

    def recall(self) -> None:
        """Know what stands here, and nothing else."""
        self.keys = Keys()
        for entry in self.ready.entries():
            self._know(entry.message)

    def _know(self, key: Message) -> None:
        self.keys.put(_digest(key), _until_ms(key))

    def _bury(self, entry: Entry, reason: str) -> None:
        """A key that is too old, or one too many, leaves no dead letter."""
        self.keys.forget(_digest(entry.message), _until_ms(entry.message))
        self.settle_unseen(entry)


def _digest(key: Message) -> bytes:
    return bytes.fromhex(names_of(key.address)[1])


def _until_ms(key: Message) -> int:
    return FOR_EVER if key.expiration_ms < 0 else int(key.published_ms + key.expiration_ms)
