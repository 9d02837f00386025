"""Profiles: each cell of the table in docs/compatibility.md, as a client meets it."""

import re
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from pamqp import commands, frame, header

from mambaamqp.config import CompatibilityConfig
from mambaamqp.config.compatibility import COLUMNS, PROFILES
from tests.support import expect
from tests.support.client import Client, World, default_config

PERMISSIVE, OLD, BEFORE, LATEST = PROFILES
PERSISTENT: Final = {"delivery_mode": 2}
QUORUM: Final = {"x-queue-type": "quorum"}
DEPRECATED: Final = (
    "INTERNAL_ERROR - Feature `{}` is deprecated.\nBy default, this feature is not permitted anymore.\n"
    "The feature will be removed from a future major RabbitMQ version, regardless of the configuration; "
    "actual version to be determined.\nTo continue using this feature when it is not permitted by default"
)


def under(profile: str, **switches: Any) -> World:
    config = CompatibilityConfig(profile=profile, **switches)  # type: ignore[arg-type]
    return World(config=attrs.evolve(default_config(), compatibility=config))


def joined(profile: str, **switches: Any) -> Client:
    return under(profile, **switches).connect().open()


def deprecated(feature: str) -> str:
    """The text as RabbitMQ cuts it."""
    return DEPRECATED.format(feature)[:252] + "..."


@pytest.mark.parametrize(
    ("profile", "version"), [(PERMISSIVE, "4.2.0"), (OLD, "3.13.7"), (BEFORE, "4.2.0"), (LATEST, "4.3.0")]
)
def test_product_and_version(profile: str, version: str) -> None:
    """What is announced, by which clients choose."""
    client = Client(under(profile))
    client.feed(b"AMQP\x00\x00\x09\x01")
    (start,) = client.of(commands.Connection.Start)
    announced = (start.server_properties["product"], start.server_properties["version"])
    assert announced == ("RabbitMQ", version)


@pytest.mark.parametrize("profile", PROFILES)
def test_transient_shared_queues(profile: str) -> None:
    """Refused by 4.3, with the connection, in its words; exclusive ones never are."""
    client = joined(profile)
    assert isinstance(client.queue("mine", exclusive=True), commands.Queue.DeclareOk)
    answer = client.queue("shared")
    if profile == LATEST:
        text = deprecated("transient_nonexcl_queues")
        expect.connection_closed(answer, 541, text, commands.Queue.Declare)
    else:
        assert isinstance(answer, commands.Queue.DeclareOk)


@pytest.mark.parametrize("profile", PROFILES)
def test_global_prefetch(profile: str) -> None:
    """Shared by the consumers of the channel; each consumer's own in 4.3."""
    client = joined(profile)
    client.queue("q", durable=True)
    client.call(1, commands.Basic.Qos(prefetch_count=2, global_=True))
    client.consume("q", "one")
    client.consume("q", "two")
    for number in range(6):
        client.publish(b"%d" % number)
    assert len(client.take()) == (4 if profile == LATEST else 2)


@pytest.mark.parametrize("profile", PROFILES)
def test_global_prefetch_on_a_quorum_queue(profile: str) -> None:
    """540, unless it means each consumer's own."""
    client = joined(profile)
    client.queue("q", durable=True, arguments=QUORUM)
    client.call(1, commands.Basic.Qos(prefetch_count=2, global_=True))
    answer = client.consume("q")
    if profile == LATEST:
        assert isinstance(answer, commands.Basic.ConsumeOk)
    else:
        text = "NOT_IMPLEMENTED - queue 'q' in vhost '/' does not support global qos"
        expect.connection_closed(answer, 540, text)


@pytest.mark.parametrize("profile", PROFILES)
def test_unknown_exchange_type(profile: str) -> None:
    """406 since 3.13.7; 503 before, for who wants that."""
    text = "unknown exchange type 'strange'"
    answer = joined(profile).exchange("x", "strange")
    expect.channel_closed(answer, 406, f"PRECONDITION_FAILED - {text}")
    answer = joined(profile, unknown_exchange_type="503").exchange("x", "strange")
    expect.connection_closed(answer, 503, f"COMMAND_INVALID - {text}", commands.Exchange.Declare)


@pytest.mark.parametrize("kind", ["classic", "quorum"])
@pytest.mark.parametrize("profile", PROFILES)
def test_consumer_timeout(profile: str, kind: str) -> None:
    """The consumer goes, or the channel; in 4.3 only consumers of quorum queues."""
    client = joined(profile)
    client.queue("q", durable=True, arguments={"x-queue-type": kind})
    client.consume("q")
    client.publish(b"x", properties=PERSISTENT)
    client.take()
    for _ in range(60):
        client.world.advance(60)
    closed = client.of(commands.Channel.Close)
    cancelled = client.of(commands.Basic.Cancel)
    if profile in (OLD, BEFORE):
        assert [close.reply_code for close in closed] == [406]
    else:
        assert closed == []
        assert len(cancelled) == (1 if profile == PERMISSIVE or kind == "quorum" else 0)


@pytest.mark.parametrize("profile", PROFILES)
def test_queue_version_1(profile: str) -> None:
    """Gone in 4.3."""
    answer = joined(profile).queue("q", durable=True, arguments={"x-queue-version": 1})
    if profile == LATEST:
        text = "invalid arg 'x-queue-version' for queue 'q' in vhost '/': \"unsupported queue version '1'\""
        expect.channel_closed(answer, 406, f"PRECONDITION_FAILED - {text}", commands.Queue.Declare)
    else:
        assert isinstance(answer, commands.Queue.DeclareOk)


@pytest.mark.parametrize("profile", PROFILES)
def test_queue_master_locator(profile: str) -> None:
    """Deprecated, and refused in 4.3 with the connection."""
    answer = joined(profile).queue("q", durable=True, arguments={"x-queue-master-locator": "client-local"})
    if profile == LATEST:
        expect.connection_closed(answer, 541, deprecated("queue_master_locator"), commands.Queue.Declare)
    else:
        assert isinstance(answer, commands.Queue.DeclareOk)


@pytest.mark.parametrize(
    ("profile", "least"), [(PERMISSIVE, 4096), (OLD, 4096), (BEFORE, 8192), (LATEST, 8192)]
)
def test_the_least_frame_max(profile: str, least: int) -> None:
    """530 below it; nothing larger is sent to who settles for it."""
    world = under(profile)
    refused = Client(world)
    refused.log_in(frame_max=least - 1)
    (answer,) = refused.of(commands.Connection.Close)
    text = f"negotiated frame_max = {least - 1} is lower than the minimum allowed value ({least})"
    expect.connection_closed(answer, 530, f"NOT_ALLOWED - {text}")
    client = world.connect(frame_max=least).open()
    client.queue("q", durable=True)
    client.publish(b"x" * 10_000, frame_size=least - 8)
    assert client.bodies_in("q") == [b"x" * 10_000]


@pytest.mark.parametrize("profile", PROFILES)
def test_x_death_of_a_client(profile: str) -> None:
    """Counted on in 3.13 only."""
    client = joined(profile)
    client.queue("dead", durable=True)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    client.queue("q", durable=True, arguments=arguments)
    death = {"count": 4, "reason": "rejected", "queue": "q", "exchange": "", "routing-keys": ["q"]}
    client.publish(b"x", properties={"headers": {"x-death": [death]}} | PERSISTENT)
    taken = client.get("q", no_ack=False)
    assert taken is not None
    client.reject(taken.method.delivery_tag, requeue=False)
    found = client.get("dead")
    assert found is not None
    assert found.properties.headers["x-death"][0]["count"] == (5 if profile == OLD else 1)


@pytest.mark.parametrize("profile", PROFILES)
def test_nacks_and_the_delivery_limit(profile: str) -> None:
    """Counted up to 4.2; a reject counts always."""
    client = joined(profile)
    client.queue("q", durable=True, arguments=QUORUM | {"x-delivery-limit": 2})
    client.publish(b"x", properties=PERSISTENT)
    for _ in range(5):
        taken = client.get("q", no_ack=False)
        if taken is None:
            break
        client.nack(taken.method.delivery_tag)
    assert client.count("q") == (0 if profile in (OLD, BEFORE) else 1)


@pytest.mark.parametrize("governed", [False, True])
@pytest.mark.parametrize("profile", PROFILES)
def test_the_default_delivery_limit(profile: str, governed: bool) -> None:
    """20 of quorum queues since 4.0; under other policies and after a restart too."""
    client = joined(profile)
    client.queue("q", durable=True, arguments=QUORUM)
    world = client.world.restart()
    queue = world.broker.vhosts["/"].queues["q"]
    if governed:
        value = {"pattern": "", "definition": {"max-length": 9}, "priority": 0, "apply-to": "all"}
        world.broker.parameters.put("policy", "/", "p", value)
    assert queue.arguments.delivery_limit == (None if profile == OLD else 20)
    client = world.connect().open()
    client.publish(b"x", properties=PERSISTENT)
    for _ in range(25):
        taken = client.get("q", no_ack=False)
        if taken is None:
            break
        client.reject(taken.method.delivery_tag)
    assert client.count("q") == (1 if profile == OLD else 0)


@pytest.mark.parametrize(("profile", "mebibytes"), [(PERMISSIVE, 16), (OLD, 128), (BEFORE, 16), (LATEST, 16)])
def test_the_largest_message(profile: str, mebibytes: int) -> None:
    """In the text that refuses one; a limit of one's own stays."""
    world = under(profile)
    assert world.settings.message_bytes_max == mebibytes * 1024 * 1024


@pytest.mark.parametrize("profile", PROFILES)
def test_what_no_profile_brings_back(profile: str) -> None:
    """These were gone long before."""
    for method, text in (
        (commands.Basic.Recover(requeue=False), "requeue=false"),
        (commands.Channel.Flow(active=False), "active=false"),
        (commands.Basic.Publish(routing_key="q", immediate=True), "immediate=true"),
    ):
        client = joined(profile)
        client.feed(frame.marshal(method, 1) + frame.marshal(header.ContentHeader(0, 0), 1))
        (answer,) = client.of(commands.Connection.Close)
        expect.connection_closed(answer, 540, f"NOT_IMPLEMENTED - {text}")


def test_the_table_on_the_page_is_the_code() -> None:
    """docs/compatibility.md names every switch, and its columns are what the profiles say."""
    page = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([a-z_0-9]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", page, re.MULTILINE
    )
    assert {name: tuple(cells) for name, *cells in rows} == COLUMNS
