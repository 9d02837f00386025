"""Connections at the operator's command: listed, and closed with 320 and a reason.

A connection is known by its name, `127.0.0.1:50000 -> 127.0.0.1:5672`: its process id, RabbitMQ would say.
"""

from collections.abc import Iterator

from mambaamqp.access.permissions import authorize_tag
from mambaamqp.access.users import ADMINISTRATOR
from mambaamqp.broker.description import plain
from mambaamqp.control.counter import Counter
from mambaamqp.control.requests import Reply, Request, Row
from mambaamqp.errors import NotFound
from mambaamqp.session.channel import Channel
from mambaamqp.session.connection import Session
from mambaamqp.session.consuming import ChannelConsumer

REASON = "closed by an operator"


def sessions(counter: Counter) -> list[Session]:
    """All open connections, in the order in which they came."""
    return [holder for holder in counter.broker.holders if isinstance(holder, Session)]


def in_vhost(counter: Counter, request: Request) -> list[Session]:
    """Those into the virtual host of a request, or all."""
    names = {vhost.name for vhost in counter.vhosts(request)}
    return [session for session in sessions(counter) if session.handshake.vhost in names]


def close(counter: Counter, request: Request) -> Reply:
    """Close one connection; 404 if there is none of that name."""
    authorize_tag(counter.actor, ADMINISTRATOR)
    name, reason = request.text("name"), request.text("reason", REASON)
    request.check_all_read()
    found = [session for session in sessions(counter) if session.peer.name == name]
    if not found:
        raise NotFound(f"no connection '{name}'")
    return _close(counter, found, reason)


def close_all(counter: Counter, request: Request) -> Reply:
    """Close all connections, or those of a user or into a virtual host; `connections` says how many."""
    authorize_tag(counter.actor, ADMINISTRATOR)
    user, reason = request.text("user", ""), request.text("reason", REASON)
    found = in_vhost(counter, request)
    request.check_all_read()
    return _close(counter, [session for session in found if user in ("", user_of(session))], reason)


def _close(counter: Counter, found: list[Session], reason: str) -> Reply:
    for session in found:
        session.shutdown(reason, counter.broker.now)
    return Reply(done={"connections": len(found)})


def user_of(session: Session) -> str:
    """Whose connection it is."""
    actor = session.handshake.actor
    return "" if actor is None else actor.user.name


def list_connections(counter: Counter, request: Request) -> Reply:
    """All connections, or those into a virtual host."""
    found = in_vhost(counter, request)
    request.check_all_read()
    return Reply(_connection(session) for session in found)


def _connection(session: Session) -> Row:
    peer, handshake = session.peer, session.handshake
    return {
        "pid": peer.name,
        "name": peer.name,
        "user": user_of(session),
        "vhost": handshake.vhost,
        "state": state_of(session),
        "host": peer.local_host,
        "port": peer.local_port,
        "peer_host": peer.host,
        "peer_port": peer.port,
        "protocol": "AMQP 0-9-1",
        "auth_mechanism": handshake.mechanism,
        "ssl": False,
        "channels": len(session.channels),
        "channel_max": session.channel_max,
        "frame_max": session.frame_bytes_max,
        "timeout": handshake.heartbeat_seconds,
        "recv_oct": session.received_bytes,
        "send_pend": session.outbox.size,
        "connected_at": session.opened_ms,
        "client_properties": plain(handshake.client_properties),
    }


def state_of(session: Session) -> str:
    """RabbitMQ's words: blocked by an alarm, held back for a while (flow), or running."""
    if session.blocked:
        return "blocked"
    return "flow" if session.congested or session.paced else "running"


def list_channels(counter: Counter, request: Request) -> Reply:
    """All channels, or those into a virtual host."""
    found = in_vhost(counter, request)
    request.check_all_read()
    return Reply(_channel(channel) for session in found for channel in list(session.channels.values()))


def _channel(channel: Channel) -> Row:
    transaction, confirms = channel.transaction, channel.confirms
    return {
        "pid": channel_name(channel),
        "connection": channel.session.peer.name,
        "number": channel.number,
        "user": channel.actor.user.name,
        "vhost": channel.vhost.name,
        "transactional": transaction is not None,
        "confirm": confirms is not None,
        "consumer_count": len(channel.consumers),
        "messages_unacknowledged": len(channel.unacked),
        "messages_unconfirmed": 0 if confirms is None else confirms.waiting,
        "prefetch_count": channel.prefetch,
        "global_prefetch_count": channel.prefetch_shared,
        "state": "closing" if channel.closing else state_of(channel.session),
    }


def channel_name(channel: Channel) -> str:
    """As RabbitMQ names channels."""
    return f"{channel.session.peer.name} ({channel.number})"


def list_consumers(counter: Counter, request: Request) -> Reply:
    """All consumers, or those in a virtual host."""
    vhosts = counter.vhosts(request)
    request.check_all_read()
    queues = [queue for vhost in vhosts for _, queue in sorted(vhost.queues.items()) if not queue.hidden]
    return Reply(
        row
        for queue in queues
        for consumer in list(queue.consumers)
        if isinstance(consumer, ChannelConsumer)
        for row in _consumer(consumer)
    )


def _consumer(consumer: ChannelConsumer) -> Iterator[Row]:
    queue, active = consumer.queue, consumer.active
    waiting = queue.arguments.single_active_consumer and not queue.paused
    yield {
        "queue_name": queue.name,
        "vhost": queue.vhost.name,
        "channel_pid": channel_name(consumer.channel),
        "consumer_tag": consumer.tag,
        "ack_required": not consumer.no_ack,
        "exclusive": consumer.exclusive,
        "prefetch_count": consumer.channel.prefetch,
        "priority": consumer.priority,
        "active": active,
        "activity_status": "up" if active else "waiting" if waiting else "paused",
    }


OPERATIONS = {
    "list connections": list_connections,
    "list channels": list_channels,
    "list consumers": list_consumers,
    "connection close": close,
    "connection close-all": close_all,
}
