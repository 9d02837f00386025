"""mambaamqp/broker/queue.py: order, credit, limits, expiry and settlement of one queue."""

from collections.abc import Callable

import pytest

from mambaamqp.broker.broker import Broker
from mambaamqp.broker.entry import GONE
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.store import records
from tests.broker.conftest import Taker, bodies, message
from tests.support.client import World

Make = Callable[..., Queue]


def put(vhost: VirtualHost, queue: Queue, *texts: bytes, **props: object) -> None:
    """Messages into a queue, dispatched."""
    for text in texts:
        vhost.enqueue(message(text, **props), [queue])
    vhost.broker.catch_up()


def take(queue: Queue, **options: object) -> Taker:
    """A consumer that has been let in."""
    taker = Taker(queue, **options)  # type: ignore[arg-type]
    queue.add_consumer(taker)
    queue.broker.catch_up()
    return taker


def test_first_in_first_out(vhost: VirtualHost, make: Make) -> None:
    """Messages go in the order in which they came."""
    queue = make()
    put(vhost, queue, b"1", b"2", b"3")
    assert bodies(queue) == [b"1", b"2", b"3"]
    assert take(queue).bodies == [b"1", b"2", b"3"]


def test_credit_bounds_what_is_outstanding(vhost: VirtualHost, make: Make) -> None:
    """A consumer without credit gets nothing until it has some again and is woken."""
    queue = make()
    taker = Taker(queue)
    taker.credit = 2
    queue.add_consumer(taker)
    put(vhost, queue, b"1", b"2", b"3")
    assert (taker.bodies, queue.unacked, queue.ready.count) == ([b"1", b"2"], 2, 1)
    queue.settle(taker.taken[0])
    taker.credit += 1
    taker.wake()
    vhost.broker.catch_up()
    assert taker.bodies == [b"1", b"2", b"3"]


def test_consumers_take_turns(vhost: VirtualHost, make: Make) -> None:
    """Round-robin among those who can take."""
    queue = make()
    first, second = take(queue), take(queue)
    put(vhost, queue, b"1", b"2", b"3", b"4")
    assert (first.bodies, second.bodies) == ([b"1", b"3"], [b"2", b"4"])


def test_no_ack_settles_at_once(vhost: VirtualHost, make: Make) -> None:
    """What is delivered without acknowledgement is gone, for the journal too."""
    queue = make()
    taker = take(queue, no_ack=True)
    put(vhost, queue, b"1", b"2")
    assert [entry.state for entry in taker.taken] == [GONE, GONE]
    assert (queue.unacked, queue.settled) == (0, [(1, 2)])


def test_a_requeued_message_returns_to_its_place(vhost: VirtualHost, make: Make) -> None:
    """In front of what came later, and marked."""
    queue = make()
    taker = Taker(queue)
    taker.credit = 2
    queue.add_consumer(taker)
    put(vhost, queue, b"1", b"2", b"3")
    queue.remove_consumer(taker)
    queue.requeue(taker.taken[1], False)
    queue.requeue(taker.taken[0], True)
    entries = queue.ready.entries()
    assert [entry.message.body() for entry in entries] == [b"1", b"2", b"3"]
    assert [entry.redelivered for entry in entries] == [True, True, False]
    assert [entry.delivery_count for entry in entries] == [1, 0, 0]


@pytest.mark.parametrize(("limit", "returns"), [(0, 0), (1, 1), (2, 2)])
def test_the_delivery_limit_counts_returns(vhost: VirtualHost, make: Make, limit: int, returns: int) -> None:
    """A message that came back more often than the limit is dead."""
    queue = make(x_delivery_limit=limit)
    put(vhost, queue, b"1")
    for _ in range(returns):
        entry = queue.take()
        assert entry is not None
        queue.hold(entry)
        queue.requeue(entry, True)
        assert bodies(queue) == [b"1"]
    entry = queue.take()
    assert entry is not None
    queue.hold(entry)
    queue.requeue(entry, True)
    vhost.broker.catch_up()
    assert (bodies(queue), queue.unacked) == ([], 0)


def test_drop_head_keeps_the_newest(vhost: VirtualHost, make: Make) -> None:
    """x-max-length: the oldest go."""
    queue = make(x_max_length=2)
    put(vhost, queue, b"1", b"2", b"3", b"4")
    assert bodies(queue) == [b"3", b"4"]


def test_the_length_limit_counts_octets_of_bodies(vhost: VirtualHost, make: Make) -> None:
    """x-max-length-bytes: a single message that is too large goes too."""
    queue = make(x_max_length_bytes=5)
    put(vhost, queue, b"123", b"45", b"6")
    assert bodies(queue) == [b"45", b"6"]
    put(vhost, queue, b"1234567")
    assert bodies(queue) == []


def test_what_a_consumer_can_take_is_no_overflow(vhost: VirtualHost, make: Make) -> None:
    """A limit of 0 is a queue for those who wait already."""
    queue = make(x_max_length=0)
    taker = take(queue)
    put(vhost, queue, b"1")
    assert taker.bodies == [b"1"]


def test_reject_publish_refuses_the_newest(vhost: VirtualHost, make: Make) -> None:
    """The queue stays as it is, and the publisher is told."""
    queue = make(x_max_length=1, x_overflow="reject-publish")
    assert vhost.enqueue(message(b"1"), [queue])
    assert not vhost.enqueue(message(b"2"), [queue])
    assert bodies(queue) == [b"1"]


def test_messages_expire_wherever_they_stand(vhost: VirtualHost, make: Make, world: World) -> None:
    """A patient message in front does not keep an expired one alive."""
    queue = make()
    put(vhost, queue, b"patient")
    put(vhost, queue, b"hasty", expiration="100")
    world.advance(0.2)
    assert bodies(queue) == [b"patient"]


def test_the_shorter_time_to_live_counts(vhost: VirtualHost, make: Make) -> None:
    """Queue and message each have a say."""
    queue = make(x_message_ttl=1000)
    assert queue.ttl_ms(message()) == 1000
    assert queue.ttl_ms(message(expiration="10")) == 10
    assert queue.ttl_ms(message(expiration="5000")) == 1000
    assert make("other").ttl_ms(message()) == -1


def test_no_time_at_all_means_now_or_never(vhost: VirtualHost, make: Make) -> None:
    """expiration 0 goes to a consumer that waits, and else nowhere."""
    queue = make()
    put(vhost, queue, b"missed", expiration="0")
    assert bodies(queue) == []
    taker = take(queue)
    put(vhost, queue, b"caught", expiration="0")
    assert taker.bodies == [b"caught"]


def test_a_message_that_expired_while_it_was_out_does_not_come_back(
    vhost: VirtualHost, make: Make, world: World
) -> None:
    """Requeued after its time, it is dead."""
    queue = make(x_message_ttl=100)
    taker = take(queue)
    put(vhost, queue, b"1")
    world.advance(1)
    queue.remove_consumer(taker)
    queue.requeue(taker.taken[0], True)
    vhost.broker.catch_up()
    assert bodies(queue) == []


def test_an_unused_queue_expires(vhost: VirtualHost, make: Make, world: World) -> None:
    """x-expires: use starts the time anew, a consumer stops it."""
    queue = make(x_expires=1000)
    world.advance(0.6)
    queue.use()
    world.advance(0.6)
    taker = take(queue)
    world.advance(5)
    assert vhost.queues["q"] is queue
    queue.remove_consumer(taker)
    world.advance(1.1)
    assert "q" not in vhost.queues


def test_purge_leaves_what_is_outstanding(vhost: VirtualHost, make: Make) -> None:
    """It drops what waits and says how many."""
    queue = make()
    taker = Taker(queue)
    taker.credit = 1
    queue.add_consumer(taker)
    put(vhost, queue, b"1", b"2", b"3")
    assert queue.purge() == 2
    assert (queue.unacked, queue.ready.count, queue.ready.body_bytes) == (1, 0, 0)


def test_settled_neighbours_share_a_range(vhost: VirtualHost, make: Make) -> None:
    """Ten thousand acknowledgements in order are one range."""
    queue = make()
    for position in (1, 2, 3, 7, 8):
        queue.note_settled(position)
    assert queue.settled == [(1, 3), (7, 8)]
    vhost.broker.write_settlements()
    assert queue.settled == []


def test_a_single_active_consumer_is_followed_by_the_best(vhost: VirtualHost, make: Make) -> None:
    """One stays until it goes; then the highest priority, whoever came first among equals."""
    queue = make(x_single_active_consumer=True)
    first, second, third = take(queue), take(queue, priority=1), take(queue, priority=5)
    put(vhost, queue, b"1", b"2")
    assert (first.bodies, second.bodies, third.bodies) == ([b"1", b"2"], [], [])
    queue.remove_consumer(first)
    put(vhost, queue, b"3")
    assert (second.bodies, third.bodies) == ([], [b"3"])


def test_a_deleted_queue_lets_its_messages_go(broker: Broker, vhost: VirtualHost, make: Make) -> None:
    """Nothing keeps their segment alive, and what is outstanding is settled without a word."""
    queue = make()
    taker = Taker(queue)
    taker.credit = 1
    queue.add_consumer(taker)
    put(vhost, queue, b"1", b"2")
    segment = broker.journal.segment
    assert segment.live == 2
    assert vhost.drop_queue(queue) == 1
    broker.flush(broker.now)
    assert (segment.live, taker.cancelled) == (1, True)
    queue.settle(taker.taken[0])
    assert (segment.live, queue.settled) == (0, [])


def test_deleting_a_transient_queue_leaves_a_shared_message_to_the_durable_one(
    broker: Broker, vhost: VirtualHost, make: Make
) -> None:
    """The durable queue still needs the segment that holds the message."""
    durable, passing = make("durable"), make("passing", durable=False)
    vhost.enqueue(message(b"both"), [durable, passing])
    segment = broker.journal.segment
    vhost.drop_queue(passing)
    assert segment.live == 1
    assert bodies(durable) == [b"both"]


@pytest.mark.parametrize(
    ("durable", "arguments", "mode", "kept"),
    [
        (True, {}, 2, True),
        (True, {}, 1, False),
        (False, {}, 2, False),
        (True, {"x_queue_type": "quorum"}, 1, True),
    ],
)
def test_what_the_journal_keeps(
    make: Make, durable: bool, arguments: dict[str, str], mode: int, kept: bool
) -> None:
    """Persistent messages of durable queues, and everything in a quorum queue."""
    assert make(durable=durable, **arguments).keeps(message(delivery_mode=mode)) is kept


def test_a_message_for_two_queues_is_written_once(broker: Broker, vhost: VirtualHost, make: Make) -> None:
    """One publish record with two targets."""
    first, second = make("a"), make("b")
    broker.journal.seal()
    vhost.enqueue(message(b"body"), [first, second])
    commit = broker.journal.seal()
    assert commit is not None
    (frame,) = commit.frames
    assert frame.record_count == 1
    assert b"".join(frame.pieces)[0] == records.PUBLISH
