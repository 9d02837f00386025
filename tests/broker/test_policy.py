"""mambaamqp/broker/policy.py: which policy is laid over what."""

from typing import Any

import pytest

from mambaamqp.broker.policy import NO_RULE, Policies, parse
from mambaamqp.errors import PreconditionFailed

KINDS = ("classic_queues", "quorum_queues", "streams", "exchanges")


def value(pattern: str = "", **changes: Any) -> dict[str, Any]:
    """A policy as it is written down; `apply_to` stands for apply-to."""
    given = {"pattern": pattern, "definition": {"max-length": 1}, "priority": 0, "apply_to": "all"} | changes
    return {key.replace("_", "-"): item for key, item in given.items()}


def laid(policies: dict[str, dict[str, Any]], **operator: dict[str, Any]) -> Policies:
    found = Policies()
    found.plain = {name: parse(name, given, operator=False) for name, given in policies.items()}
    found.operator = {name: parse(name, given, operator=True) for name, given in operator.items()}
    return found


@pytest.mark.parametrize(
    ("apply_to", "kinds"),
    [
        ("all", KINDS),
        ("queues", ("classic_queues", "quorum_queues", "streams")),
        ("classic_queues", ("classic_queues",)),
        ("quorum_queues", ("quorum_queues",)),
        ("streams", ("streams",)),
        ("exchanges", ("exchanges",)),
    ],
)
def test_a_policy_is_for_its_kind(apply_to: str, kinds: tuple[str, ...]) -> None:
    """And for no other."""
    policy = parse("p", value(apply_to=apply_to, definition={"max-length-bytes": 1}), operator=False)
    assert tuple(kind for kind in KINDS if policy.matches("q", kind)) == kinds


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("", "any", True),
        ("q", "a-q-b", True),
        ("^q", "aq", False),
        ("^q$", "q", True),
        (".*", "", True),
        (r"^(?!amq\.).*", "amq.direct", False),
    ],
)
def test_a_pattern_is_searched_for(pattern: str, name: str, matches: bool) -> None:
    """Anywhere in the name; an empty one is in every name."""
    assert parse("p", value(pattern), operator=False).matches(name, "exchanges") is matches


@pytest.mark.parametrize(
    ("definition", "fits"),
    [
        ({"max-length": 1}, ("classic_queues", "quorum_queues", "exchanges")),
        ({"queue-mode": "lazy"}, ("classic_queues", "exchanges")),
        ({"max-age": "1D", "max-length-bytes": 1}, ("streams", "exchanges")),
        ({"dead-letter-strategy": "at-most-once"}, ("quorum_queues", "exchanges")),
        ({"delivery-limit": 1}, ("classic_queues", "quorum_queues", "exchanges")),
        ({"max-length-bytes": 1}, ("classic_queues", "quorum_queues", "streams", "exchanges")),
    ],
)
def test_a_policy_with_foreign_keys_is_not_for_a_queue(
    definition: dict[str, Any], fits: tuple[str, ...]
) -> None:
    """As in RabbitMQ, the whole of it is not; but a delivery limit is for classic queues too."""
    policy = parse("p", value(definition=definition), operator=False)
    assert tuple(kind for kind in KINDS if policy.matches("q", kind)) == fits


def test_the_highest_priority_counts() -> None:
    """The others do not count at all; among equals the first by name does."""
    found = laid(
        {
            "low": value(definition={"expires": 1}, priority=-1),
            "b": value(priority=5),
            "a": value(definition={"message-ttl": 7}, priority=5),
            "other": value("^x", priority=9),
        }
    )
    rule = found.rule_for("q", "classic_queues")
    assert (rule.policy, rule.operator_policy, rule.definition) == ("a", "", {"message-ttl": 7})
    assert found.rule_for("x", "classic_queues").policy == "other"


def test_an_operator_policy_is_laid_beside_it() -> None:
    """Each is chosen for itself."""
    found = laid({"p": value("^q", definition={"max-length": 9})}, o=value(definition={"max-length": 5}))
    both, one = found.rule_for("q", "classic_queues"), found.rule_for("r", "classic_queues")
    assert (both.policy, both.operator_policy, both.definition) == ("p", "o", {"max-length": 5})
    assert (one.policy, one.operator_policy, one.definition) == ("", "o", {"max-length": 5})
    assert laid({"p": value("^q")}).rule_for("r", "exchanges") is NO_RULE
    assert not found.is_empty
    assert Policies().is_empty


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pattern": "(t"}, "pattern should be regular expression but is invalid"),
        ({"pattern": "(a+)+b"}, "could search for minutes"),
        ({"pattern": 5}, "pattern should be a regular expression"),
        ({"priority": "1"}, "priority should be number"),
        ({"priority": True}, "priority should be number"),
        ({"priority": 1 << 63}, "priority should fit 64 bits"),
        ({"apply_to": "nonsense"}, "apply-to 'nonsense' unrecognised"),
        ({"apply_to": ["all"]}, "unrecognised"),
        ({"definition": {"max-length": -1}}, "-1 is not a valid maximum length"),
    ],
)
def test_what_is_no_policy_is_refused(changes: dict[str, Any], reason: str) -> None:
    """406, and the reason in words."""
    with pytest.raises(PreconditionFailed) as refusal:
        parse("p", value(**changes), operator=False)
    assert reason in str(refusal.value)


def test_what_is_left_out_has_rabbitmqs_defaults() -> None:
    """And is written down in full."""
    short = {"pattern": "^q", "definition": {"max-length": 1}}
    for operator in (False, True):
        assert parse("p", short, operator=operator).value() == short | {"priority": 0, "apply-to": "all"}
