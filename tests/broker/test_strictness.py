"""mambaamqp/broker/strictness.py: what is refused, and that the log says so once."""

import logging

import pytest

from mambaamqp.broker.strictness import TOLD_MAX, Strictness
from mambaamqp.config import Compatibility, CompatibilityConfig
from mambaamqp.errors import InternalFault, PreconditionFailed
from mambaamqp.wire.table import EMPTY, Table, encode_entries

WHERE = "queue 'q' in vhost '/'"


@pytest.fixture
def strict() -> Strictness:
    """As RabbitMQ 4.3."""
    return Strictness(Compatibility(CompatibilityConfig(profile="rabbitmq-4.3")))


def test_the_log_is_told_once(strict: Strictness, caplog: pytest.LogCaptureFixture) -> None:
    """Of each queue, however often it is tried, and not without end."""
    for name in ("a", "a", "b", "a"):
        with pytest.raises(InternalFault):
            strict.check_features(f"queue '{name}' in vhost '/'", False, False, EMPTY, "classic")
    assert caplog.messages == [
        f"profile rabbitmq-4.3: transient_nonexcl_queues of queue '{name}' in vhost '/': refused with 541"
        for name in ("a", "b")
    ]
    caplog.clear()
    with caplog.at_level(logging.ERROR):
        for number in range(TOLD_MAX):
            strict.told("feature", str(number), "why")
    strict.told("feature", "one more", "why")
    assert caplog.messages == []


def test_values_and_features(strict: Strictness) -> None:
    """A version of before is a value; a locator is a feature, and of classic queues only."""
    with pytest.raises(PreconditionFailed, match="unsupported queue version '1'"):
        strict.check_values(WHERE, Table(encode_entries({"x-queue-version": 1})))
    strict.check_values(WHERE, Table(encode_entries({"x-queue-version": 2})))
    locator = Table(encode_entries({"x-queue-master-locator": "random"}))
    with pytest.raises(InternalFault, match="Feature `queue_master_locator` is deprecated"):
        strict.check_features(WHERE, True, False, locator, "classic")
    strict.check_features(WHERE, True, False, locator, "quorum")
    strict.check_features(WHERE, False, True, EMPTY, "classic")


def test_permissive_refuses_nothing() -> None:
    """Which is the default."""
    lax = Strictness(Compatibility())
    table = Table(encode_entries({"x-queue-version": 1, "x-queue-master-locator": "random"}))
    lax.check_values(WHERE, table)
    lax.check_features(WHERE, False, False, table, "classic")
    refusal = PreconditionFailed("unknown exchange type 'x'")
    assert lax.unknown_type(refusal) is refusal
