"""From octets to frames to calls: the receiving loop of a session.

Splits what has been read into frames and hands each to whom it concerns: a whole publish to its channel in
one step, acknowledgements decoded by hand, any other method by its id through the tables of handlers.
Refuses to know how anything is closed: it raises, and `session.connection` is the boundary.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mypy_extensions import i64

from mambaamqp.errors import ChannelError, CommandInvalid, FrameFault, UnexpectedFrame
from mambaamqp.session import basic, batch, channels, topology
from mambaamqp.session.channel import Channel
from mambaamqp.session.publishing import Plan
from mambaamqp.wire import fast
from mambaamqp.wire.framing import (
    ENVELOPE_BYTES,
    FRAME_BODY,
    FRAME_END,
    FRAME_HEADER,
    FRAME_HEARTBEAT,
    FRAME_METHOD,
    bad_end,
    too_large,
    u16,
    u32,
    unknown_type,
)
from mambaamqp.wire.methods import Channel as ChannelMethods
from mambaamqp.wire.methods import Method, decode

if TYPE_CHECKING:
    from mambaamqp.session.connection import Session

SLACK_BYTES: Final = 8
"""RabbitMQ tolerates frames that exceed frame_max by the size of their envelope."""
INDEX_BYTES: Final = 4

HANDLERS: Final[dict[int, Callable[[Channel, Any], None]]] = {**topology.HANDLERS, **basic.HANDLERS}


def consume(session: "Session") -> None:
    """Work through the whole frames in `session.pending` from `session.at` on.

    Written for a compiler: numbers are native, and nothing is sliced out of the buffer that is not kept.
    A fault leaves `session.at` behind the frame (or the whole publish) that caused it. A publish that comes
    under an alarm stays where it is, with all that follows it, until the alarm is over.
    """
    if not session.greeted and not session.greet():
        return
    rights = session.broker.access.generation
    if session.rights != rights:
        session.rights = rights
        channels.forget_routes(session)
    alarmed = session.broker.alarm != ""
    if alarmed:
        session.plan = None
    data = session.pending
    end: i64 = len(data)
    at: i64 = session.at
    while end - at >= ENVELOPE_BYTES:
        plan = session.plan
        if plan is not None and data[at : at + plan.octets_size] == plan.octets:
            next_at = at + plan.size
            if next_at <= end and data[next_at - 1] == FRAME_END and plan.generation == plan.vhost.generation:
                session.at = next_at
                plan.channel.repeat(plan, data[at + plan.header_at : next_at])
                at = next_at
                continue
        size = u32(data, at + 3)
        if size > session.frame_bytes_max - ENVELOPE_BYTES + SLACK_BYTES:
            session.at = end
            raise too_large(data[at], size, session.frame_bytes_max)
        stop = at + 7 + size
        if stop >= end:
            break
        if data[stop] != FRAME_END:
            session.at = end
            raise bad_end(data[at], data[at + 7 : stop], data[stop])
        number: i64 = u16(data, at + 1)
        kind: i64 = data[at]
        # One step for a publish that is whole in the buffer: class 60, method 40.
        if (
            kind == FRAME_METHOD
            and size > INDEX_BYTES
            and u32(data, at + 7) == fast.PUBLISH_INDEX
            and session.is_open
        ):
            if alarmed:
                batch.block(session)
                return
            _publish(session, data, at, stop, end, number)
        else:
            session.at = stop + 1
            _frame(session, kind, number, data[at + 7 : stop])
        if session.closing or session.handshake.login is not None:
            return
        at = session.at


def _publish(session: "Session", data: bytes, at: i64, stop: i64, end: i64, number: i64) -> None:
    """basic.publish at `at`: whole if its content is in the buffer, else the start of an assembly."""
    channel = session.channels.get(number)
    # class u16, method u16, ticket u16, then the key; shortest: two empty strings and the flags.
    if channel is None or channel.closing or channel.assembly is not None or stop - at < 7 + 6 + 3:
        session.at = stop + 1
        _frame(session, FRAME_METHOD, number, data[at + 7 : stop])
        return
    key = data[at + 13 : stop]
    exchange_bytes: i64 = key[0]
    size: i64 = len(key)
    if size < exchange_bytes + 3 or size != exchange_bytes + key[exchange_bytes + 1] + 3:
        session.at = stop + 1
        _frame(session, FRAME_METHOD, number, data[at + 7 : stop])
        return
    session.channel_number = number
    session.method_index = fast.PUBLISH_INDEX
    session.at = stop + 1
    head = stop + 1
    if end - head >= 22 and data[head] == FRAME_HEADER and u16(data, head + 1) == number:
        header_stop = head + 7 + u32(data, head + 3)
        if (
            header_stop < end
            and data[header_stop] == FRAME_END
            and u32(data, head + 11) == 0
            and _publish_whole(session, channel, key, data, at, head, header_stop, end, number)
        ):
            return
    channel.begin_content(key)


def _publish_whole(
    session: "Session",
    channel: Channel,
    key: bytes,
    data: bytes,
    at: i64,
    head: i64,
    header_stop: i64,
    end: i64,
    number: i64,
) -> bool:
    """Header at `head`, and its one body frame (or none), if they are all here and fit together."""
    body_bytes = u32(data, head + 15)
    last = header_stop
    if header_stop - head < 7 + 14 or u16(data, head + 7) != fast.BASIC:
        return False
    if body_bytes > channel.whole_bytes_max:
        return False
    if header_stop - head >= session.frame_bytes_max + SLACK_BYTES:
        return False
    if body_bytes:
        body = header_stop + 1
        last = body + 7 + body_bytes
        if (
            last >= end
            or data[body] != FRAME_BODY
            or u16(data, body + 1) != number
            or u32(data, body + 3) != body_bytes
            or data[last] != FRAME_END
            or body_bytes > session.frame_bytes_max - ENVELOPE_BYTES + SLACK_BYTES
        ):
            return False
    session.at = last + 1
    route = channel.publish(key, data[head + 7 : header_stop], data[head : last + 1], None)
    if route is not None:
        octets = data[at : header_stop + 8 if body_bytes else last + 1]
        persistent = channel.last_summary.persistent
        session.plan = Plan(channel, octets, head - at, route, persistent, body_bytes)
    return True


def _frame(session: "Session", kind: i64, number: i64, payload: bytes) -> None:
    """Any frame that is not a whole publish."""
    session.channel_number = number
    session.method_index = 0
    if kind == FRAME_HEARTBEAT:
        if number:
            raise UnexpectedFrame("heartbeat frame on a channel other than 0")
        return
    if kind != FRAME_METHOD and kind != FRAME_HEADER and kind != FRAME_BODY:
        raise unknown_type(kind, payload)
    if not session.is_open or number == 0:
        session.connection_frame(kind, payload)
        return
    channel = session.channels.get(number)
    if channel is None:
        channels.open_channel(session, kind, number, payload)
    elif channel.assembly is not None:
        session.method_index = fast.PUBLISH_INDEX
        channel.content_frame(kind, payload)
    elif kind != FRAME_METHOD:
        if not channel.closing:
            raise UnexpectedFrame("expected method frame, got non method frame instead")
    else:
        _channel_method(session, channel, payload)


def _channel_method(session: "Session", channel: Channel, payload: bytes) -> None:
    if len(payload) < INDEX_BYTES:
        raise FrameFault("method frame is too short")
    index = u32(payload, 0)
    session.method_index = index
    if channel.closing:
        channels.closing_method(session, channel, index)
    elif index == fast.ACK_INDEX and len(payload) == 13:
        channel.settle(_tag(payload), bool(payload[12] & 1))
    elif index == fast.NACK_INDEX and len(payload) == 13:
        flags = payload[12]
        channel.refuse(_tag(payload), bool(flags & 1), bool(flags & 2), session.settings.counts_nacks)
    elif index == fast.REJECT_INDEX and len(payload) == 13:
        channel.refuse(_tag(payload), False, bool(payload[12] & 1), True)
    else:
        _cold_method(session, channel, index, decode(payload))


def _cold_method(session: "Session", channel: Channel, index: int, method: Method) -> None:
    if index == fast.PUBLISH_INDEX:
        raise FrameFault("malformed basic.publish")
    handler = HANDLERS.get(index)
    if handler is not None:
        _answer(session, handler, channel, method)
    elif index == ChannelMethods.Close.index:
        channels.client_closes(session, channel)
    elif index == ChannelMethods.Open.index:
        raise ChannelError("second 'channel.open' seen")
    elif index == ChannelMethods.CloseOk.index:
        raise ChannelError("unexpected 'channel.close-ok'")
    else:
        raise CommandInvalid(f"unexpected method {method.name} on a channel")


def _answer(
    session: "Session", handler: Callable[[Channel, Any], None], channel: Channel, method: Any
) -> None:
    """Run a handler; if it changed something durable, hold its reply until that is safe."""
    journal = session.broker.journal
    before = journal.position
    mark = session.outbox.mark
    handler(channel, method)
    if (journal.position != before or session.broker.repeated) and journal.position > journal.durable:
        session.outbox.hold(mark, journal.position)
        session.broker.await_durable(session)


def _tag(payload: bytes) -> int:
    return int(u32(payload, 4) << 32 | u32(payload, 8))
