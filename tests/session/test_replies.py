"""mambaamqp/session/replies.py: requests and answers without a queue to declare."""

from typing import Any

import pytest
from pamqp import commands

from tests.support import expect
from tests.support.client import Client, World

REPLY_TO = "amq.rabbitmq.reply-to"
CONSUME = commands.Basic.Consume


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def asker(world: World) -> Client:
    """Listens for answers."""
    client = world.connect().open()
    client.consume(REPLY_TO, "answers", no_ack=True)
    return client


@pytest.fixture
def server(world: World, asker: Client) -> Client:
    """Consumes from the queue of requests."""
    client = world.connect().open()
    client.queue("requests")
    client.consume("requests", "work", no_ack=True)
    return client


def ask(client: Client, body: bytes, **properties: Any) -> None:
    client.publish(body, "requests", properties={"reply_to": REPLY_TO, **properties})


def address(server: Client) -> str:
    """Where the request that came last wants its answer."""
    return str(server.take()[-1].properties.reply_to)


def test_an_answer_goes_to_the_channel_that_asked(asker: Client, server: Client) -> None:
    """With everything else of the request as it was."""
    ask(asker, b"question", correlation_id="7", headers={"a": 1})
    (request,) = server.take()
    assert request.body == b"question"
    assert (request.properties.correlation_id, request.properties.headers) == ("7", {"a": 1})
    assert request.properties.reply_to.startswith(f"{REPLY_TO}.")

    server.publish(b"answer", request.properties.reply_to, properties={"correlation_id": "7"})
    (answer,) = asker.take()
    assert (answer.body, answer.properties.correlation_id) == (b"answer", "7")
    assert (answer.method.consumer_tag, answer.method.exchange) == ("answers", "")


def test_each_channel_has_an_address_of_its_own(asker: Client, server: Client) -> None:
    """Two channels of one connection do not get each other's answers; nobody could guess an address."""
    asker.open(2).consume(REPLY_TO, "others", channel=2, no_ack=True)
    ask(asker, b"one")
    first = address(server)
    asker.publish(b"two", "requests", channel=2, properties={"reply_to": REPLY_TO})
    second = address(server)
    assert first != second
    assert min(len(first), len(second)) >= len(REPLY_TO) + 1 + 22
    server.publish(b"for two", second)
    assert [(d.channel, d.body) for d in asker.take()] == [(2, b"for two")]


def test_repeated_requests_are_each_rewritten(asker: Client, server: Client) -> None:
    """A publisher that repeats itself is not cut short."""
    for _ in range(3):
        ask(asker, b"again")
    addresses = {delivery.properties.reply_to for delivery in server.take()}
    assert len(addresses) == 1
    assert addresses != {REPLY_TO}


def test_another_reply_to_stays(asker: Client, server: Client) -> None:
    """Only the one name is the broker's business."""
    asker.publish(b"", "requests", properties={"reply_to": "my-own-queue"})
    assert address(server) == "my-own-queue"


def test_whoever_does_not_listen_cannot_ask(world: World, server: Client) -> None:
    """406: no answer could come."""
    client = world.connect().open()
    ask(client, b"question")
    expect.channel_closed(
        client.received[-1][1],
        406,
        "PRECONDITION_FAILED - fast reply consumer does not exist",
        commands.Basic.Publish,
    )


def test_listening_with_acknowledgements_is_406(world: World) -> None:
    """There is nothing to acknowledge."""
    answer = world.connect().open().consume(REPLY_TO)
    expect.channel_closed(answer, 406, "PRECONDITION_FAILED - reply consumer cannot acknowledge", CONSUME)


def test_listening_twice_is_406(asker: Client) -> None:
    """One a channel."""
    answer = asker.consume(REPLY_TO, "more", no_ack=True)
    expect.channel_closed(answer, 406, "PRECONDITION_FAILED - reply consumer already set", CONSUME)


def test_after_a_cancel_one_may_listen_again(asker: Client, server: Client) -> None:
    """At another address; the old one is nobody's."""
    ask(asker, b"question")
    old = address(server)
    asker.call(1, commands.Basic.Cancel(consumer_tag="answers"))
    server.publish(b"too late", old, mandatory=True)
    assert server.take()[0].method.reply_code == 312
    asker.consume(REPLY_TO, "answers", no_ack=True)
    ask(asker, b"question")
    new = address(server)
    assert new != old
    server.publish(b"answer", new)
    assert [delivery.body for delivery in asker.take()] == [b"answer"]


def test_the_address_goes_with_the_channel(world: World, asker: Client, server: Client) -> None:
    """And nothing stays behind."""
    ask(asker, b"question")
    name = address(server)
    assert isinstance(server.queue(name), commands.Queue.DeclareOk)
    asker.call(1, commands.Channel.Close(200, "", 0, 0))
    answer = server.queue(name)
    expect.channel_closed(answer, 404, f"NOT_FOUND - no queue '{name}' in vhost '/'", commands.Queue.Declare)
    assert list(world.broker.vhosts["/"].queues) == ["requests"]


@pytest.mark.parametrize("passive", [True, False])
def test_a_declare_asks_whether_the_requester_is_there(asker: Client, server: Client, passive: bool) -> None:
    """No messages, one consumer, whoever asks and however."""
    ask(asker, b"question")
    for name in (REPLY_TO, address(server)):
        answer = server.queue(name, passive=passive)
        assert (answer.queue, answer.message_count, answer.consumer_count) == (name, 0, 1)


def test_a_transaction_rewrites_when_it_is_told(asker: Client, server: Client) -> None:
    """The request leaves with the commit."""
    asker.call(1, commands.Tx.Select())
    ask(asker, b"question")
    assert server.take() == []
    asker.call(1, commands.Tx.Commit())
    assert address(server).startswith(f"{REPLY_TO}.")


def test_others_cannot_take_the_answers(asker: Client, server: Client) -> None:
    """Who knows the address may write to it, and no more."""
    ask(asker, b"question")
    name = address(server)
    for attempt in (
        commands.Basic.Consume(queue=name),
        commands.Basic.Get(queue=name),
        commands.Queue.Purge(queue=name),
        commands.Queue.Delete(queue=name),
    ):
        assert server.call(1, attempt).reply_code == 405
        server.send(1, commands.Channel.CloseOk())
        server.open()
