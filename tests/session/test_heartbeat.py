"""Moments in, moments out."""

from mambaamqp.session.heartbeat import DEAD_INTERVALS, NEVER, Heartbeat


def test_a_heartbeat_is_due_after_half_an_interval_of_silence() -> None:
    """We show a sign of life twice an interval, so that one lost on the way does no harm."""
    heartbeat = Heartbeat(10, 100.0)

    assert not heartbeat.due_to_send(104.9)
    assert heartbeat.due_to_send(105.0)


def test_whatever_is_sent_counts() -> None:
    """A busy connection needs no heartbeats."""
    heartbeat = Heartbeat(10, 100.0)
    heartbeat.sent(104.0)

    assert not heartbeat.due_to_send(108.9)
    assert heartbeat.due_to_send(109.0)


def test_a_silent_peer_is_dead_between_two_and_three_intervals() -> None:
    """Neither earlier than the standard says nor much later."""
    heartbeat = Heartbeat(10, 100.0)

    assert not heartbeat.dead(120.0)
    assert heartbeat.dead(130.0)
    assert 2 <= DEAD_INTERVALS <= 3


def test_whatever_is_received_counts() -> None:
    """Any traffic is a sign of life."""
    heartbeat = Heartbeat(10, 100.0)
    heartbeat.received(115.0)

    assert not heartbeat.dead(139.9)
    assert heartbeat.dead(140.0)


def test_the_deadline_is_the_next_thing_to_do() -> None:
    """Send first, give up later; each moves when something happens."""
    heartbeat = Heartbeat(10, 100.0)
    assert heartbeat.deadline == 105.0

    heartbeat.sent(124.0)
    assert heartbeat.deadline == 125.0


def test_an_interval_of_zero_switches_both_directions_off() -> None:
    """heartbeat = 0 in tune-ok: nothing is sent, nobody is given up."""
    heartbeat = Heartbeat(0, 100.0)

    assert heartbeat.deadline == NEVER
    assert not heartbeat.due_to_send(1e9)
    assert not heartbeat.dead(1e9)
