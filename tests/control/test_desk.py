"""mambaamqp/control: what can be asked and done, by what follows from it."""

import json
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest
from pamqp import commands

from mambaamqp.control.desk import OPERATIONS
from mambaamqp.errors import MambaError
from tests.support.client import Client, World
from tests.support.desk import Operator, Refused

ALL = {"configure": ".*", "write": ".*", "read": ".*"}
HASH = b64encode(b"salt" + sha256(b"saltkim").digest()).decode()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def operator(world: World) -> Operator:
    return Operator(world)


@pytest.fixture
def kim(world: World, operator: Operator) -> Client:
    """A user with all rights, at work."""
    operator.ask("user add", name="kim", password_hash=HASH, tags=[])
    operator.ask("permissions set", user="kim", **ALL)
    return world.connect(user="kim", password="kim").open()


@pytest.mark.parametrize("command", sorted(OPERATIONS))
@pytest.mark.parametrize("value", [None, 5, "x", [], {}, [5], {"x": 5}])
def test_no_request_does_harm(operator: Operator, command: str, value: Any) -> None:
    """Whatever stands in it, a reply comes, and the broker goes on."""
    keys = ("name", "user", "vhost", "policy", "definitions", "limits", "tags", "value", "on", "exchange")
    for key in keys:
        assert operator.send(json.dumps({"command": command, key: value, "name": value}).encode())
    everything = dict.fromkeys((*keys, "configure", "write", "read", "password_hash", "reason"), value)
    assert operator.send(json.dumps({"command": command, **everything}).encode())
    assert operator.ask("status")["version"] == "1"


def test_an_unknown_command_is_refused(operator: Operator) -> None:
    """404, and it is told which."""
    with pytest.raises(Refused, match="not_found: no command 'eval'"):
        operator.ask("eval", code="1")


def test_a_bug_is_told_to_nobody(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """541, in the log with all it takes."""

    def broken() -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(operator.machine, "facts", broken)
    with pytest.raises(Refused, match=r"^internal_error: an unexpected error occurred in the broker$"):
        operator.ask("status")


def test_status_counts_everything(world: World, operator: Operator) -> None:
    """Ready, outstanding, connections."""
    client = world.connect().open()
    client.queue("q")
    client.publish(b"a")
    client.publish(b"b")
    client.get(no_ack=False)
    world.broker.set_alarm(True, False, world.now)
    done = operator.ask("status")
    totals = done["totals"]
    assert done["alarms"] == ["memory"]
    assert (totals["messages_ready"], totals["messages_unacknowledged"]) == (1, 1)
    assert (totals["connections"], totals["channels"], totals["queues"]) == (1, 1, 1)


def test_lists_have_rabbitmqs_columns(world: World, operator: Operator) -> None:
    """A queue, a binding, a connection, a channel, a consumer."""
    client = world.connect().open()
    client.queue("q", durable=True, arguments={"x-max-length": 5})
    client.exchange("x", "topic")
    client.bind("q", "x", "a.#")
    client.publish(b"m")
    client.consume("q")
    [queue] = operator.rows("queues")
    assert (queue["name"], queue["state"], queue["messages"], queue["consumers"]) == ("q", "running", 1, 1)
    assert queue["arguments"] == {"x-max-length": 5}
    bindings = [row for row in operator.rows("bindings") if row["source_name"] == "x"]
    assert [(row["destination_name"], row["routing_key"]) for row in bindings] == [("q", "a.#")]
    [connection] = operator.rows("connections")
    assert (connection["user"], connection["peer_port"], connection["channels"]) == ("guest", 50000, 1)
    assert connection["client_properties"]["capabilities"]["basic.nack"] is True
    [channel] = operator.rows("channels")
    assert (channel["number"], channel["messages_unacknowledged"]) == (1, 1)
    [consumer] = operator.rows("consumers")
    assert (consumer["queue_name"], consumer["activity_status"]) == ("q", "up")
    assert "x" in [row["name"] for row in operator.rows("exchanges", vhost="/")]
    assert operator.rows("vhosts")[0]["queues"] == 1


def test_passwords_are_told_to_nobody(operator: Operator, kim: Client) -> None:
    """Not in lists, not in what is exported but as the hash that an import needs."""
    assert HASH not in json.dumps(operator.rows("users"))


def test_what_has_gone_meanwhile_is_left_out(world: World, operator: Operator) -> None:
    """A list is told bit by bit."""
    client = world.connect().open()
    for name in ("a", "b"):
        client.queue(name)
    reply = operator.desk.answer(b'{"command": "list queues"}', world.now)
    operator.ask("queue delete", name="b")
    rows = [json.loads(line) for line in reply.lines()]
    assert [row["row"]["name"] for row in rows[:-1]] == ["a"]


# In force at once


def test_permissions_count_for_who_is_at_work(operator: Operator, kim: Client) -> None:
    """Publishes by way of a remembered route too."""
    kim.queue("q")
    kim.publish(b"m")
    operator.ask("permissions set", user="kim", configure=".*", write="", read=".*")
    kim.publish(b"m")
    assert kim.of(commands.Channel.Close)[-1].reply_code == 403
    operator.ask("permissions clear", user="kim")
    kim.open(2)
    answer = kim.queue("q", channel=2, passive=True)
    assert (type(answer), answer.reply_code) == (commands.Channel.Close, 403)


def test_connections_of_a_deleted_user_are_closed(world: World, operator: Operator, kim: Client) -> None:
    """320 with RabbitMQ's words; others stay, and its login is worth nothing."""
    guest = world.connect().open()
    operator.ask("user delete", name="kim")
    [closed] = kim.of(commands.Connection.Close)
    assert (closed.reply_code, closed.reply_text) == (320, "CONNECTION_FORCED - user 'kim' is deleted")
    assert guest.queue("q").queue == "q"
    assert operator.rows("connections")[0]["user"] == "guest"
    assert world.access.users.get("kim") is None


def test_connections_into_a_deleted_virtual_host_are_closed(world: World, operator: Operator) -> None:
    """And nobody gets in any more."""
    operator.ask("vhost add", name="v")
    operator.ask("permissions set", vhost="v", user="guest", **ALL)
    client = world.connect(vhost="v").open()
    client.queue("q", durable=True)
    operator.ask("vhost delete", name="v")
    [closed] = client.of(commands.Connection.Close)
    assert (closed.reply_code, closed.reply_text) == (320, "CONNECTION_FORCED - vhost 'v' is deleted")
    refused = Client(world).log_in(vhost="v")
    assert (type(refused), refused.reply_code) == (commands.Connection.Close, 530)


def test_limits_count_from_now_on(world: World, operator: Operator, kim: Client) -> None:
    """Who is in stays in."""
    operator.ask("user set-limits", name="kim", limits={"max-connections": 1})
    refused = Client(world).log_in(user="kim", password="kim")
    assert refused.reply_code == 530
    operator.ask("user clear-limits", name="kim")
    operator.ask("vhost set-limits", vhost="/", limits={"max-queues": 0})
    assert kim.queue("q").reply_code == 406
    operator.ask("vhost clear-limits", vhost="/")


# Connections and queues


def test_a_connection_is_closed_by_its_name(world: World, operator: Operator) -> None:
    """320 with the reason; what it held goes back."""
    client = world.connect().open()
    client.queue("q")
    client.publish(b"m")
    client.get(no_ack=False)
    [row] = operator.rows("connections")
    operator.ask("connection close", name=row["name"], reason="maintenance")
    [closed] = client.of(commands.Connection.Close)
    assert (closed.reply_code, closed.reply_text) == (320, "CONNECTION_FORCED - maintenance")
    assert operator.rows("queues")[0]["messages_ready"] == 1
    with pytest.raises(Refused, match="not_found"):
        operator.ask("connection close", name=row["name"])


def test_all_connections_of_a_user_are_closed(world: World, operator: Operator, kim: Client) -> None:
    """Others are not."""
    guest = world.connect().open()
    assert operator.ask("connection close-all", user="kim") == {"connections": 1}
    assert not guest.of(commands.Connection.Close)
    assert operator.ask("connection close-all") == {"connections": 1}
    assert guest.of(commands.Connection.Close)[0].reply_code == 320


def test_a_queue_is_purged_and_deleted(world: World, operator: Operator) -> None:
    """Exclusive ones too; a missing one is 404, one in use stays with --if-unused."""
    client = world.connect().open()
    client.queue("q", exclusive=True)
    client.publish(b"m")
    client.publish(b"m")
    assert operator.ask("queue purge", name="q") == {"messages": 2}
    client.publish(b"m")
    client.consume("q", no_ack=True)
    with pytest.raises(Refused, match="in use"):
        operator.ask("queue delete", name="q", **{"if-unused": True})
    assert operator.ask("queue delete", name="q") == {"messages": 0}
    assert client.of(commands.Basic.Cancel)
    with pytest.raises(Refused, match="not_found: no queue 'q' in vhost '/'"):
        operator.ask("queue delete", name="q")


# The rest


def test_policies_are_set_and_cleared(world: World, operator: Operator) -> None:
    """In effect at once, listed, and refused in RabbitMQ's words."""
    client = world.connect().open()
    client.queue("q")
    policy = {"pattern": "^q$", "definition": {"max-length": 1}, "priority": 1, "apply-to": "queues"}
    for kind, listed in (("policy", "policies"), ("operator-policy", "operator-policies")):
        operator.ask(f"{kind} set", name="p", policy=policy)
        assert operator.rows(listed) == [{"vhost": "/", "name": "p", **policy}]
    [queue] = operator.rows("queues")
    assert (queue["policy"], queue["operator_policy"]) == ("p", "p")
    operator.ask("policy clear", name="p")
    operator.ask("operator-policy clear", name="p")
    with pytest.raises(Refused, match="not recognised policy settings"):
        operator.ask("policy set", name="p", policy=policy | {"definition": {"foo": 1}})


def test_definitions_go_in_and_out(world: World, operator: Operator) -> None:
    """As the offline commands have them; what cannot be taken over is reported."""
    document = {"queues": [{"name": "q", "vhost": "/", "durable": True}, {"name": "s"}]}
    [report] = operator.ask("definitions import", definitions=document)["reports"]
    assert "is missing" in report
    *rows, _ = operator.send(b'{"command": "definitions export"}')
    sections = {row["row"]["section"]: row["row"]["value"] for row in rows}
    assert [queue["name"] for queue in sections["queues"]] == ["q"]
    assert sections["rabbitmq_version"] == "4.2.0"


def test_marks_reach_the_machine(operator: Operator) -> None:
    """A fraction, bytes, or what the configuration says."""
    assert operator.ask("alarm memory", value=0.4) == {"vm_memory_high_watermark": 7}
    assert operator.ask("alarm disk", value=1000) == {"disk_free_limit": 8}
    assert (operator.machine.memory_mark, operator.machine.disk_mark) == (0.4, 1000)
    operator.ask("alarm memory", value=None)
    assert operator.machine.memory_mark is None


def test_events_tell_who_acted(world: World, operator: Operator) -> None:
    """The operator, under RabbitMQ's name for its command line; afterwards nobody acts."""
    client = world.connect().open()
    client.queue("audit")
    client.bind("audit", "amq.rabbitmq.event", "user.#")
    operator.ask("user add", name="kim", password_hash=HASH, tags=[])
    delivery = client.get("audit")
    assert delivery is not None
    assert delivery.method.routing_key == "user.created"
    assert delivery.properties.headers["user_who_performed_action"] == "rmq-cli"
    assert HASH not in str(delivery.properties.headers)
    assert client.get("audit") is None


def test_a_change_is_durable_before_it_is_answered(world: World, operator: Operator) -> None:
    """The reply names the position of the journal that it waits for."""
    world.hold = True
    reply = operator.desk.answer(b'{"command": "vhost add", "name": "v"}', world.now)
    assert reply.position > world.journal.durable
    with pytest.raises(MambaError):
        world.broker.vhost("w")
