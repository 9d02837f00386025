"""A channel's transaction: publishes and acknowledgements held back until tx.commit.

The commit is one atom of the journal: after a crash all of it is there or nothing, across queues, publishes
and acknowledgements together (RabbitMQ promises that for none of them). A commit that a queue's
reject-publish limit stands against is refused as a whole, before anything is done.
"""

from typing import TYPE_CHECKING

from mambaamqp.broker.entry import Entry
from mambaamqp.broker.queue import Queue
from mambaamqp.errors import PreconditionFailed
from mambaamqp.session import reporting
from mambaamqp.session.publishing import Publication
from mambaamqp.session.unacked import Unacked

if TYPE_CHECKING:
    from mambaamqp.session.channel import Channel


class Transaction:
    """What a transactional channel holds since tx.select or the last commit or rollback."""

    def __init__(self, operations_max: int, body_bytes_max: int) -> None:
        self.operations_max = operations_max
        self.body_bytes_max = body_bytes_max
        self.publications: list[Publication] = []
        self.held: list[tuple[int, Entry, str]] = []
        self.body_bytes = 0

    def publish(self, publication: Publication) -> None:
        """Hold a publish back."""
        self.publications.append(publication)
        self._count(publication.message.body_bytes)

    def hold(self, tag: int, entry: Entry, action: str) -> None:
        """Hold an acknowledgement back; `action` is ack, reject, requeue or return (a counted requeue)."""
        self.held.append((tag, entry, action))
        self._count(0)

    def _count(self, body_bytes: int) -> None:
        self.body_bytes += body_bytes
        if len(self.publications) + len(self.held) > self.operations_max:
            raise PreconditionFailed(f"transaction exceeds {self.operations_max} operations")
        if self.body_bytes > self.body_bytes_max:
            raise PreconditionFailed(f"transaction exceeds {self.body_bytes_max} bytes")

    def commit(self, channel: "Channel") -> None:
        """Do everything that was held, as one atom; returns of mandatory messages are written first."""
        broker = channel.vhost.broker
        broker.catch_up()
        publications, held = self.publications, self.held
        self._clear()
        if _refused(publications):
            channel.unacked.put_back([(tag, entry) for tag, entry, _ in held])
            raise PreconditionFailed("partial tx completion")
        # What queues owed before goes first, so that the atom is the transaction and nothing else.
        broker.write_settlements()
        broker.journal.begin_atom()
        for tagged in held:
            _settle(channel, tagged[1], tagged[2])
        for publication in publications:
            _publish(channel, publication)
        broker.bury_all()
        broker.write_settlements()
        broker.journal.end_atom()

    def rollback(self, unacked: Unacked) -> None:
        """Drop the publishes; what was acknowledged is outstanding again under the same tags."""
        unacked.put_back([(tag, entry) for tag, entry, _ in self.held])
        self._clear()

    def _clear(self) -> None:
        self.publications = []
        self.held = []
        self.body_bytes = 0


def _refused(publications: list[Publication]) -> bool:
    """Whether a reject-publish limit stands against any of these, all of them counted."""
    counts: dict[Queue, int] = {}
    sizes: dict[Queue, int] = {}
    for publication in publications:
        for queue in publication.queues:
            counts[queue] = counts.get(queue, 0) + 1
            sizes[queue] = sizes.get(queue, 0) + publication.message.body_bytes
    return any(queue.would_refuse(counts[queue], sizes[queue]) for queue in counts)


def _settle(channel: "Channel", entry: Entry, action: str) -> None:
    channel.give_back_credit(entry)
    reporting.settled(channel, entry, action if action in ("ack", "reject") else "requeue")
    if action == "ack":
        entry.queue.settle(entry)
    elif action == "reject":
        entry.queue.reject(entry)
    else:
        entry.queue.requeue(entry, action == "return")


def _publish(channel: "Channel", publication: Publication) -> None:
    if publication.exchange is not None:
        publication.route_again(channel.vhost)
    queues = [queue for queue in publication.queues if not queue.deleted]
    reporting.published(channel, publication.message, queues)
    if queues:
        channel.vhost.enqueue(publication.message, queues)
    elif publication.mandatory:
        channel.send_return(publication.message)
