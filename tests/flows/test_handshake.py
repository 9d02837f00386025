"""From the protocol header to open-ok over a whole session: limits, delays, heartbeats."""

from typing import Any

import pytest
from pamqp import commands, frame, heartbeat

from mambaamqp.config import Config, PermissionConfig, VhostConfig
from mambaamqp.wire.framing import FRAME_HEARTBEAT, FRAME_METHOD
from mambaamqp.wire.framing import frame as pack
from tests.support import expect
from tests.support.client import CAPABILITIES, Client, World, publish_octets, user_config

HEADER = b"AMQP\x00\x00\x09\x01"


def start_ok(mechanism: str = "PLAIN", response: str = "\0guest\0guest", **capabilities: bool) -> Any:
    return commands.Connection.StartOk(
        client_properties={"capabilities": capabilities}, mechanism=mechanism, response=response
    )


@pytest.fixture
def stranger(world: World) -> Client:
    """Connected, and nothing said yet."""
    return Client(world)


def test_the_handshake_in_one_read(stranger: Client) -> None:
    """A client may send all its methods without waiting: the login is verified in between."""
    octets = HEADER + b"".join(
        frame.marshal(method, 0)
        for method in (start_ok(), commands.Connection.TuneOk(10, 8192, 0), commands.Connection.Open("/"))
    )
    stranger.feed(octets + frame.marshal(commands.Channel.Open(), 1))

    assert [value.name for _, value in stranger.received] == [
        "Connection.Start",
        "Connection.Tune",
        "Connection.OpenOk",
        "Channel.OpenOk",
    ]


def test_the_handshake_octet_by_octet(stranger: Client) -> None:
    """Frames may be cut anywhere."""
    octets = HEADER + b"".join(
        frame.marshal(method, 0)
        for method in (start_ok(), commands.Connection.TuneOk(10, 8192, 0), commands.Connection.Open("/"))
    )
    for octet in octets:
        stranger.feed(bytes((octet,)))

    assert stranger.received[-1][1].name == "Connection.OpenOk"


@pytest.mark.parametrize("header", [b"AMQP\x01\x01\x00\x09", HEADER])
def test_headers_octet_by_octet(stranger: Client, header: bytes) -> None:
    """Both forms are waited for."""
    for octet in header:
        assert stranger.received == []
        stranger.feed(bytes((octet,)))

    assert stranger.received[0][1].name == "Connection.Start"


@pytest.mark.parametrize(
    "octets",
    [
        b"AMQP\x00\x00\x09\x00",
        b"AMQP\x03\x01\x00\x00",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"x",
        b"AMQPx",
    ],
)
def test_another_protocol_is_told_ours_and_closed(stranger: Client, octets: bytes) -> None:
    """No connection.start, no frame: the eight octets of 0-9-1, then the end."""
    stranger.feed(octets)

    assert stranger.buffer == HEADER
    assert stranger.session.closing


@pytest.mark.parametrize("said", [b"", b"AM", HEADER])
def test_a_silent_stranger_is_given_up_after_ten_seconds(world: World, stranger: Client, said: bytes) -> None:
    """handshake_seconds, whether it said nothing, something or all of the header."""
    stranger.feed(said)
    world.advance(9.9)
    assert not stranger.session.closing
    world.advance(0.1)

    assert stranger.session.closing
    assert not stranger.of(commands.Connection.Close)


def test_an_octet_a_second_gains_no_time(world: World, stranger: Client) -> None:
    """The deadline counts from the connection's start, not from the last sign of life."""
    stranger.feed(HEADER)
    for octet in frame.marshal(start_ok(), 0)[:9]:
        world.advance(1)
        stranger.feed(bytes((octet,)))
    world.advance(1)

    assert stranger.session.closing


def test_a_flood_before_open_is_cut_off(world: World, stranger: Client) -> None:
    """64 KiB is all that a stranger may say, even in frames that mean nothing."""
    stranger.feed(HEADER)
    for _ in range(10):
        stranger.feed(pack(FRAME_HEARTBEAT, 0, b"") * 1000)

    [close] = stranger.of(commands.Connection.Close)
    expect.connection_closed(close, 501, "FRAME_ERROR - too much data before the connection is open")


def test_a_flood_at_once_gets_no_greeting(world: World, stranger: Client) -> None:
    """More than the whole budget in the first read: closed without a word."""
    stranger.feed(HEADER + bytes(70_000))

    assert stranger.received == []
    assert stranger.session.closing


def test_a_frame_above_8_kib_before_tune_ok_is_501(stranger: Client) -> None:
    """A megabyte of client-properties is refused at the frame's head, before any of it is kept."""
    stranger.feed(HEADER + bytes((FRAME_METHOD, 0, 0)) + (1_000_000).to_bytes(4, "big") + b"\0")

    [close] = stranger.of(commands.Connection.Close)
    expect.connection_closed(
        close, 501, "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,1000000,8184}"
    )


def test_a_frame_on_another_channel_before_open_is_504(stranger: Client) -> None:
    """There are no channels yet."""
    stranger.feed(HEADER + frame.marshal(start_ok(), 1))

    [close] = stranger.of(commands.Connection.Close)
    assert close.reply_code == 504


@pytest.mark.parametrize(
    "method",
    [
        commands.Channel.Open(),
        commands.Connection.TuneOk(10, 8192, 0),
        commands.Connection.Open("/"),
        commands.Connection.Start(),
        commands.Queue.Declare(queue="q"),
        commands.Basic.Get(queue="q"),
    ],
    ids=lambda method: method.name,
)
def test_no_other_method_is_taken_before_login(world: World, stranger: Client, method: Any) -> None:
    """On channel 0, in place of start-ok: 504, and nothing has happened (CVE-2016-4432)."""
    stranger.feed(HEADER)
    answer = stranger.call(0, method)

    expect.connection_closed(
        answer, 504, "CHANNEL_ERROR - unexpected method in connection state starting", type(method)
    )
    assert world.broker.vhosts["/"].queues == {}


def test_the_client_may_leave_before_it_has_come(stranger: Client) -> None:
    """connection.close at any time is answered."""
    stranger.feed(HEADER)
    answer = stranger.call(0, commands.Connection.Close(200, "no", 0, 0))

    assert isinstance(answer, commands.Connection.CloseOk)
    assert stranger.session.closing


# Logins


def test_a_refused_login_is_403_after_three_seconds(world: World) -> None:
    """Naming no method; pika and Java make an exception of its own of it."""
    client = Client(world)
    assert client.log_in(password="wrong") is None
    world.advance(2.9)
    assert not client.of(commands.Connection.Close)
    world.advance(0.1)

    [close] = client.of(commands.Connection.Close)
    expect.connection_closed(
        close,
        403,
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
        "For details see the broker logfile.",
        0,
    )


def test_a_refused_login_without_the_capability_just_ends(world: World) -> None:
    """Old clients take a closed socket for what it is."""
    client = Client(world)
    client.log_in(password="wrong", capabilities={})
    world.advance(3)

    assert client.session.closing
    assert not client.of(commands.Connection.Close)


@pytest.mark.parametrize(
    "more", [commands.Connection.TuneOk(10, 8192, 0), commands.Connection.Close(1, "", 0, 0)]
)
def test_a_refused_login_hears_nothing_before_its_time(world: World, more: Any) -> None:
    """Else a guesser would send the next method at once and learn from its refusal without waiting."""
    client = Client(world)
    client.log_in(password="wrong")
    client.feed(frame.marshal(more, 0) + b"garbage")

    assert [value.name for _, value in client.received] == ["Connection.Start"]
    assert not client.session.closing
    world.advance(3)
    assert client.of(commands.Connection.Close)[0].reply_code == 403


@pytest.mark.parametrize(
    ("user", "password"), [("guest", ""), ("", ""), ("nobody", "nobody"), ("guest\0", "x")]
)
def test_no_blank_password_and_no_unknown_user(world: World, user: str, password: str) -> None:
    """All of them look the same from outside, or are malformed."""
    client = Client(world)
    client.log_in(user, password)

    assert not client.of(commands.Connection.Tune)


def test_reading_stops_while_a_login_is_verified(world: World, stranger: Client) -> None:
    """Hashing takes a while, in another thread; what comes meanwhile stays in the kernel."""
    stranger.session.receive_data(HEADER + frame.marshal(start_ok(), 0), world.now)

    assert stranger.session.login is not None
    assert not stranger.session.wants_read
    stranger.session.login_verified(world.access.users.get("guest"), world.now)
    assert stranger.session.login is None
    assert stranger.session.wants_read


def test_a_verdict_that_comes_too_late_is_dropped(world: World, stranger: Client) -> None:
    """The handshake's time was up meanwhile."""
    stranger.session.receive_data(HEADER + frame.marshal(start_ok(), 0), world.now)
    world.advance(10)
    stranger.session.login_verified(world.access.users.get("guest"), world.now)
    world.settle()

    assert stranger.session.closing
    assert stranger.session.login is None
    assert not stranger.of(commands.Connection.Tune)


def test_an_unknown_mechanism_is_503(stranger: Client) -> None:
    """In RabbitMQ's words."""
    stranger.feed(HEADER)
    answer = stranger.call(0, start_ok("EXTERNAL", ""))

    expect.connection_closed(
        answer,
        503,
        "COMMAND_INVALID - unknown authentication mechanism 'EXTERNAL'",
        commands.Connection.StartOk,
    )


# Virtual hosts


@pytest.fixture
def two_worlds() -> World:
    """alice may work in "a"; nobody may in "b"."""
    return World(
        config=Config(
            users=(user_config("alice"),),
            vhosts=(VhostConfig(name="a"), VhostConfig(name="b")),
            permissions=(PermissionConfig(user="alice", vhost="a", configure=".*", write=".*", read=".*"),),
        )
    )


@pytest.mark.parametrize(
    ("vhost", "text"),
    [
        ("nope", "NOT_ALLOWED - vhost nope not found"),
        ("b", "NOT_ALLOWED - access to vhost 'b' refused for user 'alice'"),
    ],
)
def test_a_virtual_host_that_may_not_be_opened_is_530(two_worlds: World, vhost: str, text: str) -> None:
    """There is none, or there is no permission."""
    answer = Client(two_worlds).log_in("alice", "alice", vhost)

    expect.connection_closed(answer, 530, text, commands.Connection.Open)


def test_virtual_hosts_are_worlds_of_their_own(two_worlds: World) -> None:
    """A queue of one is not seen in the other."""
    access = two_worlds.access
    permission = access.permission("alice", "a")
    assert permission is not None
    access.set_permission("alice", "b", permission)
    two_worlds.connect(user="alice", password="alice", vhost="a").open().queue("q")
    answer = two_worlds.connect(user="alice", password="alice", vhost="b").open().queue("q", passive=True)

    expect.channel_closed(answer, 404, "NOT_FOUND - no queue 'q' in vhost 'b'")


def test_update_secret_is_answered(client: Client) -> None:
    """Clients with renewed credentials go on."""
    answer = client.call(0, commands.Connection.UpdateSecret("new", "why"))

    assert isinstance(answer, commands.Connection.UpdateSecretOk)


def test_a_stray_method_on_channel_0_is_504(client: Client) -> None:
    """The handshake is over: its methods have no row any more."""
    answer = client.call(0, commands.Connection.Open("/"))

    expect.connection_closed(answer, 504, "CHANNEL_ERROR - unexpected method in connection state running")


# Heartbeats


def heartbeats(client: Client) -> int:
    return sum(isinstance(value, heartbeat.Heartbeat) for _, value in client.received)


def test_heartbeats_go_out_after_half_an_interval(world: World) -> None:
    """Two an interval when there is nothing else to say."""
    client = world.connect(heartbeat_seconds=10)
    for _ in range(4):
        world.advance(5)
        client.feed(pack(FRAME_HEARTBEAT, 0, b""))

    assert heartbeats(client) == 4


def test_a_silent_client_is_dropped_without_a_word(world: World) -> None:
    """Two to three intervals without anything: its messages go back, no connection.close is tried."""
    client = world.connect(heartbeat_seconds=10).open()
    client.queue("q")
    client.publish(b"a")
    client.consume("q")
    witness = world.connect().open()
    for _ in range(3):
        world.advance(10)

    assert client.session.closing
    assert not client.of(commands.Connection.Close)
    assert witness.count("q") == 1


def test_any_traffic_is_a_sign_of_life(world: World) -> None:
    """A client that publishes need not send heartbeats as well."""
    client = world.connect(heartbeat_seconds=10).open()
    client.queue("q")
    for _ in range(10):
        world.advance(10)
        client.publish(b"x")

    assert not client.session.closing


def test_interval_0_never_drops_anybody(world: World) -> None:
    """Both ways off."""
    client = world.connect(heartbeat_seconds=0)
    world.advance(1e6)

    assert heartbeats(client) == 0
    assert not client.session.closing


def test_a_blocked_publisher_is_not_taken_for_dead(world: World) -> None:
    """We do not read what it sends, so its silence proves nothing; and the timer does not spin."""
    client = world.connect(heartbeat_seconds=10).open()
    client.queue("q")
    world.broker.set_alarm(True, False, world.now)
    client.publish(b"x")
    assert not client.session.wants_read
    for _ in range(20):
        world.advance(5)
        assert client.session.deadline > world.now

    assert not client.session.closing


def test_a_consumer_that_takes_nothing_is_dropped(world: World) -> None:
    """The outbox is full, so we do not read; that nothing leaves is the sign of its death."""
    world.settings.outbox_bytes_max = 1000
    client = world.connect(heartbeat_seconds=10).open()
    client.queue("q")
    client.consume("q")
    world.clients.remove(client)  # nobody reads its socket from here on
    publisher = world.connect().open()
    publisher.publish(bytes(2000))
    assert not client.session.wants_read
    for _ in range(6):
        world.advance(5)
        if client.session.deadline <= world.now:
            client.session.tick(world.now)
        assert client.session.deadline > world.now

    assert client.session.closing
    assert publisher.count("q") == 1


# Alarms


def test_blocked_is_sent_when_the_connection_publishes(world: World, client: Client, other: Client) -> None:
    """Not before, and only to publishers: those who consume go on."""
    client.queue("q")
    world.broker.set_alarm(True, False, world.now)
    world.settle()
    assert not client.of(commands.Connection.Blocked)
    client.publish(b"a")

    [blocked] = client.of(commands.Connection.Blocked)
    assert blocked.reason == "low on memory"
    assert not client.session.wants_read
    assert other.session.wants_read
    assert not other.of(commands.Connection.Blocked)


def test_a_publish_under_an_alarm_waits_for_its_end(world: World, client: Client, other: Client) -> None:
    """With all that its connection says after it; what it said before is done."""
    client.queue("q")
    client.confirm()
    client.publish(b"before")
    world.broker.set_alarm(True, False, world.now)
    client.feed(
        frame.marshal(commands.Queue.Declare(queue="r"), 1)
        + publish_octets(b"a") * 2
        + publish_octets(b"in frames", frame_size=4)
        + frame.marshal(commands.Queue.Declare(queue="s"), 1)
    )
    assert [answer.queue for answer in client.of(commands.Queue.DeclareOk)] == ["q", "r"]
    assert other.bodies_in("q") == [b"before"]
    world.broker.set_alarm(False, True, world.now)
    world.settle()
    assert other.count("q") == 0
    world.broker.set_alarm(False, False, world.now)
    world.settle()

    assert other.bodies_in("q") == [b"a", b"a", b"in frames"]
    assert [answer.queue for answer in client.of(commands.Queue.DeclareOk)] == ["q", "r", "s"]
    assert [client.of(commands.Basic.Ack)[-1].delivery_tag] == [4]
    assert len(client.of(commands.Connection.Blocked)) == len(client.of(commands.Connection.Unblocked)) == 1


def test_a_publish_under_way_when_the_alarm_comes_is_the_last(world: World, client: Client) -> None:
    """It is here already, at least in part."""
    client.queue("q")
    octets = publish_octets(b"half")
    client.feed(octets[:-4])
    world.broker.set_alarm(True, False, world.now)
    client.feed(octets[-4:])

    assert client.world.broker.vhosts["/"].queues["q"].ready.count == 1
    assert not client.session.wants_read


def test_a_connection_that_ends_while_blocked_takes_its_publish_with_it(
    world: World, client: Client, other: Client
) -> None:
    """It was never confirmed."""
    client.queue("q")
    world.broker.set_alarm(True, False, world.now)
    client.publish(b"a")
    client.session.shutdown("closed", world.now)
    client.feed(frame.marshal(commands.Connection.CloseOk(), 0))
    world.broker.set_alarm(False, False, world.now)
    world.settle()

    assert other.count("q") == 0


@pytest.mark.parametrize(
    ("memory", "disk", "reason"),
    [(True, False, "low on memory"), (False, True, "low on disk"), (True, True, "low on memory & disk")],
)
def test_the_reason_names_what_is_low(client: Client, memory: bool, disk: bool, reason: str) -> None:
    """In RabbitMQ's words."""
    client.world.broker.set_alarm(memory, disk, client.world.now)
    client.publish(b"a")

    assert client.of(commands.Connection.Blocked)[0].reason == reason


def test_unblocked_follows_the_end_of_the_alarm(world: World, client: Client) -> None:
    """Reading goes on."""
    world.broker.set_alarm(True, False, world.now)
    client.publish(b"a")
    world.broker.set_alarm(False, False, world.now)
    world.settle()

    assert len(client.of(commands.Connection.Unblocked)) == 1
    assert client.session.wants_read


def test_a_client_without_the_capability_is_blocked_in_silence(world: World) -> None:
    """It would not understand the method."""
    client = world.connect(capabilities={**CAPABILITIES, "connection.blocked": False}).open()
    world.broker.set_alarm(True, False, world.now)
    client.publish(b"a")

    assert not client.session.wants_read
    assert not client.of(commands.Connection.Blocked)


def test_heartbeats_go_out_while_the_disk_is_slow(world: World) -> None:
    """A reply waits for the journal; the sign of life does not."""
    client = world.connect(heartbeat_seconds=10).open()
    world.hold = True
    assert client.queue("q", durable=True) is None
    world.advance(5)
    assert heartbeats(client) == 1
    world.hold = False
    world.settle()

    assert client.of(commands.Queue.DeclareOk)[0].queue == "q"
