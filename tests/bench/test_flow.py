"""mambaamqp/bench/flow.py: what arrives is counted, stamped and acknowledged, however it is cut."""

import pytest

from mambaamqp.bench.flow import Arrivals, BenchError, Confirms
from mambaamqp.bench.histogram import Histogram
from mambaamqp.wire import fast, properties
from mambaamqp.wire.framing import FRAME_BODY, FRAME_HEADER, FRAME_METHOD, HEARTBEAT_FRAME, frame
from mambaamqp.wire.methods import Basic, Channel, Connection, Tx, encode

SENT = 5_000_000
NOW = 7_000_000


def delivery(tag: int, body: bytes, key: bytes = b"q", cut: int = 1 << 20) -> bytes:
    """A whole basic.deliver, its body in frames of `cut` octets."""
    address = b"\x00" + bytes((len(key),)) + key
    octets = fast.deliver_head(1, b"c", len(address)) + fast.tag_octets(tag, False) + address + b"\xce"
    octets += frame(FRAME_HEADER, 1, properties.encode({}, len(body)))
    for at in range(0, len(body), cut):
        octets += frame(FRAME_BODY, 1, body[at : at + cut])
    return octets


def stamped(size: int = 20) -> bytes:
    return SENT.to_bytes(8, "big") + bytes(size - 8)


@pytest.mark.parametrize("step", [1, 3, 7, 50, 100_000])
@pytest.mark.parametrize("cut", [9, 1 << 20])
def test_deliveries_are_counted_however_the_stream_is_cut(step: int, cut: int) -> None:
    """Known shape or not, in one read or octet by octet: each message once, each with its latency."""
    stream = b"".join(
        delivery(tag, stamped(30 + tag % 3), b"k" * (tag % 4), cut) + (HEARTBEAT_FRAME if tag % 5 else b"")
        for tag in range(1, 41)
    )
    latency = Histogram()
    arrivals = Arrivals(10, True, latency)
    acks = b""

    for at in range(0, len(stream), step):
        arrivals.take(stream[at : at + step], NOW)
        acks += arrivals.take_acks()

    assert arrivals.consumed == 40
    assert latency.count == 40
    assert abs(latency.percentile(0.5) - 2000) <= 32
    assert acks == b"".join(fast.ack(1, tag, True) for tag in (10, 20, 30, 40))
    assert arrivals.pending == b""


def test_each_message_is_acknowledged_or_none() -> None:
    """One by one without `multiple`; never for a consumer without acknowledgements."""
    stream = b"".join(delivery(tag, bytes(8)) for tag in (1, 2, 3))
    single, none = Arrivals(1, False, Histogram()), Arrivals(0, False, Histogram())
    single.take(stream, NOW)
    none.take(stream, NOW)

    assert single.take_acks() == b"".join(fast.ack(1, tag, False) for tag in (1, 2, 3))
    assert (none.consumed, none.take_acks()) == (3, b"")


def test_an_empty_body_is_a_message_too() -> None:
    """It has no body frame to wait for."""
    arrivals = Arrivals(0, False, Histogram())
    arrivals.take(delivery(1, b"") + delivery(2, b"") + delivery(3, b"x"), NOW)

    assert arrivals.consumed == 3


def test_answers_of_get_are_told_apart() -> None:
    """get-ok brings a message to acknowledge, get-empty none."""
    arrivals = Arrivals(1, False, Histogram())
    address = b"\x00\x01q"
    content = frame(FRAME_HEADER, 1, properties.encode({}, 2)) + frame(FRAME_BODY, 1, b"xx")
    arrivals.take(fast.get_ok(1, 9, False, address, 0) + content, NOW)
    arrivals.take(frame(FRAME_METHOD, 1, encode(Basic.GetEmpty())), NOW)

    assert (arrivals.consumed, arrivals.empty) == (1, 1)
    assert arrivals.take_acks() == fast.ack(1, 9, False)


@pytest.mark.parametrize(
    "method", [Channel.Close(406, "PRECONDITION", 0, 0), Connection.Close(406, "PRECONDITION", 0, 0)]
)
def test_a_close_ends_the_load(method: object) -> None:
    """What the broker says is what the user reads, on either side."""
    octets = frame(FRAME_METHOD, 1, encode(method))
    with pytest.raises(BenchError, match="406 PRECONDITION"):
        Arrivals(1, False, Histogram()).take(octets, NOW)
    with pytest.raises(BenchError, match="406 PRECONDITION"):
        Confirms(Histogram(), True).take(octets, NOW)


def test_a_frame_without_an_end_is_refused() -> None:
    """Counting on would count rubbish."""
    with pytest.raises(BenchError, match="without an end"):
        Arrivals(1, False, Histogram()).take(delivery(1, b"x")[:-1] + b"\x00" + bytes(8), NOW)


def test_confirms_count_in_any_order() -> None:
    """Singly, several at once, ahead of others, twice: outstanding is what is open."""
    latency = Histogram()
    confirms = Confirms(latency, True)
    confirms.sent(4, SENT)
    confirms.sent(4, SENT)
    octets = fast.ack(1, 1, False) + fast.ack(1, 3, False) + fast.nack(1, 7, False)

    confirms.take(octets[:30], NOW)
    confirms.take(octets[30:], NOW)
    assert (confirms.confirmed, confirms.outstanding, confirms.nacked) == (1, 5, 1)
    confirms.take(fast.ack(1, 2, False), NOW)
    assert (confirms.confirmed, confirms.outstanding) == (3, 4)
    confirms.take(fast.ack(1, 6, True) + fast.ack(1, 5, True), NOW)
    assert (confirms.confirmed, confirms.outstanding) == (7, 1)
    confirms.take(fast.ack(1, 8, False), NOW)
    assert (confirms.confirmed, confirms.outstanding, latency.count) == (8, 0, 8)


def test_other_methods_are_noted() -> None:
    """Returned messages, finished transactions, a broker that blocks its publishers."""
    confirms = Confirms(Histogram(), False)
    confirms.take(fast.basic_return(1, 312, b"NO_ROUTE", b"\x00\x01q"), NOW)
    confirms.take(frame(FRAME_METHOD, 1, encode(Tx.CommitOk())), NOW)
    confirms.take(frame(FRAME_METHOD, 0, encode(Connection.Blocked("low on memory"))), NOW)
    assert (confirms.returned, confirms.commits, confirms.blocked) == (1, 1, True)
    confirms.take(frame(FRAME_METHOD, 0, encode(Connection.Unblocked())), NOW)

    assert not confirms.blocked
