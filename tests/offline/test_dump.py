"""mambaamqp/offline/dump.py: one text for one state."""

import json
from base64 import b64decode
from decimal import Decimal
from typing import Any

from mambaamqp.offline import dump, state
from mambaamqp.store.disk import OsDisk
from mambaamqp.wire.table import Timestamp
from tests.offline.conftest import Leave, fill
from tests.support.client import World


def dumped(world: World, *, bodies: bool = False) -> Any:
    return json.loads("\n".join(dump.lines(world.broker, bodies=bodies)))


def test_everything_is_told(leave: Leave) -> None:
    """Topology and messages, as JSON that any reader takes."""
    text = "\n".join(dump.lines(state.read(leave(), OsDisk()).broker))
    (vhost,) = json.loads(text)["vhosts"]
    assert vhost["name"] == "/"
    assert [queue["name"] for queue in vhost["queues"]] == ["audit", "orders"]
    assert vhost["queues"][0]["arguments"] == {"x-max-priority": 5}
    assert {binding["destination"] for binding in vhost["bindings"]} == {"audit", "orders"}
    orders = [message for message in vhost["messages"] if message["queue"] == "orders"]
    assert [message["position"] for message in orders] == [2, 3, 4, 5, 6]
    assert [message["redelivered"] for message in orders] == [True, False, False, False, False]
    assert orders[0]["properties"] == {"delivery_mode": 2, "message_id": "m1"}
    assert orders[-1]["properties"]["headers"] == {"n": 1, "raw": {"base64": "/w=="}}


def test_bodies_are_told_when_asked_for() -> None:
    """Otherwise by size and digest."""
    world = World()
    fill(world)
    for message in dumped(world, bodies=True)["vhosts"][0]["messages"]:
        assert len(b64decode(message["body"])) == message["body_bytes"]
    assert "body" not in dumped(world)["vhosts"][0]["messages"][0]


def test_the_same_state_gives_the_same_text() -> None:
    """Whatever the journal looks like, after a restart and a checkpoint."""
    world = World()
    fill(world)
    world = world.restart()
    before = list(dump.lines(world.broker))
    world.broker.checkpoint()
    world.commit()
    assert list(dump.lines(world.restart().broker)) == before


def test_what_is_set_is_told() -> None:
    """So two dumps differ when a policy does, and a repair that loses one is seen."""
    world = World()
    value = {"pattern": "^q", "definition": {"expires": 1}, "priority": 0, "apply-to": "all"}
    world.broker.parameters.put("policy", "/", "p", value)
    told = {"component": "policy", "vhost": "/", "name": "p", "value": value}
    assert dumped(world)["parameters"] == [told]


def test_values_of_tables() -> None:
    """What JSON has no type for."""
    values = {"d": Decimal("1.5"), "t": Timestamp(7), "l": [b"\0", None, True], "n": {"x": 1.5}}
    expected = {"d": "1.5", "t": 7, "l": [{"base64": "AA=="}, None, True], "n": {"x": 1.5}}
    assert dump.plain(values) == expected


def test_the_keys_of_a_window_are_told() -> None:
    """As messages of a hidden queue: what an exchange has routed is no secret to who looks into a store."""
    world = World()
    client = world.connect().open()
    client.exchange("once", "x-message-deduplication", durable=True, arguments={"x-cache-size": 9})
    client.queue("q", durable=True)
    client.bind("q", "once")
    properties = {"delivery_mode": 2, "headers": {"x-deduplication-header": "a", "x-cache-ttl": 5000}}
    client.publish(b"x", "", "once", properties=properties)
    (vhost,) = dumped(world.restart(clean=False))["vhosts"]
    (window,) = [queue for queue in vhost["queues"] if queue["name"].startswith("amq.deduplication.")]
    assert window["arguments"] == {"x-deduplication-exchange": "once"}
    (key,) = [message for message in vhost["messages"] if message["queue"] == window["name"]]
    assert len(bytes.fromhex(key["routing_key"])) == 16
    assert (key["body_bytes"], key["properties"]["expiration"]) == (0, "5000")
