"""How long deliveries may wait for their acknowledgement (RabbitMQ's consumer timeout).

Theory of operation. A delivery notes no time, which would cost each of them. While a connection has consumers
that acknowledge, it looks at its channels every sixteenth of its shortest timeout, marks how far their tags
have come, and finds what has stood since a mark that is old enough: nothing is ever taken too early, and
everything is within an eighth of the timeout, or two minutes.

What is overdue goes back to its queue, uncounted, with all else that its consumer holds, and the consumer is
cancelled where the client understands that; late acknowledgements are then passed over. Otherwise (and for
basic.get, and for a consumer that the client itself has cancelled) the channel is closed with 406. A profile
of RabbitMQ 3.13 or 4.2 always closes it; one of 4.3 looks at quorum queues only.
"""

import logging
from typing import TYPE_CHECKING, Final

from mambaamqp.broker.entry import NEVER, Entry
from mambaamqp.broker.queue import Queue
from mambaamqp.config.compatibility import CLOSE, QUORUM_ONLY
from mambaamqp.errors import PreconditionFailed
from mambaamqp.session import channels

if TYPE_CHECKING:
    from mambaamqp.session.channel import Channel
    from mambaamqp.session.connection import Session
    from mambaamqp.session.consuming import ChannelConsumer

log = logging.getLogger("mambaamqp.session")

LOOKS: Final = 16
"""So many in the time of one timeout."""
PAUSE_SECONDS_MIN: Final = 0.05
PAUSE_SECONDS_MAX: Final = 60.0
"""A policy may bring a timeout at any time: it is looked for this often."""


class Patience:
    """When one connection looks for what is overdue; `look_at` is NEVER while nothing can be."""

    def __init__(self) -> None:
        self.look_at = NEVER
        self.shortest_seconds = NEVER

    def expect(self, timeout_seconds: float, now: float) -> None:
        """Deliveries will come that may wait so long."""
        self.shortest_seconds = min(self.shortest_seconds, timeout_seconds)
        self.look_at = min(self.look_at, now + self._pause_seconds())

    def _pause_seconds(self) -> float:
        return min(max(self.shortest_seconds / LOOKS, PAUSE_SECONDS_MIN), PAUSE_SECONDS_MAX)

    def look(self, session: "Session", now: float) -> None:
        """Take back what is overdue, and look again later if there may be more."""
        self.look_at = NEVER
        for channel in list(session.channels.values()):
            if channel.closing:
                continue
            self._look_at(channel, now)
            if channel.unacked.entries or _may_hold(channel):
                self.look_at = now + self._pause_seconds()

    def _look_at(self, channel: "Channel", now: float) -> None:
        session = channel.session
        for known in channel.consumers.values():
            if not known.no_ack:
                timeout = timeout_seconds(session, known.queue, known)
                self.shortest_seconds = min(self.shortest_seconds, timeout)
        channel.unacked.mark(channel.delivery_tag, now)
        for tag, entry, made_at in channel.unacked.older(now - self.shortest_seconds):
            consumer = _consumer_of(channel, entry)
            timeout = timeout_seconds(session, entry.queue, consumer)
            if made_at + timeout > now or tag not in channel.unacked.entries:
                continue
            closes = session.settings.consumer_timeout == CLOSE
            if closes or consumer is None or not session.understands("consumer_cancel_notify"):
                _close(channel, timeout)
                return
            _take_back(channel, consumer, timeout)


def timeout_seconds(session: "Session", queue: Queue, consumer: "ChannelConsumer | None") -> float:
    """What counts for a delivery of `queue`: the consumer's, the queue's or the broker's; NEVER for none."""
    if session.settings.consumer_timeout == QUORUM_ONLY and queue.arguments.queue_type != "quorum":
        return NEVER
    timeout_ms = None if consumer is None else consumer.timeout_ms
    if timeout_ms is None:
        timeout_ms = queue.arguments.consumer_timeout_ms
    seconds = session.settings.consumer_timeout_seconds if timeout_ms is None else timeout_ms / 1000
    return seconds or NEVER


def _may_hold(channel: "Channel") -> bool:
    """Whether a consumer of the channel acknowledges."""
    return not all(consumer.no_ack for consumer in channel.consumers.values())


def _consumer_of(channel: "Channel", entry: Entry) -> "ChannelConsumer | None":
    """Whose delivery it is, if that one still consumes."""
    if entry.consumer is None:
        return None
    consumer = channel.consumers.get(entry.consumer.tag)
    return consumer if consumer is entry.consumer else None


def _take_back(channel: "Channel", consumer: "ChannelConsumer", timeout: float) -> None:
    """All that a consumer holds goes back to the queue, and the consumer is cancelled."""
    log.warning(
        "%s: channel %d: consumer '%s' of queue '%s' has not acknowledged for %d ms and is cancelled",
        channel.session.peer.name,
        channel.number,
        consumer.tag,
        consumer.queue.name,
        int(timeout * 1000),
    )
    unacked = channel.unacked
    # First of all, or what goes back would come straight to it again.
    consumer.stop()
    entries = unacked.reclaim([tag for tag, entry in unacked.entries.items() if entry.consumer is consumer])
    for entry in entries:
        channel.give_back_credit(entry)
    for entry in entries:
        entry.queue.requeue(entry, False)
    consumer.cancelled_by_broker()


def _close(channel: "Channel", timeout: float) -> None:
    session = channel.session
    session.channel_number = channel.number
    session.method_index = 0
    channels.close_channel(
        session,
        PreconditionFailed(
            f"delivery acknowledgement on channel {channel.number} timed out. Timeout value used:"
            f" {int(timeout * 1000)} ms. This timeout value can be configured, see consumers doc guide to"
            " learn more"
        ),
    )
