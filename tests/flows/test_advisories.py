"""What went wrong in other brokers, by the names of their advisories, tried on this one.

Numbers of 2026 and most others are RabbitMQ's; those of Qpid and ActiveMQ are marked. Only what a broker with
this one's features can suffer stands here; TLS, the HTTP interface and policies bring theirs with them.
"""

import ast
import logging
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pamqp import commands, frame

import mambaamqp
from mambaamqp.config import Config, PermissionConfig, Secret, VhostConfig
from mambaamqp.errors import ConfigError
from mambaamqp.wire.framing import FRAME_BODY, FRAME_HEADER, FRAME_METHOD
from mambaamqp.wire.framing import frame as pack
from mambaamqp.wire.methods import encode
from tests.support.client import Client, World, default_config, publish_octets, user_config

HEADER: Final = b"AMQP\0\0\x09\1"
LYING_LENGTHS: Final = (0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
SOME_MEMORY_BYTES: Final = 4 << 20
"""Far more than an answer needs, far less than any of the lies."""


@pytest.fixture
def bystander(world: World) -> Iterator[Client]:
    """Somebody else, whose message arrives before and after."""
    client = world.connect().open()
    client.queue("bystander", durable=True)
    yield client
    client.publish(b"still here", "bystander", properties={"delivery_mode": 2})
    delivery = client.get("bystander")
    assert delivery is not None
    assert delivery.body == b"still here"


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Nothing large is ever allocated inside."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < SOME_MEMORY_BYTES


def start_ok(response: bytes, mechanism: str = "PLAIN") -> bytes:
    """The frame, whatever the response is."""
    properties, method = bytes(4), commands.Connection.StartOk.index.to_bytes(4, "big")
    said = bytes((len(mechanism),)) + mechanism.encode() + len(response).to_bytes(4, "big") + response
    return pack(FRAME_METHOD, 0, method + properties + said + b"\x05en_US")


# Sizes


def test_cve_2026_67235_a_body_is_measured_at_its_header(bystander: Client, client: Client) -> None:
    """One octet above the maximum: refused before any of the body has come."""
    method, head, _ = _content(b"x")
    maximum = client.world.settings.message_bytes_max
    client.feed(method + _with_size(head, maximum + 1))
    [close] = client.of(commands.Channel.Close)
    assert close.reply_code == 406


def test_cve_2026_67235_a_body_cannot_outgrow_its_header(bystander: Client, client: Client) -> None:
    """What accumulates is compared with what was announced."""
    method, head, _ = _content(b"x")
    client.feed(method + head + pack(FRAME_BODY, 1, bytes(100_000)))
    [close] = client.of(commands.Connection.Close)
    assert close.reply_code == 501


@pytest.mark.parametrize("length", LYING_LENGTHS)
def test_cve_2026_67232_67230_66079_lengths_before_login(
    world: World, bystander: Client, little_memory: None, length: int
) -> None:
    """Also CVE-2026-57220, CVE-2026-67225, Qpid's CVE-2017-15701: nothing is kept for a promise."""
    stranger = Client(world)
    stranger.feed(HEADER + bytes((FRAME_METHOD, 0, 0)) + length.to_bytes(4, "big") + bytes(1000))
    assert stranger.of(commands.Connection.Close)[0].reply_code == 501


@pytest.mark.parametrize("length", LYING_LENGTHS)
def test_cve_2025_27533_2026_59878_lengths_inside_a_method(
    client: Client, bystander: Client, little_memory: None, length: int
) -> None:
    """ActiveMQ's, the negative one too: a table and a long string that are longer than their frame."""
    declare = encode(commands.Queue.Declare(queue="q"))[:-4]
    client.feed(pack(FRAME_METHOD, 1, declare + length.to_bytes(4, "big")))
    assert client.of(commands.Connection.Close)[0].reply_code in (501, 502)


def test_cve_2019_0222_a_truncated_frame_waits_and_harms_nobody(client: Client, bystander: Client) -> None:
    """ActiveMQ's: half a frame, and then silence."""
    client.feed(frame.marshal(commands.Queue.Declare(queue="q"), 1)[:9])
    assert not client.session.closing


def test_tables_cannot_nest_beyond_the_stack(client: Client, bystander: Client) -> None:
    """As the advisories of the Go and Java clients have it: twenty thousand levels in one frame."""
    nested = b""
    for _ in range(20_000):
        nested = b"\1aF" + len(nested).to_bytes(4, "big") + nested if len(nested) < 60_000 else nested
    declare = encode(commands.Queue.Declare(queue="q"))[:-4]
    client.feed(pack(FRAME_METHOD, 1, declare + len(nested).to_bytes(4, "big") + nested))
    assert client.of(commands.Connection.Close)[0].reply_code in (501, 502)


# One bad client


@pytest.mark.parametrize(
    "response", [b"", b"\0", b"\0\0", b"guest", b"\0guest", b"\xff\0\xfe\0\xfd", b"\0" * 4000]
)
@pytest.mark.parametrize("mechanism", ["PLAIN", "AMQPLAIN"])
def test_cve_2016_3094_2018_1298_a_malformed_login_ends_only_itself(
    world: World, bystander: Client, mechanism: str, response: bytes
) -> None:
    """Qpid's: an exception in the mechanism ended the broker."""
    stranger = Client(world)
    stranger.feed(HEADER)
    stranger.feed(start_ok(response, mechanism))
    world.advance(3)
    assert stranger.session.closing or stranger.of(commands.Connection.Close)
    assert not stranger.of(commands.Connection.Tune)


def test_cve_2018_8030_2019_0200_a_message_that_is_too_large_ends_only_itself(
    client: Client, bystander: Client
) -> None:
    """Qpid's; also CVE-2015-0203 and CVE-2015-0224, unexpected frames that ended the broker."""
    body = _content(b"x" * 10)[2]
    client.feed(body)
    assert client.of(commands.Connection.Close)[0].reply_code == 505


# Who may


@pytest.mark.parametrize(
    "method",
    [
        commands.Connection.SecureOk("x"),
        commands.Connection.TuneOk(0, 0, 0),
        commands.Connection.Open("/"),
        commands.Connection.OpenOk(),
        commands.Connection.UpdateSecret("x", "x"),
        commands.Channel.Open(),
        commands.Exchange.Declare(exchange="x"),
        commands.Queue.Declare(queue="q"),
        commands.Basic.Publish(),
        commands.Basic.Consume(queue="bystander"),
        commands.Tx.Select(),
        commands.Confirm.Select(),
    ],
    ids=lambda method: method.name,
)
@pytest.mark.parametrize("channel", [0, 1])
def test_cve_2016_4432_no_way_around_the_login(
    world: World, bystander: Client, method: Any, channel: int
) -> None:
    """Qpid's: the state machine let other methods pass."""
    stranger = Client(world)
    stranger.feed(HEADER)
    stranger.send(channel, method)
    assert stranger.of(commands.Connection.Close)[0].reply_code in (501, 503, 504)
    assert set(world.broker.vhosts["/"].queues) == {"bystander"}


@pytest.mark.parametrize("mechanism", ["ANONYMOUS", "anonymous", "EXTERNAL", "", "PLAIN ANONYMOUS"])
def test_cve_2015_0223_nobody_is_anonymous(world: World, mechanism: str) -> None:
    """Qpid's: what is not on the list is not there."""
    stranger = Client(world)
    stranger.feed(HEADER)
    [start] = stranger.of(commands.Connection.Start)
    assert "ANONYMOUS" not in str(start.mechanisms)
    stranger.feed(start_ok(b"\0guest\0guest", mechanism))
    assert stranger.of(commands.Connection.Close)[0].reply_code == 503


@pytest.mark.parametrize("password", ["", "\0", " "])
def test_cve_2014_3612_2021_26117_a_blank_password_is_wrong(world: World, password: str) -> None:
    """ActiveMQ's."""
    stranger = Client(world)
    stranger.feed(HEADER)
    stranger.feed(start_ok(f"\0guest\0{password}".encode()))
    world.advance(3)
    assert not stranger.of(commands.Connection.Tune)


def with_rights(configure: str = "", write: str = "", read: str = "") -> Client:
    """mallory, with these; guest has made `secret`, a queue and an exchange."""
    base = default_config()
    permission = PermissionConfig(user="mallory", configure=configure, write=write, read=read)
    config = Config(
        users=(*base.users, user_config("mallory")),
        vhosts=(VhostConfig(name="/"),),
        permissions=(*base.permissions, permission),
    )
    world = World(config=config)
    guest = world.connect().open()
    guest.queue("secret")
    guest.exchange("secret", "fanout")
    return world.connect(user="mallory", password="mallory").open()


@pytest.mark.parametrize(
    "method",
    [
        commands.Queue.Declare(queue="secret", passive=True),
        commands.Queue.Declare(queue="not there", passive=True),
        commands.Exchange.Declare(exchange="secret", passive=True),
        commands.Exchange.Declare(exchange="not there", passive=True),
    ],
)
def test_cve_2026_57221_a_passive_declare_tells_nothing(method: Any) -> None:
    """The same words whether it exists or not."""
    answer = with_rights().call(1, method)
    assert answer.reply_code == 403
    assert "NOT_FOUND" not in answer.reply_text


@pytest.mark.parametrize(
    ("method", "rights"),
    [
        (
            commands.Queue.Declare(queue="own", arguments={"x-dead-letter-exchange": "secret"}),
            "configure read",
        ),
        (
            commands.Exchange.Declare(exchange="own", arguments={"alternate-exchange": "secret"}),
            "configure read",
        ),
        (commands.Queue.Bind(queue="secret", exchange="own"), "read configure"),
        (commands.Exchange.Bind(destination="secret", source="own"), "read configure"),
        (commands.Queue.Delete(queue="secret"), "write read"),
        (commands.Exchange.Delete(exchange="secret"), "write read"),
        (commands.Queue.Purge(queue="secret"), "write configure"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_cve_2024_51988_2026_67218_67241_no_second_way_without_a_check(method: Any, rights: str) -> None:
    """Also ActiveMQ's CVE-2026-46605 and CVE-2026-61487: every way to a thing asks for that thing's right."""
    mallory = with_rights(**dict.fromkeys(rights.split(), ".*"))
    [missing] = {"configure", "write", "read"} - set(rights.split())
    answer = mallory.call(1, method)
    assert answer.reply_code == 403
    assert f"{missing} access to" in answer.reply_text


def test_cve_2026_67242_57218_67420_what_is_revoked_is_gone() -> None:
    """On the connection that is open, for its next operation, with what was cached about it."""
    mallory = with_rights(write=".*")
    mallory.publish(b"x", "", "secret")
    assert not mallory.of(commands.Channel.Close)
    mallory.world.access.clear_permission("mallory", "/")
    mallory.publish(b"x", "", "secret")
    assert mallory.of(commands.Channel.Close)[0].reply_code == 403


def test_cve_2026_57215_an_address_for_replies_cannot_be_forged(world: World, bystander: Client) -> None:
    """What is close to a good one, or only looks like one, is nobody's: nothing arrives."""
    asker, server, forger = (world.connect().open() for _ in range(3))
    asker.consume("amq.rabbitmq.reply-to", "answers", no_ack=True)
    server.queue("requests")
    asker.publish(b"ask", "requests", properties={"reply_to": "amq.rabbitmq.reply-to"})
    request = server.get("requests")
    assert request is not None
    good = str(request.properties.reply_to)
    for bad in (good[:-1], good + "x", good.swapcase(), "amq.rabbitmq.reply-to.", good.rsplit(".", 1)[0]):
        forger.publish(b"forged", bad)
    assert [delivery for delivery in asker.take() if delivery.body == b"forged"] == []


# Patterns, routes, counts


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a*)*(b*)*c", "a" * 1025])
def test_cve_2026_66074_67413_67240_ruinous_patterns_are_refused(pattern: str) -> None:
    """Before they are ever matched."""
    with pytest.raises((ConfigError, ValueError)):
        with_rights(configure=pattern)


def test_cve_2026_67419_wildcards_do_not_multiply(client: Client, bystander: Client) -> None:
    """Sixty `#` against a key of 128 words: a bounded number of steps, which a test that ends has shown."""
    client.queue("q")
    client.exchange("t", "topic")
    client.bind("q", "t", ".".join(["#", "a"] * 30))
    client.publish(b"x", ".".join(["a"] * 127 + ["b"]), "t")
    assert client.get("q") is None


def test_cve_2026_66080_67408_67219_a_small_request_makes_no_large_state(
    client: Client, bystander: Client, little_memory: None
) -> None:
    """More priorities than there are levels: 406, and nothing was made for any."""
    answer = client.queue("q", arguments={"x-max-priority": 2**31 - 1})
    assert answer.reply_code == 406


# Secrets and code


def test_cve_2022_31008_2025_50200_2026_66068_67221_67406_secrets_are_not_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither that of a login nor a new one: in no log, in no representation."""
    caplog.set_level(logging.DEBUG)
    stranger = Client(world)
    stranger.feed(HEADER)
    stranger.feed(start_ok(b"\0guest\0planted-secret"))
    world.advance(3)
    client = world.connect().open()
    client.call(0, commands.Connection.UpdateSecret("planted-secret", "reason"))
    assert "planted-secret" not in caplog.text
    assert "planted-secret" not in repr(Secret("planted-secret"))
    assert "planted-secret" not in repr(world.config)


FORBIDDEN: Final = {"pickle", "marshal", "shelve", "yaml", "dill"}


def test_cve_2023_46604_2022_41678_2015_5254_nothing_is_ever_loaded_as_code() -> None:
    """ActiveMQ's: no unsafe loader is imported, no eval or exec called, anywhere in the package."""
    for path in Path(mambaamqp.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not _loads_code(node), f"{path}: line {getattr(node, 'lineno', 0)}"


def _loads_code(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] in FORBIDDEN for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] in FORBIDDEN
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec")


def _content(body: bytes) -> list[bytes]:
    """The frames of one publish."""
    octets = publish_octets(body, "bystander")
    frames = []
    while octets:
        end = 8 + int.from_bytes(octets[3:7], "big")
        frames.append(octets[:end])
        octets = octets[end:]
    return frames


def _with_size(head: bytes, size: int) -> bytes:
    payload = head[7:-1]
    return pack(FRAME_HEADER, 1, payload[:4] + size.to_bytes(8, "big") + payload[12:])
