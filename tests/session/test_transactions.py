"""mambaamqp/session/transactions.py: what a transaction holds, and how much of it."""

import pytest
from pamqp import commands

from mambaamqp.broker.message import Message, address_of
from mambaamqp.errors import PreconditionFailed
from mambaamqp.session.publishing import Publication
from mambaamqp.session.transactions import Transaction
from mambaamqp.wire import fast, properties
from tests.support.client import Client, World


def message(body_bytes: int) -> Message:
    """A message that says it is so large."""
    header = properties.encode({}, 0)
    return Message(address_of("", "q"), fast.content_frames(header, b""), body_bytes, False)


def held(body_bytes: int) -> Publication:
    """A publish of it to nobody."""
    return Publication(message(body_bytes), [], False)


def selected() -> Client:
    """A client with the queue q and a transaction on channel 1."""
    client = World().connect().open()
    client.queue("q")
    assert isinstance(client.call(1, commands.Tx.Select()), commands.Tx.SelectOk)
    return client


def test_operations_are_bounded() -> None:
    """One more than allowed is 406; publishes and acknowledgements count alike."""
    transaction = Transaction(operations_max=2, body_bytes_max=100)
    transaction.publish(held(0))
    transaction.publish(held(0))
    with pytest.raises(PreconditionFailed, match="transaction exceeds 2 operations"):
        transaction.publish(held(0))


def test_octets_are_bounded() -> None:
    """The bodies, all together."""
    transaction = Transaction(operations_max=10, body_bytes_max=100)
    transaction.publish(held(100))
    with pytest.raises(PreconditionFailed, match="transaction exceeds 100 bytes"):
        transaction.publish(held(1))


def test_a_rollback_makes_room_again() -> None:
    """As if nothing had been said."""
    client = selected()
    transaction = client.session.channels[1].transaction
    assert transaction is not None
    for _ in range(2):
        transaction.publish(held(transaction.body_bytes_max))
        assert isinstance(client.call(1, commands.Tx.Rollback()), commands.Tx.RollbackOk)
        assert (transaction.body_bytes, transaction.publications) == (0, [])


def test_a_queue_that_went_before_the_commit_is_passed_over() -> None:
    """The others get theirs; the commit succeeds."""
    client = selected().open(2)
    client.queue("other", 2)
    client.publish(b"lost")
    client.publish(b"kept", "other")
    client.call(2, commands.Queue.Delete(queue="q"))
    assert isinstance(client.call(1, commands.Tx.Commit()), commands.Tx.CommitOk)
    assert client.bodies_in("other", 2) == [b"kept"]


def test_acknowledgements_of_one_transaction_go_back_in_order() -> None:
    """Rolled back, they are outstanding under the same tags; requeued, they stand where they stood."""
    client = selected()
    for body in (b"a", b"b", b"c"):
        client.publish(body)
    client.call(1, commands.Tx.Commit())
    assert [client.get(no_ack=False).body for _ in range(3)] == [b"a", b"b", b"c"]  # type: ignore[union-attr]
    client.ack(3)
    client.ack(1)
    client.call(1, commands.Tx.Rollback())
    client.nack(0, multiple=True)
    client.call(1, commands.Tx.Commit())
    assert client.bodies_in() == [b"a", b"b", b"c"]


def test_channels_have_transactions_of_their_own() -> None:
    """What one commits does not take the other's with it."""
    client = selected().open(2)
    assert isinstance(client.call(2, commands.Tx.Select()), commands.Tx.SelectOk)
    client.publish(b"one")
    client.publish(b"two", channel=2)
    client.call(2, commands.Tx.Commit())
    client.open(3)
    assert client.bodies_in("q", 3) == [b"two"]
    client.call(1, commands.Tx.Commit())
    assert client.bodies_in("q", 3) == [b"one"]
