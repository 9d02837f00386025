"""mambaamqp/broker/arguments.py: what queues may be asked, and RabbitMQ's words for what they may not."""

from typing import Any

import pytest

from mambaamqp.broker.argument_values import CONSUMER_CHECKS, QUEUE_CHECKS
from mambaamqp.broker.arguments import (
    ALL_CONSUMER_KNOWN,
    ALL_KNOWN,
    KNOWN,
    check_equivalent,
    consumer_priority,
    parse_queue_arguments,
    stored_queue_arguments,
)
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import EMPTY, Table, encode_entries

WHERE = "queue 'q' in vhost '/'"


def table(values: dict[str, Any]) -> Table:
    return Table(encode_entries(values))


def parse(values: dict[str, Any], **changes: bool) -> Any:
    flags = {"durable": True, "exclusive": False, "auto_delete": False, "server_named": False} | changes
    return parse_queue_arguments(table(values), name="q", vhost="/", **flags)


@pytest.mark.parametrize(
    ("values", "attribute", "expected"),
    [
        ({}, "queue_type", "classic"),
        ({"x-queue-type": "quorum"}, "delivery_limit", 20),
        ({"x-queue-type": "quorum", "x-delivery-limit": 3}, "delivery_limit", 3),
        ({"x-queue-type": "quorum", "x-delivery-limit": -1}, "delivery_limit", -1),
        ({}, "delivery_limit", None),
        ({"x-delivery-limit": 0}, "delivery_limit", 0),
        ({"x-consumer-timeout": 5}, "consumer_timeout_ms", 5),
        ({"x-message-ttl": 0}, "message_ttl_ms", 0),
        ({"x-message-ttl": 315_360_000_000}, "message_ttl_ms", 315_360_000_000),
        ({"x-expires": 1}, "expires_ms", 1),
        ({"x-max-length": 0}, "max_length", 0),
        ({"x-max-length-bytes": 9}, "max_length_bytes", 9),
        ({"x-max-priority": 255}, "max_priority", 255),
        ({"x-overflow": "reject-publish-dlx"}, "overflow", "reject-publish-dlx"),
        ({}, "overflow", "drop-head"),
        ({"x-dead-letter-exchange": ""}, "dead_letter_exchange", ""),
        (
            {"x-dead-letter-exchange": "d", "x-dead-letter-routing-key": "k"},
            "dead_letter_routing_key",
            "k",
        ),
        ({"x-single-active-consumer": True}, "single_active_consumer", True),
        ({"x-nobody-knows": [1]}, "queue_type", "classic"),
    ],
)
def test_what_was_asked_is_read(values: dict[str, Any], attribute: str, expected: Any) -> None:
    """Each argument, its bounds and its default; after a restart the same."""
    assert getattr(parse(values), attribute) == expected
    assert getattr(stored_queue_arguments(table(values)), attribute) == expected


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"x-expires": 0}, "'x-expires' for {}: {value_zero,0}"),
        ({"x-expires": -1}, "'x-expires' for {}: {value_negative,-1}"),
        ({"x-expires": 315_360_000_001}, "'x-expires' for {}: {value_too_large,315360000001}"),
        ({"x-expires": "1"}, "'x-expires' for {}: \"expected integer, got longstr\""),
        ({"x-message-ttl": -5}, "'x-message-ttl' for {}: {value_negative,-5}"),
        ({"x-message-ttl": 1.5}, "'x-message-ttl' for {}: \"expected integer, got double\""),
        ({"x-message-ttl": True}, "'x-message-ttl' for {}: \"expected integer, got bool\""),
        ({"x-message-ttl": None}, "'x-message-ttl' for {}: \"expected integer, got void\""),
        ({"x-max-length": -1}, "'x-max-length' for {}: {value_negative,-1}"),
        ({"x-max-length-bytes": "x"}, "'x-max-length-bytes' for {}: \"expected integer, got longstr\""),
        ({"x-max-priority": 256}, "'x-max-priority' for {}: {max_value_exceeded,256}"),
        ({"x-max-priority": -1}, "'x-max-priority' for {}: {value_negative,-1}"),
        ({"x-dead-letter-exchange": 1}, "'x-dead-letter-exchange' for {}: {unacceptable_type,long}"),
        (
            {"x-dead-letter-routing-key": "k"},
            "'x-dead-letter-routing-key' for {}: routing_key_but_no_dlx_defined",
        ),
        ({"x-overflow": "burst"}, "'x-overflow' for {}: invalid_overflow"),
        ({"x-overflow": 1}, "'x-overflow' for {}: {unacceptable_type,long}"),
        (
            {"x-single-active-consumer": "yes"},
            "'x-single-active-consumer' for {}: {unacceptable_type,longstr}",
        ),
        ({"x-queue-type": "cubic"}, "'x-queue-type' for {}: \"unsupported queue type 'cubic'\""),
        ({"x-queue-type": 1}, "'x-queue-type' for {}: {unacceptable_type,long}"),
        ({"x-queue-type": None}, "'x-queue-type' for {}: {unacceptable_type,void}"),
        ({"x-queue-version": 3}, "'x-queue-version' for {}: \"unsupported queue version '3'\""),
        ({"x-queue-leader-locator": "here"}, "'x-queue-leader-locator' for {}: invalid_queue_locator_arg"),
        (
            {"x-queue-type": "quorum", "x-quorum-initial-group-size": 0},
            "'x-quorum-initial-group-size' for {}: {value_zero,0}",
        ),
        (
            {"x-queue-type": "quorum", "x-max-in-memory-length": -1},
            "'x-max-in-memory-length' for {}: {value_negative,-1}",
        ),
        ({"x-queue-type": "stream", "x-max-age": "1 day"}, "'x-max-age' for {}: invalid_max_age"),
        # Of several problems the first in RabbitMQ's order, and values before keys.
        ({"x-max-length": -1, "x-expires": 0}, "'x-expires' for {}: {value_zero,0}"),
        ({"x-max-age": "1D", "x-max-length": -1}, "'x-max-length' for {}: {value_negative,-1}"),
        (
            {"x-max-length": -1, "x-queue-type": "cubic"},
            "'x-queue-type' for {}: \"unsupported queue type 'cubic'\"",
        ),
        ({"x-max-age": "1D"}, "'x-max-age' for {} of queue type rabbit_classic_queue"),
        (
            {"x-queue-type": "quorum", "x-max-priority": 1},
            "'x-max-priority' for {} of queue type rabbit_quorum_queue",
        ),
        (
            {"x-queue-type": "quorum", "x-dead-letter-strategy": "sometimes"},
            "'x-dead-letter-strategy' for {}: invalid_dlx_strategy",
        ),
        (
            {"x-queue-type": "stream", "x-expires": 1},
            "'x-expires' for {} of queue type rabbit_stream_queue",
        ),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], problem: str) -> None:
    """406 with the argument, the queue, and RabbitMQ's reason."""
    with pytest.raises(PreconditionFailed) as failure:
        parse(values)
    assert str(failure.value) == f"invalid arg {problem.replace('{}', WHERE)}"


@pytest.mark.parametrize(
    ("change", "prop"),
    [
        ({"durable": False}, "non-durable"),
        ({"auto_delete": True}, "auto-delete"),
        ({"exclusive": True}, "exclusive-owner"),
    ],
)
@pytest.mark.parametrize("kind", ["quorum", "stream"])
def test_quorum_queues_and_streams_are_durable_and_shared(
    kind: str, change: dict[str, bool], prop: str
) -> None:
    """406 for a property that they cannot have."""
    with pytest.raises(PreconditionFailed) as failure:
        parse({"x-queue-type": kind}, **change)
    assert str(failure.value) == f"invalid property '{prop}' for {WHERE}"


def test_properties_are_refused_in_order() -> None:
    """auto-delete, exclusive, durable; bad arguments before all of them."""
    every = {"durable": False, "auto_delete": True, "exclusive": True}
    with pytest.raises(PreconditionFailed, match="'auto-delete'"):
        parse({"x-queue-type": "quorum"}, **every)
    with pytest.raises(PreconditionFailed, match="'exclusive-owner'"):
        parse({"x-queue-type": "quorum"}, **(every | {"auto_delete": False}))
    with pytest.raises(PreconditionFailed, match="'x-expires'"):
        parse({"x-queue-type": "quorum", "x-expires": 0}, **every)


@pytest.mark.parametrize(
    "values",
    [
        {"x-queue-mode": "lazy"},
        {"x-queue-mode": 1},
        {"x-queue-version": 1},
        {"x-queue-master-locator": "anywhere"},
        {"x-queue-leader-locator": "min-masters"},
        {"x-queue-type": ""},
        {"x-queue-type": "undefined"},
        {"x-expires-soon": 0},
    ],
)
def test_what_says_nothing_is_taken(values: dict[str, Any]) -> None:
    """Habits of older clients: a classic queue, as if they had not asked."""
    assert parse(values).queue_type == "classic"
    assert stored_queue_arguments(table(values)).queue_type == "classic"


def test_quorum_queues_have_names() -> None:
    """The broker names classic queues only."""
    with pytest.raises(PreconditionFailed, match="server-named queue for type rabbit_quorum_queue"):
        parse({"x-queue-type": "quorum"}, server_named=True)


def test_the_limits_of_streams() -> None:
    """Ages in RabbitMQ's units, whose months have thirty days."""
    arguments = parse({"x-queue-type": "stream"})
    assert (arguments.max_age_ms, arguments.max_length_bytes, arguments.segment_bytes) == (None, None, None)
    for age, seconds in (("1Y", 31_536_000), ("2M", 5_184_000), ("3D", 259_200), ("4h", 14_400), ("05s", 5)):
        arguments = parse({"x-queue-type": "stream", "x-max-age": age})
        assert arguments.max_age_ms == seconds * 1000


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("x-stream-max-segment-size-bytes", 3_000_000_001, "Exceeded max value for {}"),
        ("x-stream-filter-size-bytes", 15, "Invalid value for  {}"),
        ("x-stream-filter-size-bytes", 256, "Invalid value for  {}"),
    ],
)
def test_sizes_that_streams_refuse(key: str, value: int, text: str) -> None:
    """RabbitMQ's bounds and words."""
    with pytest.raises(PreconditionFailed) as failure:
        parse({"x-queue-type": "stream", key: value})
    assert str(failure.value) == text.replace("{}", key)
    parse({"x-queue-type": "stream", key: 200})


# Redeclare


def check(
    current: dict[str, Any],
    received: dict[str, Any],
    durable: tuple[bool, bool] = (True, True),
    auto_delete: tuple[bool, bool] = (False, False),
) -> None:
    check_equivalent(
        table(current), table(received), name="q", vhost="/", durable=durable, auto_delete=auto_delete
    )


@pytest.mark.parametrize(
    ("current", "received"),
    [
        ({"x-queue-type": "classic"}, {}),
        ({}, {"x-queue-type": "classic"}),
        ({}, {"x-nobody-knows": 1}),
        ({"x-nobody-knows": 1}, {"x-nobody-knows": 2}),
        ({"x-max-length": 1, "x-expires": 2}, {"x-expires": 2, "x-max-length": 1}),
        ({}, {"x-queue-type": ""}),
        ({}, {"x-max-age": "of another type"}),
    ],
)
def test_what_counts_as_the_same(current: dict[str, Any], received: dict[str, Any]) -> None:
    """classic is what an absent type is, order does not count, nor what nobody knows."""
    check(current, received)


def test_widths_of_numbers_do_not_count() -> None:
    """Clients differ in what they send for 1000."""
    narrow = Table(b"\x0dx-message-ttlI\0\0\3\xe8")
    wide = table({"x-message-ttl": 1000})
    check_equivalent(narrow, wide, name="q", vhost="/", durable=(True, True), auto_delete=(True, True))


@pytest.mark.parametrize(
    ("current", "received", "difference"),
    [
        (
            {"x-message-ttl": 1000},
            {"x-message-ttl": 2000},
            "'x-message-ttl' for {}: received '2000' but current is '1000'",
        ),
        (
            {"x-message-ttl": 1000},
            {},
            "'x-message-ttl' for {}: received none but current is the value '1000' of type 'long'",
        ),
        (
            {},
            {"x-overflow": "drop-head"},
            "'x-overflow' for {}: received the value 'drop-head' of type 'longstr' but current is none",
        ),
        (
            {"x-queue-type": "quorum"},
            {},
            "'x-queue-type' for {}: received 'classic' but current is 'quorum'",
        ),
        ({}, {"x-queue-type": "cubic"}, "'x-queue-type' for {}: received 'cubic' but current is 'classic'"),
        ({}, {"x-queue-type": 7}, "'x-queue-type' for {}: received '7' but current is 'classic'"),
        ({}, {"x-queue-type": None}, "'x-queue-type' for {}: received none but current is 'classic'"),
        (
            {},
            {"x-expires": -1},
            "'x-expires' for {}: received the value '-1' of type 'long' but current is none",
        ),
        # Of several differences the first in RabbitMQ's order.
        (
            {"x-queue-type": "quorum"},
            {"x-dead-letter-exchange": "d", "x-queue-type": "classic"},
            "'x-dead-letter-exchange' for {}: received the value 'd' of type 'longstr' but current is none",
        ),
        (
            {"x-message-ttl": 1},
            {"x-expires": 2},
            "'x-expires' for {}: received the value '2' of type 'long' but current is none",
        ),
    ],
)
def test_a_redeclare_that_differs_is_refused(
    current: dict[str, Any], received: dict[str, Any], difference: str
) -> None:
    """406 with both values."""
    with pytest.raises(PreconditionFailed) as failure:
        check(current, received)
    assert str(failure.value) == f"inequivalent arg {difference.replace('{}', WHERE)}"


def test_flags_are_compared_before_arguments() -> None:
    """durable, then auto_delete, then the rest."""
    with pytest.raises(PreconditionFailed) as failure:
        check({}, {"x-expires": 1}, (True, False), (True, False))
    assert (
        str(failure.value)
        == f"inequivalent arg 'durable' for {WHERE}: received 'false' but current is 'true'"
    )
    with pytest.raises(PreconditionFailed, match="'auto_delete'"):
        check({}, {"x-expires": 1}, (True, True), (True, False))


def test_every_type_knows_its_own_name() -> None:
    """x-queue-type is an argument of all of them, and none is named twice."""
    assert all("x-queue-type" in known for known in KNOWN.values())
    assert all(len(set(known)) == len(known) for known in KNOWN.values())


def test_every_check_is_of_a_known_argument() -> None:
    """A check of an argument that no type knows would never run."""
    assert set(QUEUE_CHECKS) <= ALL_KNOWN
    assert set(CONSUMER_CHECKS) <= ALL_CONSUMER_KNOWN


# Consumers


def test_a_consumer_may_have_any_integer_as_priority() -> None:
    """0 without one."""
    assert consumer_priority(EMPTY, "q", "/") == 0
    assert consumer_priority(table({"x-priority": -7}), "q", "/") == -7


@pytest.mark.parametrize(
    ("value", "kind"), [("1", "longstr"), (True, "bool"), (None, "void"), (1.0, "double")]
)
def test_a_consumer_priority_is_a_number(value: Any, kind: str) -> None:
    """406 for anything else."""
    with pytest.raises(PreconditionFailed) as failure:
        consumer_priority(table({"x-priority": value}), "q", "/")
    assert str(failure.value) == f"invalid arg 'x-priority' for {WHERE}: \"expected integer, got {kind}\""


@pytest.mark.parametrize(
    ("values", "queue_type", "problem"),
    [
        (
            {"x-stream-offset": "first"},
            "classic",
            "'x-stream-offset' for {} of queue type rabbit_classic_queue",
        ),
        ({"x-stream-filter": "a"}, "quorum", "'x-stream-filter' for {} of queue type rabbit_quorum_queue"),
        (
            {"x-consumer-timeout": 1},
            "stream",
            "'x-consumer-timeout' for {} of queue type rabbit_stream_queue",
        ),
        ({"x-consumer-timeout": -1}, "classic", "'x-consumer-timeout' for {}: {value_negative,-1}"),
        ({"x-consumer-timeout": -1}, "quorum", "'x-consumer-timeout' for {}: {value_negative,-1}"),
        (
            {"x-stream-offset": "some"},
            "stream",
            "'x-stream-offset' for {}: {invalid_stream_offset_arg,{longstr,<<\"some\">>}}",
        ),
        (
            {"x-stream-offset": "first", "x-priority": "a"},
            "classic",
            "'x-priority' for {}: \"expected integer, got longstr\"",
        ),
    ],
)
def test_a_consumer_asks_for_what_its_queue_has(
    values: dict[str, Any], queue_type: str, problem: str
) -> None:
    """406, values before keys."""
    with pytest.raises(PreconditionFailed) as failure:
        consumer_priority(table(values), "q", "/", queue_type)
    assert str(failure.value) == f"invalid arg {problem.replace('{}', WHERE)}"


def test_what_no_consumer_knows_is_ignored() -> None:
    """x-cancel-on-ha-failover was once an argument."""
    values = table({"x-cancel-on-ha-failover": True, "x-priority": 3})
    assert consumer_priority(values, "q", "/", "classic") == 3
    assert consumer_priority(table({"x-consumer-timeout": 5}), "q", "/", "quorum") == 0
