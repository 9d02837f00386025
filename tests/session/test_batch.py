"""The end of a batch: who must pause, and when it goes on."""

from pamqp import commands

from tests.support.client import Client, World, publish_octets

PERSISTENT = {"delivery_mode": 2}


def flood(world: World, publisher: Client, count: int) -> None:
    """Publish without letting anything else happen in between."""
    publisher.session.receive_data(publish_octets(b"x") * count, world.now)


def test_a_publisher_waits_for_consumers_that_keep_up() -> None:
    """Past the mark a publisher is not read until half of the backlog has been taken."""
    world = World()
    publisher, consumer = world.connect().open(), world.connect().open()
    consumer.queue("q")
    consumer.send(1, commands.Basic.Qos(prefetch_count=1000))
    consumer.call(1, commands.Basic.Consume(queue="q", consumer_tag="c"))
    flood(world, publisher, 6000)
    assert not publisher.session.wants_read
    while not publisher.session.wants_read:
        world.settle()
        last = consumer.take()[-1].method.delivery_tag
        consumer.send(1, commands.Basic.Ack(delivery_tag=last, multiple=True))
    assert world.broker.vhosts["/"].queues["q"].ready.count <= 2048


def test_a_publisher_does_not_wait_for_consumers_that_do_nothing() -> None:
    """Consumers that take nothing hold a publisher back for a moment only, and less and less often."""
    world = World()
    publisher, consumer = world.connect().open(), world.connect().open()
    consumer.queue("q")
    consumer.send(1, commands.Basic.Qos(prefetch_count=1))
    consumer.call(1, commands.Basic.Consume(queue="q", consumer_tag="c"))
    flood(world, publisher, 6000)
    assert not publisher.session.wants_read
    world.advance(0.1)
    assert publisher.session.wants_read
    flood(world, publisher, 1000)
    assert publisher.session.wants_read


def test_nobody_waits_without_consumers() -> None:
    """A backlog that nobody takes from is built at full speed."""
    world = World()
    publisher = world.connect().open()
    publisher.queue("q")
    flood(world, publisher, 20000)
    assert publisher.session.wants_read


def test_a_journal_that_lags_holds_publishers_back() -> None:
    """Too much that is not on disk yet: the publisher is not read until it is."""
    world = World(journal_pending_bytes_max=10_000)
    publisher = world.connect().open()
    publisher.queue("q", durable=True)
    octets = publish_octets(b"x" * 1000, properties=PERSISTENT) * 20
    publisher.session.receive_data(octets, world.now)
    assert not publisher.session.wants_read
    world.settle()
    assert publisher.session.wants_read


def test_too_many_unconfirmed_publishes_hold_their_publisher_back() -> None:
    """A channel with more unconfirmed publishes than allowed is not read until they are confirmed."""
    world = World(unconfirmed_max=10)
    publisher = world.connect().open()
    publisher.queue("q", durable=True)
    publisher.call(1, commands.Confirm.Select())
    publisher.session.receive_data(publish_octets(b"x", properties=PERSISTENT) * 11, world.now)
    assert not publisher.session.wants_read
    world.settle()
    assert publisher.session.wants_read
    assert publisher.of(commands.Basic.Ack)[-1].delivery_tag == 11
