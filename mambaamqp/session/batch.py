"""The end of a batch: what was read has been worked through; confirm it, and see who must pause.

A publisher pauses (its socket is not read) while the journal lags far behind, while too many of its publishes
are unconfirmed, while consumers of what it publishes to catch up, and while memory or disk is low.
"""

from typing import TYPE_CHECKING

from mambaamqp.broker.pace import hold_back
from mambaamqp.session.channel import Channel
from mambaamqp.wire.methods import Connection

if TYPE_CHECKING:
    from mambaamqp.session.connection import Session


def end(session: "Session") -> None:
    """One read has been worked through."""
    if session.publishers:
        _confirm(session)
    session.broker.repeated = False
    if session.published:
        session.published = False
        if session.is_open:
            _restrain(session)
    session.touch()


def _confirm(session: "Session") -> None:
    """Confirm what needs no journal, or whose journal is safe already; the rest waits for it."""
    journal = session.broker.journal
    durable = journal.durable
    if session.broker.repeated:
        _confirm_with_the_first(session, journal.position)
    for channel in session.publishers:
        if channel.end_batch(durable):
            _park(session, channel)
    session.publishers = []
    if session.parked:
        session.broker.await_durable(session)


def _confirm_with_the_first(session: "Session", position: int) -> None:
    """Something was dropped since the broker has it already, which may not be safe yet."""
    for channel in session.publishers:
        if channel.confirms is not None:
            channel.confirms.position = position


def _park(session: "Session", channel: Channel) -> None:
    """The channel's confirms wait for the journal; with too many of them, so does its publisher."""
    if channel not in session.parked:
        session.parked.append(channel)
    if channel.confirms is not None and channel.confirms.waiting > session.settings.unconfirmed_max:
        session.congested = True


def _restrain(session: "Session") -> None:
    """Something has been published in this batch: must its publisher pause?"""
    if session.broker.journal.pending_bytes > session.settings.journal_pending_bytes_max:
        session.congested = True
        session.broker.await_durable(session)
    # A connection that consumes too is never paused: its acknowledgements are what others wait for.
    if not any(channel.consumers for channel in session.channels.values()):
        for queue in session.reached:
            session.paced = hold_back(queue, session) or session.paced
    if session.broker.alarm:
        block(session)


def block(session: "Session") -> None:
    """An alarm stands: no more publishes; the client is told if it understands that."""
    if session.blocked:
        return
    session.blocked = True
    session.broker.blocked.append(session)
    if session.understands("connection.blocked"):
        session.send(0, Connection.Blocked(reason=session.broker.alarm))
