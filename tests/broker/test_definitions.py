"""mambaamqp/broker/definitions.py: what RabbitMQ has exported is taken over, and what is not is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from mambaamqp.broker.definitions import Import, exported
from mambaamqp.broker.exchanges.delayed import DelayedExchange
from mambaamqp.broker.stream import Stream
from mambaamqp.config import Config
from tests.support.client import World

FIXTURE = Path(__file__).with_name("definitions.json")


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FIXTURE.read_text(encoding="utf-8"))
    return found


@pytest.fixture
def world() -> World:
    """Without a user of its own."""
    return World(config=Config())


def test_what_is_not_taken_over_is_told(world: World) -> None:
    """One line each; and nothing else."""
    assert Import(world.broker).take(document()) == [
        "parameters: name 's' in vhost 'shop': a parameter of 'shovel' has no effect here and was not kept",
        "global_parameters: name 'cluster_name': a global parameter has no effect here and was not kept",
        "exchanges: name 'strange' in vhost 'shop': unknown exchange type 'x-unheard-of'",
    ]


def test_all_else_is_there_after_a_restart(world: World) -> None:
    """Users, rights, limits, policies, topology."""
    Import(world.broker).take(document())
    world.commit()
    world = world.restart(clean=False)
    shop = world.broker.vhosts["shop"]
    assert sorted(shop.queues) == ["log", "orders", "safe"]
    assert isinstance(shop.queues["log"], Stream)
    orders = shop.queues["orders"]
    assert (orders.rule.policy, orders.rule.operator_policy) == ("p", "bound")
    assert (orders.arguments.max_length, orders.arguments.message_ttl_ms) == (5, 60_000)
    assert orders.arguments.max_priority == 5
    assert shop.queues["safe"].arguments.delivery_limit == 3
    assert (shop.connections_max, shop.queues_max, shop.default_queue_type) == (100, 50, "quorum")
    assert [binding.routing_key for binding in shop.exchanges["news"].bindings] == ["a.#"]
    (binding,) = shop.exchanges["amq.headers"].bindings
    assert (binding.destination.name, binding.arguments.values) == ("news", {"x-match": "any", "n": 5})
    kim, old = world.access.users.get("kim"), world.access.users.get("old")
    assert kim is not None
    assert old is not None
    assert old.tags == {"management", "policymaker"}
    assert world.access.users.get("guest") is None
    actor = world.access.actor(kim, "shop")
    assert not actor.allowed("configure", "queue", "q")
    assert not actor.topic_allowed("write", "news", "lee.1")
    assert world.broker.admission.user_limits["kim"] == {"max-channels": 10}


def test_the_same_again_writes_nothing(world: World) -> None:
    """A file that is taken over at every start does not make the log longer."""
    Import(world.broker).take(document())
    position = world.journal.position
    Import(world.broker).take(document())
    assert world.journal.position == position


def test_what_is_written_is_taken_over_whole(world: World) -> None:
    """And written again the same."""
    Import(world.broker).take(document())
    written = json.loads(json.dumps(exported(world.broker, "4.2.0")))
    other = World(config=Config())
    assert Import(other.broker).take(written) == []
    assert exported(other.broker, "4.2.0") == written
    assert [user["name"] for user in written["users"]] == ["kim", "old"]
    assert written["permissions"] == document()["permissions"]
    assert written["topic_permissions"] == document()["topic_permissions"]
    assert written["policies"] == document()["policies"]


def test_an_exchange_that_delays_does_so_when_taken_over(world: World) -> None:
    """It brings the queue in which its messages wait, which is no part of what is written."""
    entry = {
        "name": "later",
        "vhost": "/",
        "type": "x-delayed-message",
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {"x-delayed-type": "direct"},
    }
    assert Import(world.broker).take({"exchanges": [entry]}) == []
    world.commit()
    world = world.restart(clean=False)
    later = world.broker.vhosts["/"].exchanges["later"]
    assert isinstance(later, DelayedExchange)
    assert later.waiting is not None
    written = exported(world.broker, "4.2.0")
    assert (written["exchanges"], written["queues"]) == ([entry], [])


def test_a_hash_that_rabbitmq_cannot_read_comes_back_here(world: World) -> None:
    """There such a user has no password."""
    (guest,) = exported(world.broker, "4.2.0")["users"]
    assert guest["password_hash"] == ""
    assert guest["mambaamqp_password_hash"].startswith("$argon2id$")
    other = World(config=Config())
    assert Import(other.broker).take({"users": [guest]}) == []
    kept = other.access.users.get("guest")
    assert kept is not None
    assert kept.password_hash == guest["mambaamqp_password_hash"]


def test_the_configuration_goes_first() -> None:
    """And that is told."""
    entries = {
        "users": [{"name": "guest", "password_hash": "", "tags": []}],
        "permissions": [{"user": "guest", "vhost": "/", "configure": "", "write": "", "read": ""}],
    }
    reports = Import(World().broker).take(entries)
    assert len(reports) == 2
    assert all("goes first" in report for report in reports)


@pytest.mark.parametrize(
    ("section", "entry", "reason"),
    [
        ("users", {"name": "x"}, "users: name 'x': 'password_hash' is missing"),
        ("users", {"name": "x", "password_hash": "MD5="}, "password_hash must be an argon2id hash"),
        ("users", 5, "an entry that is no object"),
        ("permissions", {"user": "nobody", "vhost": "/"}, "there is no such user"),
        ("queues", {"name": "q", "vhost": "nope", "durable": True}, "there is no such virtual host"),
        ("queues", {"name": "", "vhost": "/", "durable": True}, "a name must be"),
        ("queues", {"name": "q", "vhost": "/", "durable": True, "arguments": [1]}, "must be an object"),
        (
            "queues",
            {"name": "q", "vhost": "/", "durable": True, "arguments": {"x-max-length": -1}},
            "value_negative",
        ),
        (
            "bindings",
            {"source": "x", "vhost": "/", "destination": "q", "destination_type": "queue", "routing_key": ""},
            "there is nothing to bind",
        ),
        ("policies", {"name": "p", "vhost": "/", "pattern": "(", "definition": {"expires": 1}}, "pattern"),
        ("vhosts", {"name": "v", "default_queue_type": "log"}, "not supported"),
    ],
)
def test_an_entry_that_cannot_be_is_told(world: World, section: str, entry: Any, reason: str) -> None:
    """The others of the document are taken over."""
    good = {"name": "good", "vhost": "/", "pattern": "", "definition": {"expires": 1}}
    entries = {section: [entry], "policies": [*([entry] if section == "policies" else []), good]}
    (report,) = Import(world.broker).take(entries)
    assert reason in report
    assert list(world.broker.vhosts["/"].policies.plain) == ["good"]


def test_a_document_of_something_else_is_told(world: World) -> None:
    """What is not known, if it says anything."""
    assert Import(world.broker).take({"users": {}, "strange": [1], "empty": []}) == [
        "users: is not a list",
        "strange: is not known here",
    ]
