"""Reply codes and close frames: who is told what, and what is dropped meanwhile."""

from random import Random

import pytest
from pamqp import commands, frame

from mambaamqp.session.connection import CLOSE_SECONDS
from tests.support import expect
from tests.support.client import Client, World, publish_octets


def test_a_soft_error_closes_its_channel_only(client: Client) -> None:
    """The close names code, text and method; other channels live on."""
    client.open(2)

    answer = client.queue("nope", passive=True)

    expect.channel_closed(answer, 404, "NOT_FOUND - no queue 'nope' in vhost '/'", commands.Queue.Declare)
    assert client.queue("q", channel=2).queue == "q"


def test_a_hard_error_closes_the_connection(client: Client) -> None:
    """The close names code, text and method; the socket goes after close-ok."""
    answer = client.call(1, commands.Channel.Open())

    expect.connection_closed(answer, 504, "CHANNEL_ERROR - second 'channel.open' seen", commands.Channel.Open)
    assert not client.session.closing
    client.send(0, commands.Connection.CloseOk())
    assert client.session.closing


def test_a_close_that_is_not_answered_ends_by_itself(world: World, client: Client) -> None:
    """A peer that is gone does not keep its socket."""
    client.call(1, commands.Channel.Open())
    world.advance(CLOSE_SECONDS)

    assert client.session.closing


def test_a_long_explanation_is_cut_to_a_short_string(client: Client) -> None:
    """255 octets, and no half of a character at the end."""
    answer = client.raw(1, commands.Queue.Declare, queue="ü" * 127, passive=True)

    assert len(answer.reply_text.encode()) in (254, 255)
    assert answer.reply_text.startswith("NOT_FOUND - no queue 'üüü")


def test_after_our_channel_close_everything_is_dropped_until_close_ok(client: Client) -> None:
    """What was on its way when we closed has no effect; afterwards the number may be opened again."""
    client.queue("q")
    client.queue("nope", passive=True)
    client.publish(b"dropped")
    assert client.queue("made") is None
    client.send(1, commands.Channel.CloseOk())
    client.open()

    assert client.count("q") == 0
    expect.channel_closed(client.queue("made", passive=True), 404, "NOT_FOUND - no queue 'made' in vhost '/'")


def test_content_on_its_way_to_a_closed_channel_is_dropped(client: Client) -> None:
    """A publish in three frames, of which the channel.close crossed all or some."""
    octets = publish_octets(b"x" * 100)
    client.queue("nope", passive=True)
    for octet in octets:
        client.session.receive_data(bytes((octet,)), client.world.now)
    client.world.settle()

    client.send(1, commands.Channel.CloseOk())
    client.open()
    assert not client.of(commands.Connection.Close)


def test_a_crossing_channel_close_is_answered(client: Client) -> None:
    """Both sides close at once: ours is answered by theirs, theirs by close-ok."""
    client.queue("nope", passive=True)
    answer = client.call(1, commands.Channel.Close(200, "bye", 0, 0))

    assert isinstance(answer, commands.Channel.CloseOk)
    client.send(1, commands.Channel.CloseOk())
    client.open()
    assert not client.of(commands.Connection.Close)


def test_a_channel_may_be_opened_again_right_after_close_ok(client: Client) -> None:
    """Same number, new state: tags start anew."""
    client.queue("q")
    client.publish(b"a")
    assert client.get() is not None
    assert isinstance(client.call(1, commands.Channel.Close(200, "", 0, 0)), commands.Channel.CloseOk)
    client.open()
    client.publish(b"b")

    delivery = client.get()
    assert delivery is not None
    assert delivery.method.delivery_tag == 1


def test_after_our_connection_close_only_close_and_close_ok_are_read(client: Client) -> None:
    """Nothing else has an effect any more."""
    client.queue("q")
    client.call(1, commands.Channel.Open())
    client.publish(b"dropped")
    client.send(1, commands.Queue.Delete(queue="q"))
    assert not client.session.closing
    assert len(client.world.broker.vhosts["/"].queues) == 1
    answer = client.call(0, commands.Connection.Close(200, "bye", 0, 0))

    assert isinstance(answer, commands.Connection.CloseOk)
    assert client.session.closing


def test_the_clients_close_is_answered_and_everything_given_back(client: Client, other: Client) -> None:
    """connection.close-ok, then the socket goes; unacknowledged messages are back in their queue."""
    client.queue("q")
    client.publish(b"a")
    assert client.get(no_ack=False) is not None
    answer = client.call(0, commands.Connection.Close(200, "bye", 0, 0))

    assert isinstance(answer, commands.Connection.CloseOk)
    assert client.session.closing
    assert other.count("q") == 1


def test_exclusive_queues_are_gone_before_connection_close_ok(world: World, client: Client) -> None:
    """Tests of clients redeclare them at once after reconnecting."""
    client.queue("mine", exclusive=True)
    world.hold = True
    client.session.receive_data(frame.marshal(commands.Connection.Close(200, "bye", 0, 0), 0), world.now)

    assert "mine" not in world.broker.vhosts["/"].queues


@pytest.mark.parametrize("clean", [True, False])
def test_exclusive_queues_go_with_their_connection(client: Client, other: Client, clean: bool) -> None:
    """Closed in good order or lost: the name is free again."""
    client.queue("mine", exclusive=True)
    if clean:
        client.call(0, commands.Connection.Close(200, "bye", 0, 0))
    else:
        client.disconnect()

    assert other.queue("mine", exclusive=True).queue == "mine"


def test_a_soft_error_on_channel_0_closes_the_connection(client: Client) -> None:
    """There is no channel to close: basic.* on channel 0 is refused for the whole connection."""
    answer = client.call(0, commands.Queue.Declare(queue="q", passive=True))

    assert isinstance(answer, commands.Connection.Close)
    assert answer.reply_code == 504


class Broken(Random):
    """A generator with a bug."""

    def randbytes(self, n: int) -> bytes:
        raise RuntimeError("an inner secret")


def test_a_bug_of_ours_is_541_and_tells_nothing(client: Client, other: Client) -> None:
    """The traceback is for our log; one connection's bug ends one connection."""
    client.world.broker.random = Broken()
    answer = client.queue("")

    assert isinstance(answer, commands.Connection.Close)
    assert answer.reply_code == 541
    assert answer.reply_text.startswith("INTERNAL_ERROR - ")
    assert "secret" not in answer.reply_text
    assert other.queue("q").queue == "q"


def test_a_stopping_broker_says_320(world: World, client: Client) -> None:
    """CONNECTION_FORCED, naming no method."""
    client.session.shutdown("broker forced connection closure with reason 'shutdown'", world.now)
    world.settle()
    [close] = client.of(commands.Connection.Close)

    expect.connection_closed(
        close, 320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", 0
    )


def test_a_failed_store_says_541_and_confirms_nothing_more(world: World, client: Client) -> None:
    """What is not safe is not promised, whatever was parked."""
    client.queue("q", durable=True)
    client.confirm()
    world.hold = True
    client.publish(b"a", properties={"delivery_mode": 2})
    client.session.fail(world.now)
    world.settle()

    assert client.of(commands.Basic.Ack) == []
    [close] = client.of(commands.Connection.Close)
    assert close.reply_code == 541


def test_a_failed_store_does_not_cut_a_frame_in_two(world: World, client: Client) -> None:
    """What has left in part leaves whole, then comes the close."""
    client.queue("q")
    client.publish(bytes(1_000_000))
    world.clients.remove(client)
    client.session.receive_data(frame.marshal(commands.Basic.Get(queue="q", no_ack=True), 1), world.now)
    client.buffer = client.session.data_to_send()
    client.session.fail(world.now)
    client.pump()

    assert [len(delivery.body) for delivery in client.take()] == [1_000_000]
    assert client.of(commands.Connection.Close)[0].reply_code == 541


def test_exclusive_queues_that_were_deleted_are_forgotten(client: Client) -> None:
    """A connection that declares a thousand reply queues, one after the other, does not grow."""
    for place in range(500):
        client.queue(f"reply-{place}", exclusive=True)
        client.call(1, commands.Queue.Delete(queue=f"reply-{place}"))

    assert len(client.session.exclusive_queues) <= 64
