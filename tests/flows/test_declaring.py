"""Names, declaring, redeclaring and deleting: every refusal in RabbitMQ's words."""

from decimal import Decimal
from typing import Any

import pytest
from pamqp import commands

from mambaamqp.config import Config, LimitsConfig, PermissionConfig, VhostConfig
from mambaamqp.wire.table import Table
from tests.support import expect
from tests.support.client import Client, World, default_config, user_config

QUEUE = "queue 'q' in vhost '/'"
LOCKED = (
    "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'. It could be "
    "originally declared on another connection or the exclusive property value does not match that of the "
    "original declaration."
)


def not_found(answer: Any, what: str) -> None:
    expect.channel_closed(answer, 404, f"NOT_FOUND - no {what} in vhost '/'")


def refused(answer: Any, text: str) -> None:
    expect.channel_closed(answer, 406, f"PRECONDITION_FAILED - {text}")


# Look-ups


def test_a_missing_queue_is_404_for_whatever_needs_it(world: World) -> None:
    """Passive declare, consume, get, purge, bind."""
    calls = [
        lambda client: client.queue("q", passive=True),
        lambda client: client.consume("q"),
        lambda client: client.call(1, commands.Basic.Get(queue="q")),
        lambda client: client.call(1, commands.Queue.Purge(queue="q")),
        lambda client: client.bind("q", "amq.direct", "k"),
    ]
    for call in calls:
        not_found(call(world.connect().open()), "queue 'q'")


def test_a_missing_exchange_is_404_for_whatever_needs_it(world: World) -> None:
    """Passive declare and binding."""
    client = world.connect().open()
    client.queue("q")
    not_found(client.exchange("x", passive=True), "exchange 'x'")
    not_found(world.connect().open().bind("q", "x", "k"), "exchange 'x'")


def test_if_both_ends_are_missing_the_exchange_is_named(client: Client) -> None:
    """The source is looked up first."""
    not_found(client.bind("q", "x", "k"), "exchange 'x'")


@pytest.mark.parametrize(
    "method",
    [
        commands.Queue.Bind(queue="", exchange="amq.direct", routing_key="k"),
        commands.Basic.Consume(queue=""),
        commands.Basic.Get(queue=""),
        commands.Queue.Purge(queue=""),
        commands.Queue.Delete(queue=""),
        commands.Queue.Declare(queue="", passive=True),
    ],
    ids=lambda method: method.name,
)
def test_the_empty_name_without_a_declare_is_404(client: Client, method: Any) -> None:
    """There is no queue it could stand for."""
    expect.channel_closed(client.call(1, method), 404, "NOT_FOUND - no previously declared queue")


def test_the_empty_name_is_the_last_declared_queue(client: Client) -> None:
    """Of this channel; passive or not."""
    client.queue("a")
    client.queue("b")
    client.queue("a", passive=True)
    client.publish(b"x", "a")

    assert client.get("") is not None


def test_binding_without_queue_and_key_takes_the_queues_name_as_key(client: Client) -> None:
    """A convenience that the standard asks for."""
    client.queue("q")
    client.bind("", "amq.direct", "")
    client.publish(b"x", "q", "amq.direct")

    assert client.bodies_in("q") == [b"x"]


# Queues


def test_a_queue_is_declared_once_and_then_found(client: Client) -> None:
    """Counts are those of ready messages and consumers, passive or not."""
    answer = client.queue("q")
    assert (answer.queue, answer.message_count, answer.consumer_count) == ("q", 0, 0)
    for _ in range(3):
        client.publish(b"x")
    assert client.get(no_ack=False) is not None
    for options in ({}, {"passive": True}, {"passive": True, "durable": True, "exclusive": True}):
        answer = client.queue("q", **options)
        assert (answer.message_count, answer.consumer_count) == (2, 0)
    client.consume("q")

    answer = client.queue("q")
    assert (answer.message_count, answer.consumer_count) == (0, 1)


def test_the_broker_names_a_queue_without_a_name(client: Client) -> None:
    """amq.gen- and 22 characters that nobody can guess."""
    first, second = client.queue("").queue, client.queue("").queue

    assert first != second
    for name in (first, second):
        assert name.startswith("amq.gen-")
        assert len(name) == len("amq.gen-") + 22


def test_nowait_answers_nothing(client: Client) -> None:
    """The next answer belongs to the next method."""
    assert client.queue("q", nowait=True) is None
    assert client.bind("q", "amq.direct", "k", nowait=True) is None
    assert client.exchange("x", nowait=True) is None
    assert client.call(1, commands.Queue.Purge(queue="q", nowait=True)) is None
    assert client.call(1, commands.Queue.Delete(queue="q", nowait=True)) is None
    assert client.call(1, commands.Exchange.Delete(exchange="x", nowait=True)) is None
    not_found(client.queue("q", passive=True), "queue 'q'")


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ({}, {"durable": True}, "'durable' for {}: received 'true' but current is 'false'"),
        ({"durable": True}, {}, "'durable' for {}: received 'false' but current is 'true'"),
        ({}, {"auto_delete": True}, "'auto_delete' for {}: received 'true' but current is 'false'"),
        (
            {"durable": True, "arguments": {"x-max-length": 1}},
            {"auto_delete": True},
            "'durable' for {}: received 'false' but current is 'true'",
        ),
        (
            {"arguments": {"x-message-ttl": 1000}},
            {"arguments": {"x-message-ttl": 2000}},
            "'x-message-ttl' for {}: received '2000' but current is '1000'",
        ),
        (
            {"arguments": {"x-message-ttl": 100_000}},
            {},
            "'x-message-ttl' for {}: received none but current is the value '100000' of type 'signedint'",
        ),
        (
            {},
            {"arguments": {"x-dead-letter-exchange": "d"}},
            "'x-dead-letter-exchange' for {}: received the value 'd' of type 'longstr' but current is none",
        ),
        (
            {"arguments": {"x-overflow": "reject-publish"}},
            {"arguments": {"x-overflow": "drop-head"}},
            "'x-overflow' for {}: received 'drop-head' but current is 'reject-publish'",
        ),
    ],
)
def test_a_redeclare_that_differs_is_406(client: Client, first: Any, second: Any, text: str) -> None:
    """Durable first, then auto_delete, then the arguments."""
    client.queue("q", **first)

    refused(client.queue("q", **second), f"inequivalent arg {text.format(QUEUE)}")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"x-message-ttl": 1000}, {"x-message-ttl": 1000}),
        ({}, {"x-queue-type": "classic"}),
        ({"x-queue-type": "classic"}, {}),
        ({"x-foo": 1}, {}),
        ({}, {"x-foo": "bar"}),
        ({"x-foo": 1}, {"x-foo": 2}),
    ],
)
def test_a_redeclare_that_means_the_same_is_fine(client: Client, first: Any, second: Any) -> None:
    """classic is the default type; unknown arguments are not compared."""
    client.queue("q", arguments=first)

    assert client.queue("q", arguments=second).queue == "q"


def test_widths_of_integers_compare_equal(client: Client) -> None:
    """One client's `I` is another's `l`."""
    client.queue("q", arguments={"x-max-length": 5})
    wide = b"\x0cx-max-lengthl" + (5).to_bytes(8, "big")
    answer = client.raw(1, commands.Queue.Declare, queue="q", arguments=Table(wide))
    assert answer.queue == "q"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"x-expires": 0}, "'x-expires' for {}: {{value_zero,0}}"),
        ({"x-expires": -1}, "'x-expires' for {}: {{value_negative,-1}}"),
        ({"x-expires": 315360000001}, "'x-expires' for {}: {{value_too_large,315360000001}}"),
        ({"x-expires": "1"}, "'x-expires' for {}: \"expected integer, got longstr\""),
        ({"x-message-ttl": -1}, "'x-message-ttl' for {}: {{value_negative,-1}}"),
        ({"x-message-ttl": True}, "'x-message-ttl' for {}: \"expected integer, got bool\""),
        ({"x-message-ttl": Decimal("1.5")}, "'x-message-ttl' for {}: \"expected integer, got decimal\""),
        ({"x-max-length": -1}, "'x-max-length' for {}: {{value_negative,-1}}"),
        ({"x-max-length": "1"}, "'x-max-length' for {}: \"expected integer, got longstr\""),
        ({"x-max-length-bytes": -5}, "'x-max-length-bytes' for {}: {{value_negative,-5}}"),
        ({"x-max-priority": 256}, "'x-max-priority' for {}: {{max_value_exceeded,256}}"),
        ({"x-max-priority": -1}, "'x-max-priority' for {}: {{value_negative,-1}}"),
        ({"x-overflow": "nonsense"}, "'x-overflow' for {}: invalid_overflow"),
        (
            {"x-dead-letter-routing-key": "k"},
            "'x-dead-letter-routing-key' for {}: routing_key_but_no_dlx_defined",
        ),
        (
            {"x-dead-letter-exchange": 100_000},
            "'x-dead-letter-exchange' for {}: {{unacceptable_type,signedint}}",
        ),
    ],
)
def test_an_invalid_argument_is_406(client: Client, arguments: Any, text: str) -> None:
    """And no queue is made."""
    refused(client.queue("q", arguments=arguments), f"invalid arg {text.format(QUEUE)}")
    assert client.world.broker.vhosts["/"].queues == {}


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-message-ttl": 0},
        {"x-max-length": 0},
        {"x-max-priority": 0},
        {"x-max-priority": 255},
        {"x-queue-mode": "lazy"},
        {"x-queue-version": 2},
        {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"},
        {"x-foo": "unknown"},
        {"x-single-active-consumer": True},
        {"x-queue-leader-locator": "balanced"},
        {"x-queue-master-locator": "client-local"},
    ],
)
def test_legal_arguments_are_taken(client: Client, arguments: Any) -> None:
    """Zeros where they mean something, lazy mode for old recipes, unknown ones for whoever reads them."""
    assert client.queue("q", arguments=arguments).queue == "q"


def test_an_argument_of_another_queue_type_is_406(client: Client) -> None:
    """Only unknown ones are ignored."""
    answer = client.queue("q", arguments={"x-max-in-memory-length": 5})

    refused(answer, f"invalid arg 'x-max-in-memory-length' for {QUEUE} of queue type rabbit_classic_queue")


def test_an_unknown_queue_type_is_406(client: Client) -> None:
    """There are three."""
    answer = client.queue("q", arguments={"x-queue-type": "foo"})

    assert answer.reply_code == 406
    assert answer.reply_text.startswith(f"PRECONDITION_FAILED - invalid arg 'x-queue-type' for {QUEUE}")


@pytest.mark.parametrize(
    ("options", "prop"),
    [
        ({}, "non-durable"),
        ({"durable": True, "auto_delete": True}, "auto-delete"),
        ({"durable": True, "exclusive": True}, "exclusive-owner"),
    ],
)
def test_a_quorum_queue_is_durable_and_shared(client: Client, options: Any, prop: str) -> None:
    """406 naming the property."""
    answer = client.queue("q", arguments={"x-queue-type": "quorum"}, **options)

    refused(answer, f"invalid property '{prop}' for {QUEUE}")


def test_a_quorum_queue_has_a_name_of_its_own(client: Client) -> None:
    """The broker names classic queues only."""
    answer = client.queue("", durable=True, arguments={"x-queue-type": "quorum"})

    assert answer.reply_code == 406


def test_transient_shared_queues_stay_allowed(client: Client) -> None:
    """A deliberate difference: RabbitMQ 4.3 refuses durable=false without exclusive=true."""
    assert client.queue("q", durable=False, exclusive=False).queue == "q"


# Names


@pytest.mark.parametrize("name", ["amq.foo", "amq.", "amq.gen-guess"])
def test_reserved_queue_names_are_403(client: Client, name: str) -> None:
    """On every declare that is not passive."""
    expect.channel_closed(
        client.queue(name), 403, f"ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'"
    )


def test_a_queue_that_the_broker_named_may_not_be_redeclared(client: Client, other: Client) -> None:
    """Its name has the prefix; passive is fine."""
    name = client.queue("").queue
    assert other.queue(name, passive=True).queue == name

    assert client.queue(name).reply_code == 403


def test_reserved_exchange_names_are_403_only_when_they_would_be_created(client: Client) -> None:
    """amq.direct exists and may be declared as it is."""
    assert isinstance(client.exchange("amq.direct", "direct", durable=True), commands.Exchange.DeclareOk)
    expect.channel_closed(
        client.exchange("amq.foo"),
        403,
        "ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'",
    )


def test_line_ends_are_stripped_from_names(client: Client) -> None:
    """CR and LF, wherever they stand."""
    answer = client.raw(1, commands.Queue.Declare, queue="a\r\nb\n")

    assert answer.queue == "ab"
    client.raw(1, commands.Exchange.Declare, exchange="x\n", exchange_type="fanout")
    client.raw(1, commands.Queue.Bind, queue="ab\r", exchange="x\r", routing_key="")
    client.publish(b"m", "", "x")
    assert client.bodies_in("ab") == [b"m"]


@pytest.mark.parametrize("name", ["ü" * 127, "日本語", "a b/c?d#e*f", "x" * 255, "\x00", "🐍"])
def test_names_are_any_text_of_255_octets(client: Client, name: str) -> None:
    """No other check of characters."""
    answer = client.raw(1, commands.Queue.Declare, queue=name)

    assert answer.queue == name


# Exchanges


@pytest.mark.parametrize("kind", ["direct", "fanout", "topic", "headers"])
def test_the_four_types_can_be_declared_and_redeclared(client: Client, kind: str) -> None:
    """Idempotent, and found by a passive declare of any type."""
    for options in ({}, {}, {"passive": True}):
        assert isinstance(client.exchange("x", kind, **options), commands.Exchange.DeclareOk)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.topic", "topic"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
    ],
)
def test_the_predeclared_exchanges_are_there(client: Client, name: str, kind: str) -> None:
    """Durable, of the type in the name."""
    assert isinstance(client.exchange(name, kind, durable=True), commands.Exchange.DeclareOk)


def test_an_unknown_exchange_type_is_406(client: Client) -> None:
    """RabbitMQ 4's answer; 3.x said 503."""
    refused(client.exchange("x", "nope"), "unknown exchange type 'nope'")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kind": "fanout"}, "'type' for {}: received 'fanout' but current is 'direct'"),
        ({"durable": True}, "'durable' for {}: received 'true' but current is 'false'"),
        ({"auto_delete": True}, "'auto_delete' for {}: received 'true' but current is 'false'"),
        ({"internal": True}, "'internal' for {}: received 'true' but current is 'false'"),
        (
            {"kind": "topic", "durable": True, "internal": True},
            "'type' for {}: received 'topic' but current is 'direct'",
        ),
        (
            {"arguments": {"alternate-exchange": "a"}},
            "'alternate-exchange' for {}: received the value 'a' of type 'longstr' but current is none",
        ),
    ],
)
def test_an_exchange_redeclare_that_differs_is_406(client: Client, options: Any, text: str) -> None:
    """Type, durable, auto_delete, internal, alternate-exchange, in that order."""
    client.exchange("x")
    answer = client.exchange("x", **options)

    refused(answer, "inequivalent arg " + text.format("exchange 'x' in vhost '/'"))


def test_other_exchange_arguments_are_not_compared(client: Client) -> None:
    """Only alternate-exchange counts."""
    client.exchange("x", arguments={"x-foo": 1})

    assert isinstance(client.exchange("x", arguments={"x-bar": 2}), commands.Exchange.DeclareOk)


@pytest.mark.parametrize(
    "method",
    [
        commands.Exchange.Declare(exchange="", exchange_type="direct"),
        commands.Exchange.Declare(exchange="", exchange_type="direct", passive=True),
        commands.Exchange.Delete(exchange=""),
        commands.Queue.Bind(queue="q", exchange="", routing_key="k"),
        commands.Queue.Unbind(queue="q", exchange="", routing_key="k"),
        commands.Exchange.Bind(destination="amq.direct", source="", routing_key="k"),
        commands.Exchange.Bind(destination="", source="amq.direct", routing_key="k"),
        commands.Exchange.Unbind(destination="", source="amq.direct", routing_key="k"),
    ],
    ids=lambda method: method.name,
)
def test_the_default_exchange_is_not_to_be_touched(client: Client, method: Any) -> None:
    """403, whoever asks."""
    client.queue("q")
    expect.channel_closed(
        client.call(1, method), 403, "ACCESS_REFUSED - operation not permitted on the default exchange"
    )


def test_system_exchanges_may_not_be_deleted(client: Client) -> None:
    """403 for whatever begins with amq."""
    expect.channel_closed(
        client.call(1, commands.Exchange.Delete(exchange="amq.direct")),
        403,
        "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed",
    )


# Exclusive queues


@pytest.mark.parametrize(
    "method",
    [
        commands.Queue.Declare(queue="mine"),
        commands.Queue.Declare(queue="mine", exclusive=True),
        commands.Queue.Declare(queue="mine", passive=True),
        commands.Queue.Bind(queue="mine", exchange="amq.direct", routing_key="k"),
        commands.Queue.Unbind(queue="mine", exchange="amq.direct", routing_key="k"),
        commands.Queue.Purge(queue="mine"),
        commands.Queue.Delete(queue="mine"),
        commands.Basic.Get(queue="mine"),
        commands.Basic.Consume(queue="mine"),
    ],
    ids=lambda method: method.name,
)
def test_anothers_exclusive_queue_is_405(client: Client, other: Client, method: Any) -> None:
    """Whatever is asked of it."""
    client.queue("mine", exclusive=True)

    expect.channel_closed(other.call(1, method), 405, LOCKED, type(method))


def test_publishing_to_anothers_exclusive_queue_is_fine(client: Client, other: Client) -> None:
    """How replies arrive."""
    client.queue("mine", exclusive=True)
    other.publish(b"reply", "mine")

    assert client.bodies_in("mine") == [b"reply"]


def test_an_exclusive_queue_belongs_to_the_connection_not_the_channel(client: Client) -> None:
    """Other channels may use it, and it outlives the channel that declared it."""
    client.open(2)
    client.queue("mine", exclusive=True)
    client.call(1, commands.Channel.Close(200, "", 0, 0))

    assert client.queue("mine", channel=2, exclusive=True).queue == "mine"


def test_declaring_a_shared_queue_exclusive_is_405(client: Client) -> None:
    """Not 406: exclusivity is checked before everything else."""
    client.queue("mine", durable=True)

    expect.channel_closed(client.queue("mine", exclusive=True), 405, LOCKED)


def test_declaring_ones_exclusive_queue_shared_is_405(client: Client) -> None:
    """The other way round as well."""
    client.queue("mine", exclusive=True)

    expect.channel_closed(client.queue("mine"), 405, LOCKED)


# Deleting


def test_deleting_a_queue_returns_what_was_ready(client: Client) -> None:
    """Unacknowledged messages do not count, and vanish with it."""
    client.queue("q")
    for _ in range(3):
        client.publish(b"x")
    delivery = client.get(no_ack=False)
    assert delivery is not None

    assert client.call(1, commands.Queue.Delete(queue="q")).message_count == 2
    assert client.ack(delivery.method.delivery_tag) is None


def test_deleting_what_is_not_there_is_fine(client: Client) -> None:
    """Queue, exchange and binding alike."""
    client.queue("q")
    assert client.call(1, commands.Queue.Delete(queue="nope")).message_count == 0
    for method in (
        commands.Exchange.Delete(exchange="nope"),
        commands.Queue.Unbind(queue="q", exchange="amq.direct", routing_key="k"),
        commands.Queue.Unbind(queue="nope", exchange="amq.direct", routing_key="k"),
        commands.Queue.Unbind(queue="q", exchange="nope", routing_key="k"),
        commands.Exchange.Unbind(destination="nope", source="amq.direct", routing_key="k"),
    ):
        answer = client.call(1, method)
        assert not isinstance(answer, commands.Channel.Close)


def test_if_unused_and_if_empty(client: Client) -> None:
    """406 when a consumer or a ready message stands against it; the queue stays."""
    client.queue("q")
    client.open(2).open(3)
    client.publish(b"x")
    refused_by = [({"if_empty": True}, f"{QUEUE} not empty", 2), ({"if_unused": True}, f"{QUEUE} in use", 3)]
    for options, text, channel in refused_by:
        if "if_unused" in options:
            client.consume("q", no_ack=True)
        refused(client.call(channel, commands.Queue.Delete(queue="q", **options)), text)

    client.call(1, commands.Basic.Cancel("c"))
    answer = client.call(1, commands.Queue.Delete(queue="q", if_empty=True, if_unused=True))
    assert answer.message_count == 0


def test_if_empty_counts_ready_messages_only(client: Client) -> None:
    """An unacknowledged one does not keep the queue."""
    client.queue("q")
    client.publish(b"x")
    client.get(no_ack=False)

    answer = client.call(1, commands.Queue.Delete(queue="q", if_empty=True))
    assert isinstance(answer, commands.Queue.DeleteOk)


def test_an_exchange_in_use_is_kept_if_asked(client: Client) -> None:
    """Bindings from it are what counts."""
    client.exchange("x")
    client.queue("q")
    client.bind("q", "x", "k")

    refused(
        client.call(1, commands.Exchange.Delete(exchange="x", if_unused=True)),
        "exchange 'x' in vhost '/' in use",
    )


def test_purge_drops_what_is_ready(client: Client) -> None:
    """What is unacknowledged survives and may come back."""
    client.queue("q")
    for body in (b"a", b"b", b"c"):
        client.publish(body)
    delivery = client.get(no_ack=False)
    assert delivery is not None

    assert client.call(1, commands.Queue.Purge(queue="q")).message_count == 2
    client.nack(delivery.method.delivery_tag)
    assert client.bodies_in("q") == [b"a"]


@pytest.mark.parametrize("how", ["cancel", "channel", "connection"])
def test_an_auto_delete_queue_goes_with_its_last_consumer(client: Client, other: Client, how: str) -> None:
    """Cancelled, or its channel or connection ended; never before the first."""
    other.queue("q", auto_delete=True)
    client.consume("q", "a")
    client.consume("q", "b")
    client.call(1, commands.Basic.Cancel("a"))
    assert other.count("q") == 0
    if how == "cancel":
        client.call(1, commands.Basic.Cancel("b"))
    elif how == "channel":
        client.call(1, commands.Channel.Close(200, "", 0, 0))
    else:
        client.disconnect()

    not_found(other.queue("q", passive=True), "queue 'q'")


def test_an_auto_delete_queue_without_consumers_stays(client: Client, other: Client) -> None:
    """basic.get is no consumer."""
    client.queue("q", auto_delete=True)
    client.publish(b"x")
    client.get("q")
    client.disconnect()

    assert other.count("q") == 0


def test_an_auto_delete_exchange_goes_with_its_last_binding(client: Client) -> None:
    """From it: unbound, or the queue deleted; never before the first."""
    client.exchange("x", auto_delete=True)
    client.queue("q")
    client.queue("r")
    client.bind("q", "x", "k")
    client.bind("r", "x", "k")
    client.call(1, commands.Queue.Unbind(queue="q", exchange="x", routing_key="k"))
    assert isinstance(client.exchange("x", passive=True), commands.Exchange.DeclareOk)
    client.call(1, commands.Queue.Delete(queue="r"))

    not_found(client.exchange("x", passive=True), "exchange 'x'")


def test_a_queue_expires_when_nobody_uses_it(world: World, client: Client) -> None:
    """x-expires counts from the last declare, passive declare, get or consumer."""
    client.queue("q", arguments={"x-expires": 1000})
    client.open(2)
    for use in (
        lambda: client.queue("q", 2, passive=True),
        lambda: client.queue("q", 2, arguments={"x-expires": 1000}),
        lambda: client.get("q", 2),
    ):
        world.advance(0.9)
        use()
    client.consume("q", channel=2)
    world.advance(10)
    client.call(2, commands.Basic.Cancel("c"))
    world.advance(0.9)
    assert "q" in world.broker.vhosts["/"].queues
    world.advance(0.1)

    not_found(client.queue("q", passive=True), "queue 'q'")


def test_deleting_a_queue_tells_its_consumers(client: Client, other: Client) -> None:
    """basic.cancel with nowait, for those who understand it."""
    client.queue("q")
    client.consume("q", "tag")
    other.call(1, commands.Queue.Delete(queue="q"))

    [cancel] = client.of(commands.Basic.Cancel)
    assert (cancel.consumer_tag, cancel.nowait) == ("tag", True)
    assert client.call(1, commands.Basic.CancelOk("tag")) is None


def test_a_client_without_the_capability_is_not_told(world: World, other: Client) -> None:
    """It would not understand the method; its consumer is gone all the same."""
    client = world.connect(capabilities={}).open()
    client.queue("q")
    client.consume("q", "tag")
    other.call(1, commands.Queue.Delete(queue="q"))

    assert not client.of(commands.Basic.Cancel)
    assert client.session.channels[1].consumers == {}


# Permissions


RIGHTS = {"configure": "^c", "write": "^w", "read": "^r"}


@pytest.fixture
def alice() -> Client:
    """May configure what begins with c, write to w, read from r; guest has made some of each."""
    base = default_config()
    world = World(
        config=Config(
            users=(*base.users, user_config("alice")),
            vhosts=(VhostConfig(name="/"),),
            permissions=(*base.permissions, PermissionConfig(user="alice", **RIGHTS)),
        )
    )
    guest = world.connect().open()
    for name in ("c", "w", "r"):
        guest.queue(f"{name}q")
        guest.exchange(f"{name}x", "fanout")
    return world.connect(user="alice", password="alice").open()


@pytest.mark.parametrize(
    ("method", "right", "what"),
    [
        (commands.Queue.Declare(queue="rq"), "configure", "queue 'rq'"),
        (commands.Queue.Declare(queue="other"), "configure", "queue 'other'"),
        (commands.Queue.Delete(queue="wq"), "configure", "queue 'wq'"),
        (commands.Queue.Delete(queue="missing"), "configure", "queue 'missing'"),
        (commands.Queue.Purge(queue="cq"), "read", "queue 'cq'"),
        (commands.Queue.Bind(queue="cq", exchange="rx", routing_key=""), "write", "queue 'cq'"),
        (commands.Queue.Bind(queue="wq", exchange="cx", routing_key=""), "read", "exchange 'cx'"),
        (commands.Queue.Unbind(queue="cq", exchange="rx", routing_key=""), "write", "queue 'cq'"),
        (commands.Queue.Unbind(queue="wq", exchange="cx", routing_key=""), "read", "exchange 'cx'"),
        (commands.Exchange.Bind(destination="cx", source="rx"), "write", "exchange 'cx'"),
        (commands.Exchange.Bind(destination="wx", source="cx"), "read", "exchange 'cx'"),
        (commands.Exchange.Unbind(destination="wx", source="cx"), "read", "exchange 'cx'"),
        (commands.Exchange.Declare(exchange="rx", exchange_type="fanout"), "configure", "exchange 'rx'"),
        (commands.Exchange.Delete(exchange="wx"), "configure", "exchange 'wx'"),
        (commands.Basic.Get(queue="cq"), "read", "queue 'cq'"),
        (commands.Basic.Consume(queue="wq"), "read", "queue 'wq'"),
        (
            commands.Queue.Declare(queue="cnew", arguments={"x-dead-letter-exchange": "wx"}),
            "read",
            "queue 'cnew'",
        ),
        (
            commands.Exchange.Declare(
                exchange="cnew", exchange_type="fanout", arguments={"alternate-exchange": "wx"}
            ),
            "read",
            "exchange 'cnew'",
        ),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_each_operation_needs_its_right(alice: Client, method: Any, right: str, what: str) -> None:
    """403 naming the right, the thing, the virtual host and the user."""
    expect.channel_closed(
        alice.call(1, method),
        403,
        f"ACCESS_REFUSED - {right} access to {what} in vhost '/' refused for user 'alice'",
        type(method),
    )


@pytest.mark.parametrize("exchange", ["cx", "rx"])
def test_publishing_needs_write(alice: Client, exchange: str) -> None:
    """Asynchronously, like everything about a publish."""
    alice.publish(b"x", "", exchange)

    [close] = alice.of(commands.Channel.Close)
    expect.channel_closed(
        close,
        403,
        f"ACCESS_REFUSED - write access to exchange '{exchange}' in vhost '/' refused for user 'alice'",
        commands.Basic.Publish,
    )


def test_the_default_exchange_has_a_name_in_permissions(alice: Client) -> None:
    """amq.default, in patterns and in texts."""
    alice.publish(b"x", "wq")

    [close] = alice.of(commands.Channel.Close)
    assert close.reply_text == (
        "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'alice'"
    )


@pytest.mark.parametrize("name", ["cq", "wq", "rq"])
def test_a_passive_declare_needs_any_one_right(alice: Client, name: str) -> None:
    """Any of the three."""
    assert alice.queue(name, passive=True).queue == name


@pytest.mark.parametrize(
    "method",
    [
        commands.Queue.Declare(queue="other", passive=True),
        commands.Exchange.Declare(exchange="other", exchange_type="fanout", passive=True),
    ],
    ids=lambda method: method.name,
)
def test_a_passive_declare_without_any_right_tells_nothing(alice: Client, method: Any) -> None:
    """Not even whether it exists (CVE-2026-57221)."""
    assert alice.call(1, method).reply_code == 403


def test_a_right_that_is_taken_away_is_gone_at_once(alice: Client) -> None:
    """On the live connection, cached routes included."""
    alice.exchange("cx", "fanout")
    alice.publish(b"x", "", "wx")
    assert not alice.of(commands.Channel.Close)
    alice.world.access.clear_permission("alice", "/")
    alice.publish(b"x", "", "wx")

    [close] = alice.of(commands.Channel.Close)
    assert close.reply_code == 403


# Limits


def limited(**limits: int) -> Client:
    base = default_config()
    config = Config(
        users=base.users, vhosts=base.vhosts, permissions=base.permissions, limits=LimitsConfig(**limits)
    )
    return World(config=config).connect().open()


def test_queues_of_a_virtual_host_are_counted() -> None:
    """406 for one more; those there are may be declared again."""
    client = limited(queues_per_vhost_max=2)
    for name in ("a", "b", "a"):
        assert client.queue(name).queue == name

    refused(client.queue("c"), "cannot declare queue 'c': queue limit in vhost '/' (2) is reached")


def test_exchanges_and_bindings_of_a_virtual_host_are_counted() -> None:
    """406 for one more."""
    client = limited(exchanges_per_vhost_max=8, bindings_per_vhost_max=1)
    client.open(2)
    client.queue("q")
    assert isinstance(client.bind("q", "amq.direct", "a"), commands.Queue.BindOk)
    assert isinstance(client.bind("q", "amq.direct", "a"), commands.Queue.BindOk)
    assert client.bind("q", "amq.direct", "b").reply_code == 406
    answers = [client.exchange(f"x{place}", channel=2) for place in range(9)]
    assert commands.Channel.Close in [type(answer) for answer in answers]


# Durability


def test_a_durable_declare_is_answered_when_it_is_safe(world: World, client: Client) -> None:
    """And what follows it on the connection waits behind it, so that order holds."""
    world.hold = True
    assert client.queue("q", durable=True) is None
    assert client.queue("t") is None
    world.hold = False
    world.settle()

    assert [answer.queue for answer in client.of(commands.Queue.DeclareOk)] == ["q", "t"]


def test_a_transient_declare_waits_for_nothing(world: World, client: Client) -> None:
    """There is nothing to be safe."""
    world.hold = True

    assert client.queue("q").queue == "q"


@pytest.mark.parametrize("clean", [True, False])
def test_durable_topology_survives(world: World, client: Client, clean: bool) -> None:
    """Queues, exchanges and the bindings between them, with their arguments; the rest is gone."""
    client.exchange("x", "topic", durable=True)
    client.exchange("y", "fanout")
    client.queue("q", durable=True, arguments={"x-max-length": 5})
    client.queue("t")
    client.queue("gone", durable=True)
    client.bind("q", "x", "a.#")
    client.bind("q", "x", "b.#")
    client.bind("q", "y", "")
    client.bind("t", "x", "#")
    client.call(1, commands.Queue.Unbind(queue="q", exchange="x", routing_key="b.#"))
    client.call(1, commands.Queue.Delete(queue="gone"))
    client.call(1, commands.Exchange.Bind(destination="amq.fanout", source="x", routing_key="e.#"))
    client.bind("q", "amq.fanout", "")
    again = world.restart(clean=clean).connect().open()

    assert again.queue("q", durable=True, arguments={"x-max-length": 5}).queue == "q"
    assert isinstance(again.exchange("x", "topic", durable=True), commands.Exchange.DeclareOk)
    for key in ("a.b", "b.c", "e.f"):
        again.publish(key.encode(), key, "x")
    assert again.bodies_in("q") == [b"a.b", b"e.f"]
    again.open(2).open(3).open(4)
    not_found(again.queue("t", 2, passive=True), "queue 't'")
    not_found(again.queue("gone", 3, passive=True), "queue 'gone'")
    not_found(again.exchange("y", channel=4, passive=True), "exchange 'y'")
