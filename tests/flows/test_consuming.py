"""Consuming: who gets what, in which order, with which tags, and what comes back when it is not wanted."""

from typing import Any

import pytest
from pamqp import commands, frame

from mambaamqp.wire.framing import FRAME_METHOD
from mambaamqp.wire.framing import frame as pack
from tests.support import expect
from tests.support.client import Client, Delivery, World, publish_octets

PERSISTENT = {"delivery_mode": 2}
CONSUME = commands.Basic.Consume


@pytest.fixture
def q(client: Client) -> Client:
    """With the queue q."""
    client.queue("q")
    return client


def fill(client: Client, *bodies: bytes, **options: Any) -> None:
    for body in bodies:
        client.publish(body, **options)


def tags(deliveries: list[Delivery]) -> list[int]:
    return [delivery.method.delivery_tag for delivery in deliveries]


def qos(client: Client, count: int, *, shared: bool = False, channel: int = 1) -> None:
    answer = client.call(channel, commands.Basic.Qos(0, count, shared))
    assert isinstance(answer, commands.Basic.QosOk)


def unknown(answer: Any, tag: int, method: Any) -> None:
    expect.channel_closed(answer, 406, f"PRECONDITION_FAILED - unknown delivery tag {tag}", method)


# Consumers


def test_consume_ok_comes_before_the_first_delivery(q: Client) -> None:
    """With the tag that was asked for, and everything that waits in order."""
    fill(q, b"a", b"b")
    before = len(q.received)
    assert q.consume("q", "tag").consumer_tag == "tag"
    kinds = [type(value) for _, value in q.received[before:]]

    assert kinds == [commands.Basic.ConsumeOk, Delivery, Delivery]
    assert [delivery.body for delivery in q.deliveries] == [b"a", b"b"]
    assert {delivery.method.consumer_tag for delivery in q.take()} == {"tag"}


def test_messages_published_later_are_delivered_as_they_come(q: Client, other: Client) -> None:
    """To another connection than the publisher's."""
    other.consume("q")
    fill(q, b"a", b"b")

    deliveries = other.take()
    assert [delivery.body for delivery in deliveries] == [b"a", b"b"]
    assert [delivery.method.redelivered for delivery in deliveries] == [False, False]
    assert (deliveries[0].method.exchange, deliveries[0].method.routing_key) == ("", "q")


def test_the_broker_names_a_consumer_without_a_tag(q: Client) -> None:
    """amq.ctag- and 22 characters."""
    tag = q.consume("q", "").consumer_tag

    assert tag.startswith("amq.ctag-")
    assert len(tag) == len("amq.ctag-") + 22
    assert q.consume("q", "").consumer_tag != tag


def test_nowait_consumers_get_no_consume_ok(q: Client) -> None:
    """And their messages all the same."""
    assert q.consume("q", "tag", nowait=True) is None
    fill(q, b"a")

    assert q.bodies() == [b"a"]


def test_a_tag_in_use_is_530(q: Client) -> None:
    """On one channel; on another it is free."""
    q.open(2)
    q.consume("q", "tag")
    assert isinstance(q.consume("q", "tag", channel=2), commands.Basic.ConsumeOk)

    expect.connection_closed(
        q.consume("q", "tag"), 530, "NOT_ALLOWED - attempt to reuse consumer tag 'tag'", CONSUME
    )


def test_a_tag_may_be_used_again_after_cancel(q: Client) -> None:
    """It is free at cancel-ok."""
    q.consume("q", "tag")
    q.call(1, commands.Basic.Cancel("tag"))

    assert q.consume("q", "tag").consumer_tag == "tag"


def test_too_many_consumers_on_a_channel_are_530() -> None:
    """consumers_per_channel_max."""
    client = World(consumers_per_channel_max=2).connect().open()
    client.queue("q")
    for tag in "ab":
        client.consume("q", tag)

    expect.connection_closed(
        client.consume("q", "c"), 530, "NOT_ALLOWED - reached maximum (2) of consumers per channel"
    )


def test_cancel_is_answered_with_the_tag(q: Client) -> None:
    """Known or not; without an answer if asked."""
    q.consume("q", "tag")
    for tag in ("tag", "tag", "nope"):
        answer = q.call(1, commands.Basic.Cancel(tag))
        assert isinstance(answer, commands.Basic.CancelOk)
        assert answer.consumer_tag == tag
    q.consume("q", "tag")
    assert q.call(1, commands.Basic.Cancel("tag", nowait=True)) is None


def test_after_cancel_ok_nothing_more_is_delivered(q: Client) -> None:
    """What was delivered stays with the channel, to be acknowledged."""
    q.consume("q", "tag")
    fill(q, b"a")
    q.call(1, commands.Basic.Cancel("tag"))
    fill(q, b"b")

    [delivery] = q.take()
    assert q.count("q") == 1
    assert q.ack(delivery.method.delivery_tag) is None
    assert q.count("q") == 1


@pytest.mark.parametrize("second", [True, False])
def test_an_exclusive_consumer_stands_alone(q: Client, other: Client, second: bool) -> None:
    """Whichever came first; the queue is free again when it goes."""
    q.consume("q", exclusive=second)
    text = "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"

    expect.channel_closed(other.consume("q", exclusive=True), 403, text, CONSUME)
    if second:
        third = q.world.connect().open()
        expect.channel_closed(third.consume("q"), 403, text, CONSUME)
    q.call(1, commands.Basic.Cancel("c"))
    fourth = q.world.connect().open()
    assert isinstance(fourth.consume("q", exclusive=True), commands.Basic.ConsumeOk)


@pytest.mark.parametrize(("value", "kind"), [("high", "longstr"), (True, "bool"), ([1], "array")])
def test_a_priority_that_is_no_integer_is_406(q: Client, value: Any, kind: str) -> None:
    """Any integer will do, negative ones too."""
    answer = q.consume("q", arguments={"x-priority": value})

    assert answer.reply_code == 406
    assert kind in answer.reply_text


# Tags and acknowledgements


def test_tags_count_up_over_everything_that_is_delivered(q: Client) -> None:
    """Consumers, get and automatic acknowledgements share the channel's count."""
    q.queue("r")
    q.consume("q", "manual")
    fill(q, b"a")
    fill(q, b"b", routing_key="r")
    got = q.get("r", no_ack=True)
    assert got is not None
    q.consume("r", "auto", no_ack=True)
    fill(q, b"c", routing_key="r")
    fill(q, b"d")

    assert got.method.delivery_tag == 2
    assert tags(q.take()) == [1, 3, 4]


@pytest.mark.parametrize("method", [commands.Basic.Ack(2), commands.Basic.Nack(2), commands.Basic.Reject(2)])
def test_an_unknown_tag_is_406(q: Client, method: Any) -> None:
    """Never delivered; the outstanding ones go back."""
    fill(q, b"a")
    q.get(no_ack=False)
    unknown(q.call(1, method), 2, type(method))

    assert q.world.broker.vhosts["/"].queues["q"].ready.count == 1


@pytest.mark.parametrize("multiple", [True, False])
def test_a_tag_is_acknowledged_once(q: Client, multiple: bool) -> None:
    """The second time it is unknown."""
    fill(q, b"a")
    q.get(no_ack=False)
    assert q.ack(1) is None

    unknown(q.ack(1, multiple), 1, commands.Basic.Ack)


def test_an_automatic_acknowledgement_is_final(q: Client) -> None:
    """Its tag is unknown."""
    fill(q, b"a")
    q.get(no_ack=True)

    unknown(q.ack(1), 1, commands.Basic.Ack)


def test_a_tag_belongs_to_its_channel(q: Client) -> None:
    """Another channel knows nothing of it."""
    q.open(2)
    fill(q, b"a")
    q.get(no_ack=False)

    unknown(q.ack(1, channel=2), 1, commands.Basic.Ack)


def test_tag_0_means_all_and_only_with_multiple(q: Client) -> None:
    """None outstanding is fine; a single 0 is unknown."""
    assert q.ack(0, multiple=True) is None
    fill(q, b"a", b"b")
    q.get(no_ack=False)
    q.get(no_ack=False)
    assert q.ack(0, multiple=True) is None
    assert q.world.broker.vhosts["/"].queues["q"].unacked == 0

    unknown(q.ack(0), 0, commands.Basic.Ack)


def test_multiple_means_up_to_and_with(q: Client) -> None:
    """Later ones stay, earlier ones that were acknowledged are passed over."""
    fill(q, *[b"%d" % place for place in range(6)])
    for _ in range(6):
        q.get(no_ack=False)
    q.ack(2)
    q.ack(4, multiple=True)
    assert q.world.broker.vhosts["/"].queues["q"].unacked == 2
    q.nack(6, multiple=True)

    assert q.bodies_in("q") == [b"4", b"5"]


def test_acknowledgements_after_a_queue_was_deleted_are_fine(q: Client, other: Client) -> None:
    """Of every kind; nothing is left to do."""
    fill(q, b"a", b"b", b"c")
    q.consume("q")
    other.call(1, commands.Queue.Delete(queue="q"))

    assert q.ack(1) is None
    assert q.nack(2) is None
    assert q.reject(3, requeue=False) is None
    q.queue("q")
    assert q.count("q") == 0


# Requeue


def test_a_requeued_message_goes_to_its_old_place(q: Client) -> None:
    """In front of what came later, in the old order, and marked."""
    fill(q, b"a", b"b", b"c", b"d")
    for _ in range(3):
        q.get(no_ack=False)
    q.nack(2)
    q.nack(1)
    q.reject(3)
    found = [q.get() for _ in range(4)]

    assert [delivery.body for delivery in found if delivery] == [b"a", b"b", b"c", b"d"]
    assert [delivery.method.redelivered for delivery in found if delivery] == [True, True, True, False]


def test_what_a_consumer_requeues_it_may_get_again(q: Client) -> None:
    """With a new tag."""
    q.consume("q")
    fill(q, b"a")
    q.nack(1)
    first, second = q.take()

    assert (first.method.delivery_tag, first.method.redelivered) == (1, False)
    assert (second.method.delivery_tag, second.method.redelivered) == (2, True)


@pytest.mark.parametrize("how", ["channel", "connection", "lost", "error"])
def test_what_is_outstanding_goes_back(q: Client, other: Client, how: str) -> None:
    """Whatever ended the channel; in order, marked as redelivered."""
    q.consume("q")
    fill(q, b"a", b"b", b"c")
    q.ack(2)
    if how == "channel":
        q.call(1, commands.Channel.Close(200, "", 0, 0))
    elif how == "connection":
        q.call(0, commands.Connection.Close(200, "", 0, 0))
    elif how == "lost":
        q.disconnect()
    else:
        q.ack(99)
    found = [other.get(), other.get()]

    assert [delivery.body for delivery in found if delivery] == [b"a", b"c"]
    assert [delivery.method.redelivered for delivery in found if delivery] == [True, True]
    assert other.get() is None


def test_what_goes_back_goes_to_the_other_consumers(q: Client, other: Client) -> None:
    """At once, and never to the channel that is closing."""
    q.consume("q")
    fill(q, b"a", b"b")
    other.consume("q")
    q.disconnect()

    assert other.bodies() == [b"a", b"b"]


def test_rejected_for_good_without_a_dead_letter_exchange_is_gone(q: Client) -> None:
    """nack and reject alike."""
    fill(q, b"a", b"b")
    q.get(no_ack=False)
    q.get(no_ack=False)
    q.nack(1, requeue=False)
    q.reject(2, requeue=False)

    assert q.count("q") == 0


def test_recover_requeues_everything_of_the_channel(q: Client) -> None:
    """Before recover-ok; other channels keep theirs."""
    q.open(2)
    fill(q, b"a", b"b", b"c")
    q.get(no_ack=False)
    q.get(no_ack=False, channel=2)
    q.get(no_ack=False)
    assert isinstance(q.call(1, commands.Basic.Recover(True)), commands.Basic.RecoverOk)

    assert q.bodies_in("q") == [b"a", b"c"]


def test_recover_async_has_no_answer(q: Client) -> None:
    """Deprecated, still sent."""
    fill(q, b"a")
    q.get(no_ack=False)

    q.feed(pack(FRAME_METHOD, 1, b"\x00\x3c\x00\x64\x01"))
    assert not q.of(commands.Basic.RecoverOk)
    assert q.bodies_in("q") == [b"a"]


def test_recover_without_requeue_is_540(q: Client) -> None:
    """As in RabbitMQ."""
    expect.connection_closed(
        q.call(1, commands.Basic.Recover(False)),
        540,
        "NOT_IMPLEMENTED - requeue=false",
        commands.Basic.Recover,
    )


# Prefetch


def test_prefetch_limits_what_is_outstanding(q: Client) -> None:
    """One for one: each acknowledgement lets the next through."""
    qos(q, 2)
    q.consume("q")
    fill(q, b"a", b"b", b"c", b"d")
    assert q.bodies() == [b"a", b"b"]
    q.ack(1)
    assert q.bodies() == [b"c"]
    q.nack(2, requeue=False)

    assert q.bodies() == [b"d"]


def test_prefetch_is_each_consumers_own(q: Client) -> None:
    """global=false: so many for each; those started earlier keep theirs."""
    q.queue("r")
    q.consume("q", "unlimited")
    qos(q, 1)
    q.consume("r", "one")
    fill(q, b"a", b"b", b"c")
    fill(q, b"x", b"y", routing_key="r")

    assert q.bodies() == [b"a", b"b", b"c", b"x"]


def test_a_shared_prefetch_is_the_channels(q: Client) -> None:
    """global=true: all consumers together, at once."""
    q.queue("r")
    q.consume("q", "first")
    q.consume("r", "second")
    qos(q, 3, shared=True)
    fill(q, b"a", b"b")
    fill(q, b"x", b"y", routing_key="r")
    deliveries = q.take()
    assert [delivery.body for delivery in deliveries] == [b"a", b"b", b"x"]
    q.ack(1)

    assert q.bodies() == [b"y"]


def test_both_prefetches_hold(q: Client) -> None:
    """The consumer's own and the channel's."""
    qos(q, 2)
    qos(q, 3, shared=True)
    q.queue("r")
    q.consume("q", "first")
    q.consume("r", "second")
    fill(q, b"a", b"b", b"c")
    fill(q, b"x", b"y", routing_key="r")

    assert q.bodies() == [b"a", b"b", b"x"]


def test_lowering_a_shared_prefetch_pauses(q: Client) -> None:
    """What is outstanding stays; nothing more until it has shrunk."""
    q.consume("q")
    fill(q, b"a", b"b", b"c")
    qos(q, 2, shared=True)
    fill(q, b"d", b"e")
    assert q.bodies() == [b"a", b"b", b"c"]
    q.ack(1)
    assert q.bodies() == []
    q.ack(2)
    assert q.bodies() == [b"d"]
    qos(q, 0, shared=True)

    assert q.bodies() == [b"e"]


def test_prefetch_0_is_no_limit(q: Client) -> None:
    """The default."""
    qos(q, 0)
    q.consume("q")
    q.feed(publish_octets(b"m") * 1000)

    assert len(q.take()) == 1000


def test_automatic_acknowledgement_knows_no_prefetch(q: Client) -> None:
    """Nothing is outstanding."""
    qos(q, 1)
    qos(q, 1, shared=True)
    q.consume("q", no_ack=True)
    fill(q, b"a", b"b", b"c")

    assert q.bodies() == [b"a", b"b", b"c"]


def test_a_shared_prefetch_used_up_holds_automatic_acknowledgement_back(q: Client) -> None:
    """It takes none of the channel's prefetch, and waits all the same until there is some."""
    qos(q, 1, shared=True)
    q.queue("r")
    q.consume("q", "acknowledging")
    fill(q, b"a")
    q.consume("r", "automatic", no_ack=True)
    fill(q, b"x", b"y", routing_key="r")
    assert q.bodies() == [b"a"]
    q.ack(1)

    assert q.bodies() == [b"x", b"y"]


@pytest.mark.parametrize("queues", [["q", "r", "s"], ["q", "q", "q"]], ids=["each its own", "of one queue"])
def test_consumers_take_turns_at_a_shared_prefetch(q: Client, queues: list[str]) -> None:
    """Whoever was served last comes last."""
    q.queue("r")
    q.queue("s")
    qos(q, 1, shared=True)
    for tag, queue in zip("abc", queues, strict=True):
        fill(q, b"m", b"m", routing_key=queue)
        q.consume(queue, tag)
    served = []
    for _ in range(6):
        (delivery,) = q.take()
        served.append(delivery.method.consumer_tag)
        q.ack(delivery.method.delivery_tag)

    assert "".join(served) == "abcabc"


def test_a_consumer_that_is_gone_has_no_turn(q: Client) -> None:
    """Another one that bears its tag now has its own."""
    qos(q, 1, shared=True)
    fill(q, b"1", b"2", b"3")
    q.consume("q", "a")
    q.call(1, commands.Basic.Cancel("a"))
    q.consume("q", "a")
    q.consume("q", "b")
    q.take()
    q.ack(1)

    assert [delivery.method.consumer_tag for delivery in q.take()] == ["a"]


def test_get_knows_no_prefetch_and_takes_none_of_it(q: Client) -> None:
    """Polling is its own limit."""
    qos(q, 1)
    qos(q, 1, shared=True)
    fill(q, b"a", b"b", b"c")
    for _ in range(2):
        assert q.get(no_ack=False) is not None
    q.consume("q")

    assert q.bodies() == [b"c"]


def test_a_cancelled_consumers_deliveries_count_until_they_are_settled(q: Client) -> None:
    """For the channel's limit they are outstanding still."""
    qos(q, 1, shared=True)
    q.consume("q", "a")
    fill(q, b"1", b"2")
    q.call(1, commands.Basic.Cancel("a"))
    q.consume("q", "b")
    assert q.bodies() == [b"1"]
    q.ack(1)

    assert q.bodies() == [b"2"]


def test_prefetch_size_is_540(q: Client) -> None:
    """Octets are not counted, as in RabbitMQ."""
    expect.connection_closed(
        q.call(1, commands.Basic.Qos(100, 1, False)), 540, "NOT_IMPLEMENTED - prefetch_size!=0 (100)"
    )


# Turns


def test_consumers_take_turns(q: Client, other: Client) -> None:
    """One after the other."""
    q.consume("q", "a", no_ack=True)
    q.consume("q", "b", no_ack=True)
    other.consume("q", "c", no_ack=True)
    fill(q, *[b"%d" % place for place in range(9)])
    mine = q.take()

    assert len(mine) == 6
    assert sorted(delivery.method.consumer_tag for delivery in mine) == ["a"] * 3 + ["b"] * 3
    assert len(other.take()) == 3


def test_a_higher_priority_goes_first_while_it_can(q: Client) -> None:
    """Then the next lower ones, until it can again."""
    qos(q, 2)
    q.consume("q", "low", arguments={"x-priority": -5})
    q.consume("q", "high", arguments={"x-priority": 10})
    q.consume("q", "none")
    fill(q, *[b"%d" % place for place in range(6)])
    assert [delivery.method.consumer_tag for delivery in q.take()] == [
        "high",
        "high",
        "none",
        "none",
        "low",
        "low",
    ]
    q.ack(1)
    fill(q, b"7")

    assert [delivery.method.consumer_tag for delivery in q.take()] == ["high"]


def test_a_slow_reader_holds_back_only_itself(world: World) -> None:
    """Its outbox is bounded; what it does not take waits in the queue for others."""
    world.settings.outbox_bytes_max = 100_000
    slow = world.connect().open()
    slow.queue("q")
    slow.consume("q")
    world.clients.remove(slow)  # nobody reads its socket from here on
    publisher = world.connect().open()
    for _ in range(100):
        publisher.publish(bytes(10_000))
    assert slow.session.outbox.size < 120_000
    quick = world.connect().open()
    quick.consume("q", no_ack=True)

    assert len(quick.take()) > 80
    world.clients.append(slow)
    for _ in range(20):
        publisher.publish(bytes(10_000))
    assert len(slow.take()) > 10


# Single active consumer


@pytest.fixture
def sac(client: Client) -> Client:
    client.queue("q", arguments={"x-single-active-consumer": True})
    return client


def test_one_consumer_is_active_until_it_goes(sac: Client, other: Client) -> None:
    """Then the next one, with everything that was outstanding."""
    sac.consume("q", "a")
    other.consume("q", "b")
    fill(sac, b"1", b"2")
    assert sac.bodies() == [b"1", b"2"]
    assert other.bodies() == []
    sac.disconnect()

    assert other.bodies() == [b"1", b"2"]


def test_a_cancelled_active_consumer_makes_room(sac: Client) -> None:
    """What it holds stays with its channel."""
    sac.consume("q", "a")
    sac.consume("q", "b")
    fill(sac, b"1")
    sac.call(1, commands.Basic.Cancel("a"))
    fill(sac, b"2")

    assert [delivery.method.consumer_tag for delivery in sac.take()] == ["a", "b"]


def test_the_active_consumer_stays_though_it_cannot_take(sac: Client) -> None:
    """Its prefetch is used up: the others wait with the messages."""
    qos(sac, 1)
    sac.consume("q", "a")
    sac.consume("q", "b")
    fill(sac, b"1", b"2")

    assert [delivery.method.consumer_tag for delivery in sac.take()] == ["a"]


def test_exclusive_on_a_single_active_consumer_queue_is_403(sac: Client) -> None:
    """One of the two."""
    expect.channel_closed(
        sac.consume("q", exclusive=True), 403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"
    )


def test_get_on_a_single_active_consumer_queue_is_405(sac: Client) -> None:
    """It would go around the one."""
    expect.channel_closed(
        sac.call(1, commands.Basic.Get(queue="q")),
        405,
        "RESOURCE_LOCKED - cannot obtain access to locked queue 'q' in vhost '/'. basic.get operations are "
        "not supported by classic queues with single active consumer",
    )


# Get


def test_get_says_how_many_are_left(q: Client) -> None:
    """After this one; empty has an answer of its own."""
    fill(q, b"a", b"b", b"c")
    counts = []
    while (delivery := q.get()) is not None:
        counts.append(delivery.method.message_count)

    assert counts == [2, 1, 0]
    assert isinstance(q.received[-1][1], commands.Basic.GetEmpty)


def test_get_sees_what_was_published_in_the_same_read(q: Client) -> None:
    """Publish and get in one go."""
    q.feed(publish_octets(b"a") + frame.marshal(commands.Basic.Get(queue="q", no_ack=True), 1))

    assert q.bodies() == [b"a"]


# Channels and restarts


def test_a_consumer_survives_a_failed_method_on_another_channel(q: Client) -> None:
    """Channels are worlds of their own."""
    q.open(2)
    q.consume("q", channel=2)
    q.queue("nope", passive=True)
    q.open(3)
    fill(q, b"a", channel=3)

    assert q.bodies() == [b"a"]


@pytest.mark.parametrize("clean", [True, False])
def test_what_was_outstanding_at_a_stop_is_there_again(world: World, client: Client, clean: bool) -> None:
    """Marked as redelivered, in order; what was acknowledged is gone."""
    client.queue("q", durable=True)
    fill(client, b"a", b"b", b"c", b"d", properties=PERSISTENT)
    for _ in range(3):
        client.get(no_ack=False)
    client.ack(2)
    client.call(1, commands.Channel.Close(200, "", 0, 0))
    client.open()
    client.get(no_ack=False)
    again = world.restart(clean=clean).connect().open()
    found = [again.get(), again.get(), again.get()]

    assert [delivery.body for delivery in found if delivery] == [b"a", b"c", b"d"]
    marks = [delivery.method.redelivered for delivery in found if delivery]
    assert marks == [True, True, not clean]
    assert again.get() is None


def test_an_acknowledgement_before_close_ok_is_safe(world: World, client: Client) -> None:
    """channel.close-ok also says that what was acknowledged before it stays gone."""
    client.queue("q", durable=True)
    client.publish(b"a", properties=PERSISTENT)
    client.get(no_ack=False)
    world.hold = True
    client.ack(1)
    assert client.call(1, commands.Channel.Close(200, "", 0, 0)) is None
    world.hold = False
    world.settle()

    assert len(client.of(commands.Channel.CloseOk)) == 1
    assert world.restart(clean=False).connect().open().count("q") == 0


def test_the_mark_of_an_unclean_stop_outlives_a_clean_one(world: World, client: Client) -> None:
    """Nobody knows who saw the message before the crash; a restart in good order does not change that."""
    client.queue("q", durable=True)
    client.publish(b"seen, perhaps", properties=PERSISTENT)
    world = world.restart(clean=False)
    again = world.connect().open()
    again.publish(b"new", properties=PERSISTENT)
    again = world.restart(clean=True).connect().open()
    found = [again.get(), again.get()]

    assert [delivery.method.redelivered for delivery in found if delivery] == [True, False]


def test_a_run_that_wrote_nothing_may_have_delivered(world: World, client: Client) -> None:
    """Stopped in order, started, delivered, crashed: the clean stop of the run before says nothing now."""
    client.queue("q", durable=True)
    client.publish(b"m", properties=PERSISTENT)
    world = world.restart(clean=True)
    assert world.connect().open().get(no_ack=False) is not None
    delivery = world.restart(clean=False).connect().open().get()

    assert delivery is not None
    assert delivery.method.redelivered
