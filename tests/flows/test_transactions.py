"""Transactions: all or nothing, and nothing before the commit."""

from typing import Any

import pytest
from pamqp import commands, frame

from tests.support import expect
from tests.support.client import Client, Delivery, World, publish_octets

PERSISTENT = {"delivery_mode": 2}
SELECT = commands.Tx.Select
COMMIT = commands.Tx.Commit
ROLLBACK = commands.Tx.Rollback


def commit(client: Client) -> Any:
    return client.call(1, COMMIT())


def rollback(client: Client) -> None:
    assert isinstance(client.call(1, ROLLBACK()), commands.Tx.RollbackOk)


@pytest.fixture
def tx(client: Client) -> Client:
    """In transaction mode on channel 1, with a durable queue q."""
    client.queue("q", durable=True)
    assert isinstance(client.call(1, SELECT()), commands.Tx.SelectOk)
    return client


# Modes


def test_select_twice_is_fine(tx: Client) -> None:
    """It already is."""
    assert isinstance(tx.call(1, SELECT()), commands.Tx.SelectOk)


@pytest.mark.parametrize("method", [COMMIT, ROLLBACK], ids=["commit", "rollback"])
def test_without_select_there_is_nothing_to_end(client: Client, method: Any) -> None:
    """406."""
    expect.channel_closed(
        client.call(1, method()), 406, "PRECONDITION_FAILED - channel is not transactional", method
    )


def test_confirm_mode_and_tx_mode_exclude_each_other(client: Client) -> None:
    """Whichever came first."""
    client.open(2)
    client.confirm(1)
    expect.channel_closed(
        client.call(1, SELECT()), 406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode", SELECT
    )
    client.call(2, SELECT())
    expect.channel_closed(
        client.call(2, commands.Confirm.Select()),
        406,
        "PRECONDITION_FAILED - cannot switch from tx to confirm mode",
        commands.Confirm.Select,
    )


# Publishes


def test_publishes_appear_at_commit(tx: Client, other: Client) -> None:
    """All of them, in order, and not before."""
    tx.publish(b"a")
    tx.publish(b"b")
    assert other.count("q") == 0
    assert isinstance(commit(tx), commands.Tx.CommitOk)

    assert other.bodies_in("q") == [b"a", b"b"]


def test_publishes_vanish_at_rollback(tx: Client) -> None:
    """And the next transaction starts empty."""
    tx.publish(b"a")
    rollback(tx)
    tx.publish(b"b")
    commit(tx)

    assert tx.bodies_in("q") == [b"b"]


@pytest.mark.parametrize("how", ["channel", "connection"])
def test_the_end_of_the_channel_is_a_rollback(tx: Client, other: Client, how: str) -> None:
    """Nothing of it happens."""
    tx.publish(b"a")
    if how == "channel":
        tx.call(1, commands.Channel.Close(200, "", 0, 0))
    else:
        tx.disconnect()

    assert other.count("q") == 0


def test_a_missing_exchange_is_told_at_publish(tx: Client) -> None:
    """Not only at commit."""
    tx.publish(b"a", exchange="nope")

    assert tx.of(commands.Channel.Close)[0].reply_code == 404


def test_returns_come_at_commit_before_commit_ok(tx: Client) -> None:
    """Mandatory messages that go nowhere."""
    tx.publish(b"a", "nope", mandatory=True)
    assert tx.deliveries == []
    tx.send(1, COMMIT())
    kinds = [type(value) for channel, value in tx.received if channel == 1][-2:]

    assert kinds == [Delivery, commands.Tx.CommitOk]


def test_commit_ok_waits_for_the_journal(world: World, tx: Client) -> None:
    """Everything in it is safe by then."""
    tx.publish(b"a", properties=PERSISTENT)
    world.hold = True
    assert commit(tx) is None
    world.hold = False
    world.settle()

    assert len(tx.of(commands.Tx.CommitOk)) == 1


def test_a_commit_that_a_full_queue_refuses_is_406(tx: Client, other: Client) -> None:
    """As a whole: nothing of it has happened."""
    tx.queue("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    tx.publish(b"a")
    tx.publish(b"b", "full")
    tx.publish(b"c", "full")

    expect.channel_closed(commit(tx), 406, "PRECONDITION_FAILED - partial tx completion", COMMIT)
    assert other.count("q") == 0
    assert other.count("full") == 0


def test_a_queue_deleted_before_the_commit(tx: Client, other: Client) -> None:
    """Where the message was to go is gone: it is unroutable now."""
    tx.publish(b"a", mandatory=True)
    other.call(1, commands.Queue.Delete(queue="q"))

    assert isinstance(commit(tx), commands.Tx.CommitOk)
    assert [delivery.body for delivery in tx.take()] == [b"a"]


# Acknowledgements


def deliver(tx: Client, *bodies: bytes) -> list[int]:
    """Publish outside the transaction's channel and get on it; returns the tags."""
    tx.open(2)
    for body in bodies:
        tx.publish(body, channel=2, properties=PERSISTENT)
    tags = []
    for _ in bodies:
        delivery = tx.get(no_ack=False)
        assert delivery is not None
        tags.append(delivery.method.delivery_tag)
    return tags


def test_acknowledgements_count_at_commit(world: World, tx: Client, other: Client) -> None:
    """Before it the messages are outstanding, after it they are gone for good."""
    tags = deliver(tx, b"a", b"b")
    tx.ack(tags[0])
    assert world.broker.vhosts["/"].queues["q"].unacked == 2
    commit(tx)
    assert world.broker.vhosts["/"].queues["q"].unacked == 1
    tx.disconnect()

    assert other.bodies_in("q") == [b"b"]


def test_after_a_rollback_the_same_tags_are_outstanding(tx: Client) -> None:
    """They can be acknowledged again, in any order; nothing is redelivered by itself."""
    tags = deliver(tx, b"a", b"b", b"c")
    tx.ack(tags[2])
    tx.ack(tags[0])
    tx.nack(tags[1], requeue=False)
    rollback(tx)
    assert tx.take() == []
    assert tx.ack(tags[2], multiple=True) is None
    commit(tx)
    rollback(tx)

    assert tx.count("q") == 0
    assert tx.of(commands.Channel.Close) == []


def test_a_rolled_back_ack_comes_back_when_the_channel_closes(tx: Client, other: Client) -> None:
    """The message was never settled."""
    [tag] = deliver(tx, b"a")
    tx.ack(tag)
    tx.call(1, commands.Channel.Close(200, "", 0, 0))
    delivery = other.get()

    assert delivery is not None
    assert delivery.method.redelivered


def test_an_unknown_tag_is_told_at_once(tx: Client) -> None:
    """Also one that this transaction has acknowledged already."""
    [tag] = deliver(tx, b"a")
    assert tx.ack(tag) is None

    expect.channel_closed(
        tx.ack(tag), 406, f"PRECONDITION_FAILED - unknown delivery tag {tag}", commands.Basic.Ack
    )


@pytest.mark.parametrize("requeue", [True, False])
def test_refusals_count_at_commit(tx: Client, requeue: bool) -> None:
    """Requeued or dropped, but not before."""
    [tag] = deliver(tx, b"a")
    tx.reject(tag, requeue)
    assert tx.count("q") == 0
    commit(tx)

    assert tx.count("q") == int(requeue)


def test_a_transaction_is_one_atom(world: World, tx: Client) -> None:
    """Acknowledgement and publish together: whatever a power cut leaves of the commit, both or neither."""
    tx.queue("out", durable=True)
    [tag] = deliver(tx, b"in")
    tx.ack(tag)
    tx.publish(b"out", "out", properties=PERSISTENT)
    world.hold = True
    tx.send(1, COMMIT())
    left = world.disks_after_a_cut()
    assert len(left) > 3
    outcomes = set()
    for disk in left:
        again = World(disk, world.config).connect().open()
        outcomes.add((again.count("q"), again.count("out")))

    assert outcomes == {(1, 0), (0, 1)}


# Limits


def test_operations_are_counted() -> None:
    """406 for one more."""
    client = World(tx_operations_max=2).connect().open()
    client.queue("q")
    client.call(1, SELECT())
    for _ in range(3):
        client.publish(b"a")

    expect.channel_closed(
        client.of(commands.Channel.Close)[0],
        406,
        "PRECONDITION_FAILED - transaction exceeds 2 operations",
    )
    client.send(1, commands.Channel.CloseOk())
    assert client.open().count("q") == 0


def test_bytes_are_counted() -> None:
    """Of the bodies."""
    client = World(tx_bytes_max=10).connect().open()
    client.queue("q")
    client.call(1, SELECT())
    client.publish(b"123456")
    client.publish(b"123456")

    assert client.of(commands.Channel.Close)[0].reply_code == 406


def test_methods_behind_a_commit_that_waits(world: World, tx: Client) -> None:
    """They take effect in order, and their answers stay behind commit-ok."""
    tx.publish(b"a", properties=PERSISTENT)
    world.hold = True
    tx.feed(frame.marshal(COMMIT(), 1) + frame.marshal(commands.Basic.Get(queue="q", no_ack=True), 1))
    world.hold = False
    world.settle()
    kinds = [type(value) for channel, value in tx.received if channel == 1][-2:]

    assert kinds == [commands.Tx.CommitOk, Delivery]


def test_a_large_transaction(tx: Client) -> None:
    """Thousands of publishes in one go."""
    tx.feed(publish_octets(b"m", properties=PERSISTENT) * 5000)
    commit(tx)

    assert tx.count("q") == 5000
