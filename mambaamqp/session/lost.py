"""Large bodies that are not on the disk any more as they came: nobody is given one, nobody waits for one.

That a body is damaged shows when it is read, which may be in the middle of a delivery: the client has a part
of it then, and what follows is not there. The connection is closed, since no frame of AMQP takes a delivery
back; the message is gone, and is reported with file and offset. Later deliveries of the body do not begin.
"""

import logging
from errno import EMFILE, ENFILE, ENOMEM
from typing import TYPE_CHECKING, Final

from mambaamqp.broker.entry import Entry
from mambaamqp.errors import InternalFault, StoreError

if TYPE_CHECKING:
    from mambaamqp.session.connection import Session
    from mambaamqp.session.consuming import ChannelConsumer

log = logging.getLogger("mambaamqp.store")

PASSING: Final = frozenset({EMFILE, ENFILE, ENOMEM})
"""What has been short for a moment: the body is as it was."""


def take(session: "Session") -> bytes:
    """The next chunk for the socket, where large bodies are among what waits."""
    try:
        return session.outbox.take()
    except (StoreError, OSError) as damage:
        _lose_body(session, damage)
        return session.outbox.take()


def _lose_body(session: "Session", damage: Exception) -> None:
    """What was to leave next cannot be read: its connection ends."""
    _, spooled = session.outbox.spooled[0]
    body = spooled.body
    session.outbox.clear()
    text = "the body of a delivery cannot be read from the disk at the present time"
    if not (isinstance(damage, OSError) and damage.errno in PASSING):
        body.damaged = True
        text = "the body of a delivery is damaged on the disk"
        for channel in session.channels.values():
            for tag, entry in list(channel.unacked.entries.items()):
                if entry.message.stored is body and channel.unacked.take(tag) is not None:
                    channel.give_back_credit(entry)
                    _lose(entry)
                    entry.queue.settle(entry)
    log.error("%s: closing: %s: %s", session.peer.name, text, damage)
    session.channel_number = session.method_index = 0
    session.close_connection(InternalFault(text))


def lose_delivery(consumer: "ChannelConsumer", entry: Entry) -> None:
    """A queue hands out what is known to be damaged: it is done with."""
    _lose(entry)
    if not consumer.no_ack:
        consumer.credit += 1
        entry.queue.settle(entry)


def lose_waiting(entry: Entry) -> None:
    """The same of what a basic.get would have had."""
    _lose(entry)
    entry.queue.settle_unseen(entry)


def _lose(entry: Entry) -> None:
    queue = entry.queue
    log.error(
        "the message at position %d of queue '%s' in vhost '%s' is damaged on disk: it is not delivered",
        entry.position,
        queue.name,
        queue.vhost.name,
    )
