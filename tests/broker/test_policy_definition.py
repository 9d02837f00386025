"""mambaamqp/broker/policy_definition.py: what a policy may ask for, and what counts beside other wishes."""

from typing import Any

import pytest

from mambaamqp.broker.policy_definition import arguments_under, check_definition, merged
from mambaamqp.broker.retry import NO_RETRY
from mambaamqp.errors import PreconditionFailed
from tests.broker.conftest import table

# The texts are those of RabbitMQ 3.10, as `rabbitmqctl set_policy` printed them.
REFUSED = [
    ({"foo": 1, "bar": "x"}, '[{<<"bar">>,<<"x">>},{<<"foo">>,1}] are not recognised policy settings'),
    ({"max-priority": 3}, '[{<<"max-priority">>,3}] are not recognised policy settings'),
    ({"max-length": -1}, "-1 is not a valid maximum length"),
    ({"message-ttl": -5, "max-length": -1}, "-1 is not a valid maximum length"),
    ({"message-ttl": "a"}, '<<"a">> is not a valid message TTL'),
    ({"message-ttl": True}, "true is not a valid message TTL"),
    ({"expires": 0}, "0 is not a valid queue expiry"),
    ({"max-length-bytes": 1.5}, "1.5 is not a valid maximum length in bytes"),
    ({"max-length": 1 << 63}, "9223372036854775808 is not a valid maximum length"),
    ({"overflow": "x"}, '<<"x">> is not a valid overflow value'),
    ({"dead-letter-exchange": 5}, "5 is not a valid dead letter exchange name"),
    ({"dead-letter-routing-key": 5}, "5 is not a valid dead letter routing key"),
    ({"alternate-exchange": 1}, "1 is not a valid alternate exchange name"),
    ({"delivery-limit": "x"}, '<<"x">> is not a valid delivery limit'),
    ({"queue-mode": "foo"}, '<<"foo">> is not a valid queue-mode value'),
    ({"queue-mode": []}, "[] is not a valid queue-mode value"),
    ({"queue-version": 7}, "7 is not a valid queue-version value"),
    ({"max-age": "1x"}, '<<"1x">> is not a valid max age'),
    ({"dead-letter-strategy": "q"}, '<<"q">> is not a valid dead letter strategy'),
    ({"queue-leader-locator": "z"}, '<<"z">> is not a valid queue leader locator value'),
    ({"queue-master-locator": "z"}, '<<"z">> invalid queue-master-locator value'),
    ({}, "no policy provided"),
    ([], "no policy provided"),
    (None, "no policy provided"),
]


@pytest.mark.parametrize(("definition", "reason"), REFUSED)
def test_what_cannot_be_is_refused_in_rabbitmqs_words(definition: Any, reason: str) -> None:
    """The first key in the order of the alphabet is told."""
    with pytest.raises(PreconditionFailed) as refusal:
        check_definition(definition, operator=False)
    assert str(refusal.value) == f"Validation failed\n\n{reason}\n"


@pytest.mark.parametrize(
    "definition",
    [
        {"max-length": 0, "max-length-bytes": 0, "message-ttl": 0, "expires": 1},
        {"delivery-limit": -1, "overflow": "reject-publish-dlx"},
        {"dead-letter-exchange": "", "dead-letter-routing-key": "k", "alternate-exchange": "x"},
        {"queue-mode": "lazy", "ha-mode": "all", "ha-params": ["a"], "max-age": "7D", "queue-version": 2},
    ],
)
def test_what_can_be_is_taken(definition: dict[str, Any]) -> None:
    """What has no effect here too: it must come and go with definitions."""
    assert check_definition(definition, operator=False) == definition


@pytest.mark.parametrize("key", ["dead-letter-exchange", "dead-letter-routing-key", "alternate-exchange"])
def test_an_operator_policy_says_less(key: str) -> None:
    """Where messages go is not its matter."""
    with pytest.raises(PreconditionFailed, match="are not recognised policy settings"):
        check_definition({key: "x"}, operator=True)
    assert check_definition({"max-length": 1}, operator=True) == {"max-length": 1}


@pytest.mark.parametrize(
    ("policy", "operator", "together"),
    [
        ({"max-length": 5}, {"max-length": 3}, {"max-length": 3}),
        ({"max-length": 3}, {"max-length": 5}, {"max-length": 3}),
        ({"message-ttl": 5}, {"max-length": 3}, {"message-ttl": 5, "max-length": 3}),
        ({"overflow": "drop-head"}, {"overflow": "reject-publish"}, {"overflow": "reject-publish"}),
        ({"delivery-limit": -1}, {"delivery-limit": 3}, {"delivery-limit": 3}),
        ({"delivery-limit": 2}, {"delivery-limit": 3}, {"delivery-limit": 2}),
        ({}, {"expires": 9}, {"expires": 9}),
    ],
)
def test_an_operator_bounds_a_policy(
    policy: dict[str, Any], operator: dict[str, Any], together: dict[str, Any]
) -> None:
    """The smaller number; for what is no number, the operator."""
    assert merged(policy, operator) == together


@pytest.mark.parametrize(
    ("argument", "key", "attribute"),
    [
        ("x_message_ttl", "message-ttl", "message_ttl_ms"),
        ("x_expires", "expires", "expires_ms"),
        ("x_max_length", "max-length", "max_length"),
        ("x_max_length_bytes", "max-length-bytes", "max_length_bytes"),
        ("x_delivery_limit", "delivery-limit", "delivery_limit"),
    ],
)
def test_of_numbers_the_smaller_counts(argument: str, key: str, attribute: str) -> None:
    """Whoever asks for it: argument, policy, or one of them alone."""
    for own, policy, counts in ((5, 3, 3), (3, 5, 3), (None, 5, 5), (3, None, 3), (None, None, None)):
        given = {} if own is None else {argument: own}
        definition = {} if policy is None else {key: policy}
        assert getattr(arguments_under(table(**given), definition), attribute) == counts


@pytest.mark.parametrize(
    ("argument", "key", "attribute", "none"),
    [
        ("x_dead_letter_exchange", "dead-letter-exchange", "dead_letter_exchange", None),
        ("x_dead_letter_routing_key", "dead-letter-routing-key", "dead_letter_routing_key", None),
        ("x_overflow", "overflow", "overflow", "drop-head"),
        ("x_dead_letter_strategy", "dead-letter-strategy", "dead_letter_strategy", "at-most-once"),
    ],
)
def test_of_the_rest_the_argument_counts(argument: str, key: str, attribute: str, none: str | None) -> None:
    """Also where it is the empty name of the default exchange."""
    for own, policy, counts in (("a", "b", "a"), ("", "b", ""), (None, "b", "b"), (None, None, none)):
        if own == "" and key in ("overflow", "dead-letter-strategy"):
            continue
        given = {} if own is None else {argument: own}
        definition = {} if policy is None else {key: policy}
        assert getattr(arguments_under(table(**given), definition), attribute) == counts


def test_of_delayed_retries_each_part_may_come_from_either() -> None:
    """The argument goes first; without a type or a delay there is none."""
    definition = {
        "delayed-retry-type": "all",
        "delayed-retry-min": 1000,
        "delayed-retry-max": 5000,
        "delayed-retry-backoff": "exponential",
        "delayed-retry-jitter": 10,
    }
    retry = arguments_under(table(), definition).retry
    assert (retry.failed, retry.returned, retry.min_ms, retry.max_ms) == (True, True, 1000, 5000)
    assert (retry.exponential, retry.jitter_percent) == (True, 10)
    own = {"x_delayed_retry_type": "failed", "x_delayed_retry_min": 7, "x_delayed_retry_jitter": 0}
    retry = arguments_under(table(**own), definition).retry
    assert (retry.failed, retry.returned, retry.min_ms, retry.max_ms) == (True, False, 7, 5000)
    assert arguments_under(table(), {"delayed-retry-min": 1000}).retry is NO_RETRY
    assert arguments_under(table(), {"delayed-retry-type": "all"}).retry is NO_RETRY


@pytest.mark.parametrize(
    ("own", "policy", "counts"), [(None, None, 20), (None, 50, 50), (None, -1, -1), (5, -1, 5), (-1, 5, 5)]
)
def test_a_delivery_limit_of_quorum_queues_has_a_default(
    own: int | None, policy: int | None, counts: int
) -> None:
    """Which counts only if nobody says anything; a negative one is none."""
    given = {"x_queue_type": "quorum"} | ({} if own is None else {"x_delivery_limit": own})
    definition = {} if policy is None else {"delivery-limit": policy}
    assert arguments_under(table(**given), definition).delivery_limit == counts
