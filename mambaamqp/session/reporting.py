"""What a session tells of itself: events of connections, channels, consumers and logins, and the firehose.

The facts are named as RabbitMQ names them. A session tells when something has come about, not when it was
asked for; all that ends is told of too, however it ends.
"""

from typing import TYPE_CHECKING

from mambaamqp.broker.entry import Entry
from mambaamqp.broker.events import INTERNAL
from mambaamqp.broker.firehose import Witness
from mambaamqp.broker.message import Message
from mambaamqp.broker.queue import Queue
from mambaamqp.wire.table import Value

if TYPE_CHECKING:
    from mambaamqp.session.channel import Channel
    from mambaamqp.session.connection import Session
    from mambaamqp.session.consuming import ChannelConsumer

Facts = dict[str, Value]


def act(session: "Session") -> None:
    """What happens from now on is the doing of this connection's user."""
    actor = session.handshake.actor
    session.broker.events.acting = INTERNAL if actor is None else actor.user.name


def login(session: "Session", accepted: bool) -> None:
    """Somebody has proved to be the user that the waiting login names, or not."""
    peer = session.peer
    claim = session.handshake.login
    session.broker.events.tell(
        "user.authentication.success" if accepted else "user.authentication.failure",
        {
            "name": "" if claim is None else claim.credentials.name,
            "connection_name": peer.name,
            "connection_type": "network",
            "auth_mechanism": session.handshake.mechanism,
            "host": peer.local_host,
            "port": peer.local_port,
            "peer_host": peer.host,
            "peer_port": peer.port,
            "protocol": "AMQP 0-9-1",
            "ssl": False,
        },
    )


def connection(session: "Session", kind: str) -> None:
    """A connection has been opened (`connection.created`) or is over (`connection.closed`)."""
    events = session.broker.events
    actor = session.handshake.actor
    if not events.listening or actor is None:
        return
    peer = session.peer
    events.tell(
        kind,
        {
            "name": peer.name,
            "user": actor.user.name,
            "vhost": actor.vhost,
            "protocol": "AMQP 0-9-1",
            "auth_mechanism": session.handshake.mechanism,
            "host": peer.local_host,
            "port": peer.local_port,
            "peer_host": peer.host,
            "peer_port": peer.port,
            "ssl": False,
            "channel_max": session.channel_max,
            "frame_max": session.frame_bytes_max,
            "timeout": session.handshake.heartbeat_seconds,
        },
    )


def channel(subject: "Channel", kind: str) -> None:
    """A channel has been opened (`channel.created`) or is over (`channel.closed`)."""
    subject.vhost.broker.events.tell(kind, {**_place(subject), "number": subject.number})


def consumer(subject: "ChannelConsumer", kind: str) -> None:
    """A consumer has come (`consumer.created`) or gone (`consumer.deleted`)."""
    events = subject.queue.broker.events
    if events.listening:
        facts: Facts = {
            "consumer_tag": subject.tag,
            "queue": subject.queue.name,
            "exclusive": subject.exclusive,
            "ack_required": not subject.no_ack,
            "prefetch_count": subject.channel.prefetch,
            "channel": subject.channel.number,
        }
        events.tell(kind, {**_place(subject.channel), **facts})


def _place(where: "Channel") -> Facts:
    return {
        "connection": where.session.peer.name,
        "user": where.actor.user.name,
        "vhost": where.vhost.name,
    }


# The firehose


def published(by: "Channel", message: Message, queues: list[Queue]) -> None:
    """A message has been routed, if anybody wants to know."""
    firehose = by.vhost.firehose
    if firehose is not None:
        firehose.published(message, queues, _witness(by))


def delivered(to: "Channel", entry: Entry) -> None:
    """A message has been written for the client."""
    firehose = to.vhost.firehose
    if firehose is not None:
        firehose.delivered(entry, _witness(to))


def settled(by: "Channel", entry: Entry, outcome: str) -> None:
    """A delivery was acknowledged or refused: `outcome` is ack, reject or requeue."""
    firehose = by.vhost.firehose
    if firehose is not None:
        firehose.settled(entry, outcome, _witness(by))


def _witness(where: "Channel") -> Witness:
    return Witness(where.session.peer.name, where.number, where.actor.user.name)
