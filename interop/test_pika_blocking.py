"""pika's BlockingConnection: what most scripts in the field do."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    NackError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)

from interop.broker import BrokerProcess
from interop.conftest import own_broker_only

PERSISTENT = pika.BasicProperties(delivery_mode=2)


def connect(broker: BrokerProcess, **options: Any) -> pika.BlockingConnection:
    parameters = pika.URLParameters(f"{broker.url}%2F")
    for key, value in options.items():
        setattr(parameters, key, value)
    return pika.BlockingConnection(parameters)


@pytest.fixture
def channel(broker: BrokerProcess) -> Iterator[BlockingChannel]:
    connection = connect(broker)
    yield connection.channel()
    if connection.is_open:
        connection.close()


def drain(channel: BlockingChannel, queue: str, seconds: float = 5.0) -> list[bytes]:
    """All bodies of a queue by basic.get, acknowledged."""
    found = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return found
        found.append(body)
    raise AssertionError("the queue does not end")


def wait_for(channel: BlockingChannel, condition: Any, seconds: float = 5.0) -> None:
    """Serve the connection until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        channel.connection.process_data_events(time_limit=0.05)


def test_publish_and_consume(channel: BlockingChannel, name: str) -> None:
    """The README's example: declare, publish, consume, acknowledge."""
    channel.queue_declare(name)
    for number in range(100):
        channel.basic_publish("", name, b"%d" % number)
    got: list[bytes] = []

    def on_message(ch: Any, method: Any, _properties: Any, body: bytes) -> None:
        got.append(body)
        ch.basic_ack(method.delivery_tag)

    channel.basic_consume(name, on_message)
    wait_for(channel, lambda: len(got) == 100)
    assert got == [b"%d" % number for number in range(100)]


def test_properties_and_headers_pass_unchanged(channel: BlockingChannel, name: str) -> None:
    """All fourteen properties and a header of every type arrive as they were sent."""
    channel.queue_declare(name)
    sent = pika.BasicProperties(
        content_type="text/plain",
        content_encoding="utf-8",
        headers={
            "text": "grün",
            "number": -7,
            "big": 1 << 40,
            "yes": True,
            "none": None,
            "list": [1, "a"],
            "t": {"x": 1},
        },
        delivery_mode=2,
        priority=3,
        correlation_id="c-1",
        reply_to="answers",
        expiration="60000",
        message_id="m-1",
        timestamp=1_700_000_000,
        type="kind",
        user_id="guest",
        app_id="interop",
    )
    channel.basic_publish("", name, "Körper".encode(), sent)
    _, properties, body = channel.basic_get(name, auto_ack=True)
    assert body == "Körper".encode()
    assert properties == sent


def test_large_bodies(channel: BlockingChannel, name: str) -> None:
    """Bodies around the frame size and of several megabytes arrive whole."""
    channel.queue_declare(name)
    sizes = [0, 1, 131063, 131064, 131065, 262128, 5 * 1024 * 1024]
    for size in sizes:
        channel.basic_publish("", name, b"x" * size)
    assert [len(body) for body in drain(channel, name)] == sizes


def test_confirms_and_returns(channel: BlockingChannel, name: str) -> None:
    """With confirms a publish returns when it is safe; an unroutable mandatory one comes back."""
    channel.queue_declare(name, durable=True)
    channel.confirm_delivery()
    channel.basic_publish("", name, b"safe", PERSISTENT)
    with pytest.raises(UnroutableError):
        channel.basic_publish("", name + ".nowhere", b"lost", mandatory=True)
    assert drain(channel, name) == [b"safe"]
    channel.queue_delete(name)


def test_reject_publish_nacks(channel: BlockingChannel, name: str) -> None:
    """A full queue with reject-publish refuses the confirm."""
    channel.queue_declare(name, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    channel.confirm_delivery()
    channel.basic_publish("", name, b"first")
    with pytest.raises(NackError):
        channel.basic_publish("", name, b"second")
    assert drain(channel, name) == [b"first"]


def test_prefetch_bounds_what_is_outstanding(channel: BlockingChannel, name: str) -> None:
    """A consumer gets no more than its prefetch until it acknowledges."""
    channel.queue_declare(name)
    for number in range(10):
        channel.basic_publish("", name, b"%d" % number)
    tags: list[int] = []
    channel.basic_qos(prefetch_count=3)
    channel.basic_consume(name, lambda _c, method, _p, _b: tags.append(method.delivery_tag))
    wait_for(channel, lambda: len(tags) == 3)
    channel.connection.process_data_events(time_limit=0.2)
    assert len(tags) == 3
    channel.basic_ack(tags[-1], multiple=True)
    wait_for(channel, lambda: len(tags) == 6)


def test_round_robin(channel: BlockingChannel, name: str) -> None:
    """Two consumers share what comes evenly."""
    channel.queue_declare(name)
    counts = {"a": 0, "b": 0}

    def counter(tag: str) -> Any:
        def on_message(*_: Any) -> None:
            counts[tag] += 1

        return on_message

    for tag in counts:
        channel.basic_consume(name, counter(tag), auto_ack=True, consumer_tag=tag)
    for _ in range(20):
        channel.basic_publish("", name, b"")
    wait_for(channel, lambda: sum(counts.values()) == 20)
    assert counts == {"a": 10, "b": 10}


def test_requeue_keeps_the_order(channel: BlockingChannel, name: str) -> None:
    """What is requeued comes again first, in its old order, as redelivered."""
    channel.queue_declare(name)
    for number in range(4):
        channel.basic_publish("", name, b"%d" % number)
    tags = [channel.basic_get(name)[0].delivery_tag for _ in range(3)]
    for tag in reversed(tags):
        channel.basic_nack(tag, requeue=True)
    again = [channel.basic_get(name, auto_ack=True) for _ in range(4)]
    assert [body for _, _, body in again] == [b"0", b"1", b"2", b"3"]
    assert [method.redelivered for method, _, _ in again] == [True, True, True, False]


def test_message_ttl_and_dead_letter(channel: BlockingChannel, name: str) -> None:
    """An expired message goes to the dead-letter exchange with its history."""
    channel.queue_declare(name + ".dead")
    channel.queue_declare(
        name, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": name + ".dead"}
    )
    channel.basic_publish("", name, b"short", pika.BasicProperties(expiration="50"))
    found: list[Any] = []
    channel.basic_consume(
        name + ".dead", lambda _c, _m, properties, body: found.append((properties, body)), True
    )
    wait_for(channel, lambda: found)
    properties, body = found[0]
    death = properties.headers["x-death"][0]
    assert body == b"short"
    assert properties.expiration is None
    assert (death["reason"], death["queue"], death["count"]) == ("expired", name, 1)
    assert death["original-expiration"] == "50"
    assert properties.headers["x-first-death-reason"] == "expired"


def test_ttl_expires_behind_a_patient_message(
    channel: BlockingChannel, name: str, broker: BrokerProcess
) -> None:
    """A short TTL works behind a message without one, which RabbitMQ does not do."""
    own_broker_only(broker)
    channel.queue_declare(name)
    channel.basic_publish("", name, b"patient")
    channel.basic_publish("", name, b"short", pika.BasicProperties(expiration="30"))
    wait_for(channel, lambda: channel.queue_declare(name, passive=True).method.message_count == 1)
    assert drain(channel, name) == [b"patient"]


def test_reject_to_dead_letter_exchange(channel: BlockingChannel, name: str) -> None:
    """A rejected message is dead-lettered with reason rejected, and counted on a second death."""
    channel.exchange_declare(name + ".dlx", "fanout")
    channel.queue_declare(name + ".dead")
    channel.queue_bind(name + ".dead", name + ".dlx")
    channel.queue_declare(name, arguments={"x-dead-letter-exchange": name + ".dlx"})
    channel.basic_publish("", name, b"bad", pika.BasicProperties(headers={"mine": 1}))
    method, _, _ = channel.basic_get(name)
    channel.basic_reject(method.delivery_tag, requeue=False)
    _, properties, body = channel.basic_get(name + ".dead", auto_ack=True)
    assert body == b"bad"
    assert properties.headers["mine"] == 1
    assert properties.headers["x-death"][0]["reason"] == "rejected"
    assert properties.headers["x-death"][0]["routing-keys"] == [name]


def test_priorities(channel: BlockingChannel, name: str) -> None:
    """Higher priorities first, in order within one."""
    channel.queue_declare(name, arguments={"x-max-priority": 5})
    for number, priority in enumerate([1, 5, 3, 5, 0]):
        channel.basic_publish("", name, b"%d" % number, pika.BasicProperties(priority=priority))
    assert drain(channel, name) == [b"1", b"3", b"2", b"0", b"4"]


def test_length_limit_drops_the_oldest(channel: BlockingChannel, name: str) -> None:
    """A length limit drops from the head."""
    channel.queue_declare(name, arguments={"x-max-length": 2})
    for number in range(5):
        channel.basic_publish("", name, b"%d" % number)
    assert drain(channel, name) == [b"3", b"4"]


@pytest.mark.parametrize(
    ("kind", "binding", "matching", "other"),
    [("direct", "a", "a", "b"), ("topic", "a.*.#", "a.b.c.d", "a"), ("fanout", "", "anything", None)],
)
def test_exchange_types(
    channel: BlockingChannel, name: str, kind: str, binding: str, matching: str, other: str | None
) -> None:
    """direct, topic and fanout deliver what matches and nothing else."""
    exchange = f"{name}.{kind}"
    channel.exchange_declare(exchange, kind)
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, exchange, binding)
    channel.basic_publish(exchange, matching, b"yes")
    if other is not None:
        channel.basic_publish(exchange, other, b"no")
    assert drain(channel, queue) == [b"yes"]
    channel.exchange_delete(exchange)


def test_headers_exchange(channel: BlockingChannel, name: str) -> None:
    """all and any look at the message's headers."""
    channel.exchange_declare(name, "headers")
    both = channel.queue_declare("", exclusive=True).method.queue
    either = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(both, name, "", {"x-match": "all", "a": 1, "b": "x"})
    channel.queue_bind(either, name, "", {"x-match": "any", "a": 1, "b": "x"})
    channel.basic_publish(name, "", b"ab", pika.BasicProperties(headers={"a": 1, "b": "x"}))
    channel.basic_publish(name, "", b"a", pika.BasicProperties(headers={"a": 1}))
    assert drain(channel, both) == [b"ab"]
    assert drain(channel, either) == [b"ab", b"a"]


def test_exchange_to_exchange_and_alternate(channel: BlockingChannel, name: str) -> None:
    """A message goes through bound exchanges; what nobody takes goes to the alternate exchange."""
    channel.exchange_declare(name + ".rest", "fanout")
    channel.exchange_declare(name + ".in", "direct", arguments={"alternate-exchange": name + ".rest"})
    channel.exchange_declare(name + ".out", "fanout")
    channel.exchange_bind(name + ".out", name + ".in", "k")
    taken = channel.queue_declare("", exclusive=True).method.queue
    rest = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(taken, name + ".out")
    channel.queue_bind(rest, name + ".rest")
    channel.basic_publish(name + ".in", "k", b"taken")
    channel.basic_publish(name + ".in", "other", b"rest")
    assert drain(channel, taken) == [b"taken"]
    assert drain(channel, rest) == [b"rest"]
    channel.exchange_unbind(name + ".out", name + ".in", "k")


def test_transactions(channel: BlockingChannel, name: str) -> None:
    """Nothing is there before the commit, nothing after a rollback."""
    channel.queue_declare(name)
    channel.tx_select()
    channel.basic_publish("", name, b"one")
    assert channel.queue_declare(name, passive=True).method.message_count == 0
    channel.tx_commit()
    channel.basic_publish("", name, b"two")
    channel.tx_rollback()
    assert drain(channel, name) == [b"one"]


def test_single_active_consumer(broker: BrokerProcess, channel: BlockingChannel, name: str) -> None:
    """Only the first consumer gets messages; when it goes the second takes over."""
    channel.queue_declare(name, arguments={"x-single-active-consumer": True})
    got: list[str] = []
    for tag in ("first", "second"):
        channel.basic_consume(
            name, lambda _c, method, _p, _b: got.append(method.consumer_tag), True, consumer_tag=tag
        )
    channel.basic_publish("", name, b"")
    channel.basic_publish("", name, b"")
    wait_for(channel, lambda: len(got) == 2)
    channel.basic_cancel("first")
    channel.basic_publish("", name, b"")
    wait_for(channel, lambda: len(got) == 3)
    assert got == ["first", "first", "second"]


def test_exclusive_queue_is_its_connections_own(broker: BrokerProcess, channel: BlockingChannel) -> None:
    """Another connection gets 405, and the queue goes with its connection."""
    own = connect(broker)
    queue = own.channel().queue_declare("", exclusive=True).method.queue
    with pytest.raises(ChannelClosedByBroker) as caught:
        channel.queue_declare(queue, passive=True)
    assert caught.value.reply_code == 405
    own.close()
    with pytest.raises(ChannelClosedByBroker) as caught:
        channel.connection.channel().queue_declare(queue, passive=True)
    assert caught.value.reply_code == 404


def test_consumer_is_told_when_its_queue_goes(
    broker: BrokerProcess, channel: BlockingChannel, name: str
) -> None:
    """basic.cancel reaches a consumer whose queue is deleted."""
    channel.queue_declare(name)
    cancelled: list[str] = []
    channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    channel.basic_consume(name, lambda *_: None, consumer_tag="told")
    other = connect(broker)
    other.channel().queue_delete(name)
    other.close()
    wait_for(channel, lambda: cancelled == ["told"])


MISTAKES: list[tuple[str, int, Any]] = [
    ("no such queue", 404, lambda ch: ch.queue_declare("interop.nowhere", passive=True)),
    ("no such exchange", 404, lambda ch: ch.queue_bind("interop.nowhere", "interop.nowhere")),
    ("reserved name", 403, lambda ch: ch.queue_declare("amq.mine")),
    ("default exchange", 403, lambda ch: ch.exchange_delete("")),
    ("bad argument", 406, lambda ch: ch.queue_declare("interop.bad", arguments={"x-expires": 0})),
    ("unknown tag", 406, lambda ch: (ch.basic_ack(77), ch.queue_declare("", exclusive=True))),
    ("not transactional", 406, lambda ch: ch.tx_commit()),
]


@pytest.mark.parametrize(("what", "code", "mistake"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_mistakes_close_the_channel_only(
    channel: BlockingChannel, what: str, code: int, mistake: Any
) -> None:
    """A mistake closes its channel with the right code; the connection goes on."""
    with pytest.raises(ChannelClosedByBroker) as caught:
        mistake(channel)
    assert caught.value.reply_code == code
    assert channel.connection.channel().is_open


def test_inequivalent_redeclare(channel: BlockingChannel, name: str) -> None:
    """Declaring a queue again with other properties is 406 and names the property."""
    channel.queue_declare(name)
    with pytest.raises(ChannelClosedByBroker) as caught:
        channel.queue_declare(name, durable=True)
    assert caught.value.reply_code == 406
    assert "inequivalent arg 'durable'" in caught.value.reply_text


def test_wrong_password(broker: BrokerProcess) -> None:
    """A wrong password is told as such."""
    with pytest.raises(ProbableAuthenticationError):
        connect(broker, credentials=pika.PlainCredentials("guest", "wrong"))


def test_unknown_virtual_host(broker: BrokerProcess) -> None:
    """A virtual host that is not there is 530."""
    with pytest.raises((ConnectionClosedByBroker, ProbableAccessDeniedError, AMQPConnectionError)):
        connect(broker, virtual_host="nowhere")


def test_heartbeats_keep_an_idle_connection(broker: BrokerProcess) -> None:
    """With a heartbeat of one second an idle connection that serves its socket lives on."""
    connection = connect(broker, heartbeat=1)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        connection.process_data_events(time_limit=0.2)
    assert connection.channel().is_open
    connection.close()


def test_unicode_names(channel: BlockingChannel) -> None:
    """Names are any UTF-8."""
    queue, exchange = "Schlange-蛇-🐍", "Börse-交易所"
    channel.exchange_declare(exchange)
    channel.queue_declare(queue)
    channel.queue_bind(queue, exchange, "schlüssel")
    channel.basic_publish(exchange, "schlüssel", b"hi")
    method, _, body = channel.basic_get(queue, auto_ack=True)
    assert (method.exchange, method.routing_key, body) == (exchange, "schlüssel", b"hi")
    channel.queue_delete(queue)
    channel.exchange_delete(exchange)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_restart_keeps_what_was_confirmed(broker: BrokerProcess, name: str, how: str) -> None:
    """Durable topology and confirmed persistent messages survive a stop and a kill -9."""
    own_broker_only(broker)
    connection = connect(broker)
    channel = connection.channel()
    channel.exchange_declare(name + ".x", durable=True)
    channel.queue_declare(name, durable=True)
    channel.queue_declare(name + ".transient")
    channel.queue_bind(name, name + ".x", "k")
    channel.confirm_delivery()
    for number in range(50):
        channel.basic_publish(name + ".x", "k", b"%d" % number, PERSISTENT)
    for _ in range(10):
        channel.basic_get(name, auto_ack=True)
    channel.close()
    (broker.stop if how == "stop" else broker.kill)()
    broker.start()
    channel = connect(broker).channel()
    assert drain(channel, name) == [b"%d" % number for number in range(10, 50)]
    channel.basic_publish(name + ".x", "k", b"again")
    assert drain(channel, name) == [b"again"]
    with pytest.raises(ChannelClosedByBroker):
        channel.queue_declare(name + ".transient", passive=True)


def test_stop_tells_clients(broker: BrokerProcess) -> None:
    """SIGTERM gives every client a 320 and ends with exit code 0."""
    own_broker_only(broker)
    connection = connect(broker)
    code = broker.stop()
    with pytest.raises(ConnectionClosedByBroker) as caught:
        for _ in itertools.repeat(None, 100):
            connection.process_data_events(time_limit=0.1)
    assert caught.value.reply_code == 320
    assert code == 0
    broker.start()


def test_remote_procedure_calls_without_a_reply_queue(
    broker: BrokerProcess, channel: BlockingChannel, name: str
) -> None:
    """Direct reply-to, as RabbitMQ's tutorial has it: answers come to the channel that asked."""
    channel.queue_declare(name, auto_delete=True)
    answers: list[tuple[str, bytes]] = []

    def answered(_ch: Any, _method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        answers.append((str(properties.correlation_id), body))

    channel.basic_consume("amq.rabbitmq.reply-to", answered, auto_ack=True)
    for number in range(3):
        properties = pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id=str(number))
        channel.basic_publish("", name, b"%d" % number, properties)

    with connect(broker) as connection:
        server = connection.channel()
        for _ in range(3):
            method, request, body = server.basic_get(name)
            assert request.reply_to.startswith("amq.rabbitmq.reply-to.")
            assert server.queue_declare(request.reply_to, passive=True).method.consumer_count == 1
            answer = pika.BasicProperties(correlation_id=request.correlation_id)
            server.basic_publish("", request.reply_to, body * 2, answer)
            server.basic_ack(method.delivery_tag)
        wait_for(channel, lambda: len(answers) == 3)
        assert answers == [("0", b"00"), ("1", b"11"), ("2", b"22")]
        channel.close()
        with pytest.raises(ChannelClosedByBroker) as gone:
            server.queue_declare(request.reply_to, passive=True)
        assert gone.value.reply_code == 404


def test_a_consumer_that_does_not_acknowledge_is_cancelled(channel: BlockingChannel, name: str) -> None:
    """It learns by basic.cancel; the message is another consumer's."""
    channel.queue_declare(name, arguments={"x-consumer-timeout": 400})
    channel.basic_publish("", name, b"slow")
    cancelled: list[Any] = []
    channel.add_on_cancel_callback(cancelled.append)
    channel.basic_consume(name, lambda *delivery: None, consumer_tag="sleeper")

    wait_for(channel, lambda: cancelled)

    assert cancelled[0].method.consumer_tag == "sleeper"
    method, _, body = channel.basic_get(name, auto_ack=True)
    assert (body, method.redelivered) == (b"slow", True)


def test_a_rejected_message_waits_before_it_comes_again(channel: BlockingChannel, name: str) -> None:
    """x-delayed-retry: not at once, but after its delay, and counted."""
    arguments = {"x-delayed-retry-type": "failed", "x-delayed-retry-min": 300, "x-delivery-limit": 5}
    channel.queue_declare(name, durable=True, arguments=arguments)
    channel.basic_publish("", name, b"again", PERSISTENT)
    method, _, _ = channel.basic_get(name)
    began = time.monotonic()
    channel.basic_reject(method.delivery_tag, requeue=True)
    found: list[tuple[float, Any, bytes]] = []

    def take(_channel: Any, delivered: Any, properties: Any, body: bytes) -> None:
        found.append((time.monotonic() - began, properties.headers, body))

    channel.basic_consume(name, take, auto_ack=True)
    wait_for(channel, lambda: found)

    waited, headers, body = found[0]
    assert waited >= 0.3
    assert (body, headers["x-delivery-count"]) == (b"again", 1)
