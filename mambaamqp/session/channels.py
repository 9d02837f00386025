"""How channels of a session open and close, in every crossing order.

Only channel.open may come on a channel that is not open. After the broker's channel.close everything is
dropped until close-ok; a client's close that crosses it is answered. Source: AMQP 0-9-1 section 1.5.2.
"""

from typing import TYPE_CHECKING, Any, Final

from mypy_extensions import i64

from mambaamqp.broker.entry import Entry
from mambaamqp.errors import ChannelError, ChannelFault, Fault, NotAllowed
from mambaamqp.session import reporting
from mambaamqp.session.channel import Channel
from mambaamqp.wire.framing import FRAME_METHOD, u32
from mambaamqp.wire.methods import Channel as ChannelMethods
from mambaamqp.wire.methods import Method, decode

if TYPE_CHECKING:
    from mambaamqp.session.connection import Session

INDEX_BYTES: Final = 4


def open_channel(session: "Session", kind: i64, number: i64, payload: bytes) -> None:
    """A frame for a channel that is not open: only channel.open will do (504)."""
    if kind != FRAME_METHOD or len(payload) < INDEX_BYTES:
        raise ChannelError("expected 'channel.open'")
    index = u32(payload, 0)
    session.method_index = index
    if index == ChannelMethods.CloseOk.index:
        # The answer to a close that crossed the client's own: the channel is gone already.
        return
    if index != ChannelMethods.Open.index:
        raise ChannelError("expected 'channel.open'")
    decode(payload)
    if session.channel_max and number > session.channel_max:
        raise NotAllowed(
            f"number of channels opened ({len(session.channels)}) has reached the negotiated channel_max"
            f" ({session.channel_max})"
        )
    assert session.vhost is not None and session.handshake.actor is not None
    session.broker.admission.open_channel(session.handshake.actor)
    channel = Channel(session, number, session.vhost, session.handshake.actor)
    session.channels[number] = channel
    reporting.channel(channel, "channel.created")
    answer = ChannelMethods.OpenOk()
    # RabbitMQ sends nothing here; pamqp's constructor would not have it.
    answer.channel_id = ""
    session.send(number, answer)


def client_closes(session: "Session", channel: Channel) -> None:
    """The client's channel.close: give everything back, answer once that is safe."""
    mark = session.outbox.mark
    _end_confirms(session, channel)
    del session.channels[channel.number]
    channel.release()
    session.send(channel.number, ChannelMethods.CloseOk())
    session.hold_for_settlements(mark)


def closing_method(session: "Session", channel: Channel, index: int) -> None:
    """After our channel.close: close-ok ends it, and so does a crossing close; the rest is dropped.

    A client whose close crossed ours may answer ours still or not; `open_channel` passes over the answer.
    """
    if index == ChannelMethods.CloseOk.index:
        del session.channels[channel.number]
    elif index == ChannelMethods.Close.index:
        del session.channels[channel.number]
        session.send(channel.number, ChannelMethods.CloseOk())


def close_channel(session: "Session", fault: ChannelFault) -> None:
    """An operation on the channel at work failed: channel.close, and everything it held goes back."""
    channel = session.channels.get(session.channel_number)
    if channel is None or not session.is_open:
        session.close_connection(fault)
        return
    session.log_closing(f"channel {channel.number}: {fault.reply_text}")
    _end_confirms(session, channel)
    channel.closing = True
    channel.release()
    session.send(channel.number, close_method(ChannelMethods.Close, fault, session.method_index))
    session.touch()


def forget_routes(session: "Session") -> None:
    """Rights may have changed: every channel asks again before it publishes."""
    session.plan = None
    for channel in session.channels.values():
        channel.routes.clear()


def outstanding(session: "Session") -> list[Entry]:
    """Everything that its channels have not acknowledged, or only in an open transaction."""
    found: list[Entry] = []
    for channel in session.channels.values():
        found += channel.unacked.entries.values()
        if channel.transaction is not None:
            found += [entry for _, entry, _ in channel.transaction.held]
    return found


def close_method(cls: Any, fault: Fault, index: int) -> Method:
    """channel.close or connection.close (`cls`): the fault, and the method that failed, 0 for none."""
    return cls(
        reply_code=fault.code, reply_text=fault.reply_text, class_id=index >> 16, method_id=index & 0xFFFF
    )


def _end_confirms(session: "Session", channel: Channel) -> None:
    """What was published before is confirmed if it can be: the client may still be counting."""
    if channel in session.publishers:
        session.publishers.remove(channel)
        channel.end_batch(session.broker.journal.durable)
    if channel in session.parked:
        session.parked.remove(channel)
