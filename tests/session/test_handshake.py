"""The way to open-ok: every step, every refusal, and that there is no way around."""

import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mambaamqp.access import Access
from mambaamqp.access.permissions import Permission
from mambaamqp.access.users import User
from mambaamqp.config import LimitsConfig, ProtocolConfig
from mambaamqp.errors import (
    ChannelError,
    CommandInvalid,
    ConnectionFault,
    LoginRefused,
    NotAllowed,
    SyntaxFault,
)
from mambaamqp.session import handshake as handshakes
from mambaamqp.session.handshake import Handshake, is_partial_header
from mambaamqp.session.heartbeat import NEVER
from mambaamqp.session.peer import Peer
from mambaamqp.session.settings import SessionSettings
from mambaamqp.wire import table
from mambaamqp.wire.methods import CLASSES, Connection, Method, decode, encode
from mambaamqp.wire.table import Table

NOW = 1000.0
GUEST = User("guest", "no hash: nobody verifies here")
CAPABLE = {"authentication_failure_close": True, "basic.nack": True, "consumer_cancel_notify": False}


def gatekeeper(*mechanisms: str) -> Access:
    access = Access(mechanisms=mechanisms or ("PLAIN", "AMQPLAIN"))
    access.add_vhost("/")
    access.add_vhost("closed")
    access.put_user(GUEST)
    access.set_permission("guest", "/", Permission(".*", ".*", ".*"))
    return access


def begin(access: Access | None = None, **protocol: Any) -> Handshake:
    settings = SessionSettings(ProtocolConfig(**protocol), LimitsConfig())
    peer = Peer("127.0.0.1", 50000, "127.0.0.1", 5672)
    return Handshake(settings, peer, gatekeeper() if access is None else access, NOW)


def start_ok(
    mechanism: str = "PLAIN", response: bytes = b"\0guest\0guest", capabilities: Any = CAPABLE
) -> Method:
    method = Connection.StartOk()
    method.client_properties = Table(table.encode_entries({"capabilities": capabilities}))
    method.mechanism = mechanism
    method.response = response
    method.locale = "en_US"
    return method


def tune_ok(channel_max: int = 2047, frame_max: int = 131_072, heartbeat: int = 60) -> Method:
    return Connection.TuneOk(channel_max, frame_max, heartbeat)


def open_vhost(name: str = "/") -> Method:
    method = Connection.Open()
    method.virtual_host = name
    return method


def logged_in(**protocol: Any) -> Handshake:
    handshake = begin(**protocol)
    handshake.receive(start_ok(), NOW)
    handshake.login_verified(GUEST, NOW)
    return handshake


def tuned() -> Handshake:
    handshake = logged_in()
    handshake.receive(tune_ok(), NOW)
    return handshake


def names(methods: list[Method]) -> list[str]:
    return [method.name for method in methods]


# The protocol header


@pytest.mark.parametrize("header", [b"AMQP\x00\x00\x09\x01", b"AMQP\x01\x01\x00\x09"])
def test_both_headers_of_0_9_are_taken(header: bytes) -> None:
    """The old form means 0-9-1 too."""
    assert begin().header(header) is None


@pytest.mark.parametrize(
    "header",
    [
        b"AMQP\x00\x00\x09\x00",
        b"AMQP\x00\x01\x00\x00",
        b"AMQP\x03\x01\x00\x00",
        b"GET / HT",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"AMQP",
        b"",
    ],
)
def test_any_other_header_is_told_what_is_spoken_here(header: bytes) -> None:
    """Another version, SASL of AMQP 1.0, HTTP, TLS: the answer names 0-9-1, then the socket is closed."""
    assert begin().header(header) == b"AMQP\x00\x00\x09\x01"


def test_a_header_may_come_octet_by_octet() -> None:
    """Every beginning of either form waits for the rest; anything else is refused at once."""
    for header in (handshakes.PROTOCOL_HEADER, handshakes.OLD_PROTOCOL_HEADER):
        assert all(is_partial_header(header[:size]) for size in range(8))
        assert not is_partial_header(header)
    assert not is_partial_header(b"GET")


def test_start_says_who_we_are_and_what_we_can() -> None:
    """Clients choose what they do by product, version and capabilities."""
    [start] = begin(product="Rabbit", version="9.9").greeting()
    start = decode(encode(start))
    properties = start.server_properties

    assert (start.version_major, start.version_minor) == (0, 9)
    assert start.mechanisms == "PLAIN AMQPLAIN"
    assert start.locales == "en_US"
    assert (properties.get("product"), properties.get("version")) == ("Rabbit", "9.9")
    assert properties.get("capabilities")["publisher_confirms"] is True
    assert properties.get("capabilities")["authentication_failure_close"] is True
    assert {properties.code(key) for key in properties.values} == {"F", "S"}


# The whole way


def test_the_whole_way_to_open_ok() -> None:
    """start-ok, a verified login, tune-ok, open; what was agreed is there afterwards."""
    handshake = begin()

    assert handshake.receive(start_ok(), NOW) == []
    assert handshake.login is not None
    assert handshake.login.credentials.name == "guest"
    assert handshake.login.credentials.password.reveal() == b"guest"
    assert names(handshake.login_verified(GUEST, NOW)) == ["Connection.Tune"]
    assert handshake.login is None
    assert not handshake.tuned
    assert handshake.receive(tune_ok(100, 8192, 5), NOW) == []
    assert handshake.tuned and not handshake.open
    assert names(handshake.receive(open_vhost(), NOW)) == ["Connection.OpenOk"]

    assert handshake.open
    assert (handshake.channel_max, handshake.frame_bytes_max, handshake.heartbeat_seconds) == (100, 8192, 5)
    assert handshake.actor is not None
    assert (handshake.actor.user, handshake.vhost) == (GUEST, "/")
    assert handshake.deadline == NEVER


def test_the_tune_offer_is_the_configuration() -> None:
    """Limits and the heartbeat go out as they are configured."""
    handshake = begin(channel_max=5, frame_bytes_max=9000, heartbeat_seconds=30)
    handshake.receive(start_ok(), NOW)
    [tune] = handshake.login_verified(GUEST, NOW)

    assert (tune.channel_max, tune.frame_max, tune.heartbeat) == (5, 9000, 30)


def test_only_capabilities_that_are_true_count() -> None:
    """false, and what is no boolean, is not announced."""
    handshake = begin()
    handshake.receive(start_ok(capabilities={"a": True, "b": False, "c": "yes", "d": 1}), NOW)

    assert handshake.capabilities == {"a"}


@pytest.mark.parametrize("capabilities", [None, 1, "basic.nack", [True]])
def test_capabilities_that_are_no_table_are_none(capabilities: Any) -> None:
    """Odd client-properties are kept, and mean nothing."""
    handshake = begin()
    handshake.receive(start_ok(capabilities=capabilities), NOW)

    assert handshake.capabilities == frozenset()


# Mechanisms


@pytest.mark.parametrize("mechanism", ["", "plain", "EXTERNAL", "ANONYMOUS", "X" * 255])
def test_an_unknown_mechanism_is_503(mechanism: str) -> None:
    """Only what is configured is on offer, whatever else exists."""
    with pytest.raises(CommandInvalid) as caught:
        begin().receive(start_ok(mechanism), NOW)

    assert str(caught.value) == f"unknown authentication mechanism '{mechanism}'"


def test_a_mechanism_that_is_switched_off_is_unknown() -> None:
    """[access] mechanisms is an allow-list."""
    with pytest.raises(CommandInvalid):
        begin(gatekeeper("PLAIN")).receive(start_ok("AMQPLAIN"), NOW)


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\0",
        b"guest",
        b"\0guest",
        b"\0guest\0guest\0",
        b"\0\0\0\0",
        b"\xff" * 4096,
        b"\0" * 4000,
        b"\0a\0" + b"p" * 5000,
    ],
)
def test_a_malformed_plain_response_is_502(response: bytes) -> None:
    """Nothing but three parts is a response (CVE-2016-3094, CVE-2018-1298); its text shows none of it."""
    handshake = begin()

    with pytest.raises(SyntaxFault) as caught:
        handshake.receive(start_ok(response=response), NOW)

    assert handshake.login is None
    assert str(caught.value) == "PLAIN response invalid"


GOOD = table.encode_entries({"LOGIN": "guest", "PASSWORD": "guest"})


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\0",
        b"\0guest\0guest",
        GOOD[:-1],
        GOOD + b"\x05",
        table.encode({"LOGIN": "guest", "PASSWORD": "guest"}),
        table.encode_entries({"LOGIN": "guest"}),
        table.encode_entries({"PASSWORD": "guest"}),
        table.encode_entries({"LOGIN": 1, "PASSWORD": "guest"}),
        table.encode_entries({"LOGIN": "guest", "PASSWORD": None}),
        table.encode_entries({"LOGIN": "guest", "PASSWORD": {"a": "b"}}),
        table.encode_entries({"login": "guest", "password": "guest"}),
        b"\x01aF\xff\xff\xff\xff",
        b"\x01aA\x00\x00\x00\x05" * 1200,
        b"\x05LOGINS\xff\xff\xff\xff",
    ],
)
def test_a_malformed_amqplain_response_is_502(response: bytes) -> None:
    """A table that lies about its lengths, or lacks what is asked for, gets no further."""
    handshake = begin()

    with pytest.raises(SyntaxFault):
        handshake.receive(start_ok("AMQPLAIN", response), NOW)

    assert handshake.login is None


def test_amqplain_takes_login_and_password_from_a_table() -> None:
    """The content of a field table without its length, other entries ignored."""
    handshake = begin()
    handshake.receive(start_ok("AMQPLAIN", GOOD + table.encode_entries({"X": 1})), NOW)

    assert handshake.login is not None
    assert handshake.login.credentials.name == "guest"
    assert handshake.login.credentials.password.reveal() == b"guest"


@settings(deadline=None)
@given(st.sampled_from(["PLAIN", "AMQPLAIN"]), st.binary(max_size=200))
def test_no_response_raises_anything_but_a_refusal(mechanism: str, response: bytes) -> None:
    """Octets of any kind are credentials or a SyntaxFault."""
    handshake = begin()
    try:
        handshake.receive(start_ok(mechanism, response), NOW)
    except SyntaxFault:
        assert handshake.login is None
    else:
        assert handshake.login is not None


# Refused logins


def test_a_refused_login_is_told_after_the_delay() -> None:
    """403 for a client that understands it, and not a moment earlier."""
    handshake = begin(login_failure_delay_seconds=3.0)
    handshake.receive(start_ok(), NOW)

    assert handshake.login_verified(None, NOW + 1) == []
    assert handshake.refused
    assert handshake.deadline == NOW + 4
    assert handshake.tick(NOW + 3.9) == []
    with pytest.raises(LoginRefused) as caught:
        handshake.tick(NOW + 4)
    assert caught.value.reply_text == (
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
        "For details see the broker logfile."
    )
    assert handshake.may_close


def test_a_client_that_does_not_understand_a_refusal_is_just_closed() -> None:
    """Without authentication_failure_close there is no connection.close before tuning."""
    handshake = begin()
    handshake.receive(start_ok(capabilities={}), NOW)
    handshake.login_verified(None, NOW)

    assert not handshake.may_close
    assert handshake.tick(NOW + 3) == []
    assert handshake.closing


def test_a_verdict_that_nobody_asked_for_changes_nothing() -> None:
    """Only a login that is being verified can succeed (CVE-2016-4432: a way around it)."""
    for handshake in (begin(), tuned()):
        state = handshake.state
        assert handshake.login_verified(GUEST, NOW) == []
        assert handshake.state == state


def test_the_log_has_the_name_and_never_the_password(caplog: pytest.LogCaptureFixture) -> None:
    """Who was refused is for the operator to know, on one line whatever the name."""
    handshake = begin()
    handshake.receive(start_ok(response=b"\0eve\nfake line\0s3cr3t"), NOW)
    handshake.login_verified(None, NOW)

    assert "eve\\nfake line" in caplog.text
    assert "s3cr3t" not in caplog.text


# Tuning


@pytest.mark.parametrize(
    ("channel_max", "frame_max", "text"),
    [
        (2047, 0, "negotiated frame_max = 0 is higher than the maximum allowed value (131072)"),
        (2047, 131_073, "negotiated frame_max = 131073 is higher than the maximum allowed value (131072)"),
        (2047, 4095, "negotiated frame_max = 4095 is lower than the minimum allowed value (4096)"),
        (2047, 1, "negotiated frame_max = 1 is lower than the minimum allowed value (4096)"),
        (0, 8192, "negotiated channel_max = 0 is higher than the maximum allowed value (2047)"),
        (2048, 8192, "negotiated channel_max = 2048 is higher than the maximum allowed value (2047)"),
    ],
)
def test_more_than_was_offered_is_530(channel_max: int, frame_max: int, text: str) -> None:
    """0 means no limit, which is more than any."""
    with pytest.raises(NotAllowed) as caught:
        logged_in().receive(tune_ok(channel_max, frame_max), NOW)

    assert str(caught.value) == text


@pytest.mark.parametrize("heartbeat", [0, 1, 60, 580, 65_535])
def test_the_clients_heartbeat_is_final(heartbeat: int) -> None:
    """It may be more than offered, and 0 switches heartbeats off."""
    handshake = logged_in()
    handshake.receive(tune_ok(heartbeat=heartbeat), NOW)

    assert handshake.heartbeat_seconds == heartbeat


def test_the_frame_limit_holds_until_tune_ok() -> None:
    """A stranger may not send frames of the size that is offered."""
    handshake = logged_in(pre_login_frame_bytes_max=8192)

    assert handshake.frame_bytes_max == 8192
    handshake.receive(tune_ok(), NOW)
    assert handshake.frame_bytes_max == 131_072


# Opening


@pytest.mark.parametrize(
    ("vhost", "text"),
    [
        ("nope", "vhost nope not found"),
        ("", "vhost  not found"),
        ("closed", "access to vhost 'closed' refused for user 'guest'"),
    ],
)
def test_a_virtual_host_that_may_not_be_opened_is_530(vhost: str, text: str) -> None:
    """There is none of that name, or no permission in it."""
    handshake = tuned()

    with pytest.raises(NotAllowed) as caught:
        handshake.receive(open_vhost(vhost), NOW)

    assert str(caught.value) == text
    assert not handshake.open


def test_a_user_who_was_removed_meanwhile_opens_nothing() -> None:
    """Rights are read when the connection is opened, not when it logged in."""
    access = gatekeeper()
    handshake = begin(access)
    handshake.receive(start_ok(), NOW)
    handshake.login_verified(GUEST, NOW)
    handshake.receive(tune_ok(), NOW)
    access.remove_user("guest")

    with pytest.raises(NotAllowed):
        handshake.receive(open_vhost(), NOW)


def test_update_secret_is_answered() -> None:
    """Passwords do not expire here: nothing to renew, nothing to refuse."""
    assert names(tuned().update_secret(Connection.UpdateSecret())) == ["Connection.UpdateSecretOk"]


# Time


@pytest.mark.parametrize("make", [begin, logged_in, tuned])
def test_who_is_not_done_in_time_is_given_up(make: Any) -> None:
    """Ten seconds for all of it, wherever it stands; nobody is told."""
    handshake = make()

    assert handshake.deadline == NOW + 10
    assert handshake.tick(NOW + 9.9) == []
    assert not handshake.closing
    assert handshake.tick(NOW + 10) == []
    assert handshake.closing


# No way around


def blank(index: int) -> Method:
    """A method with fields that every handler can read."""
    if index == Connection.StartOk.index:
        return start_ok()
    if index == Connection.TuneOk.index:
        return tune_ok()
    if index == Connection.Open.index:
        return open_vhost()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return CLASSES[index]()


ORDER = [Connection.StartOk.index, "verified", Connection.TuneOk.index, Connection.Open.index]
steps = st.one_of(
    st.sampled_from(sorted(CLASSES)),
    st.sampled_from(ORDER),
    st.sampled_from(["verified", "refused", "tick"]),
)


@settings(deadline=None)
@given(st.lists(steps, max_size=12))
def test_nothing_but_the_handshake_in_its_order_gets_through(taken: list[int | str]) -> None:
    """Whatever comes in whatever order: open is reached by the four steps, one after the other."""
    handshake = begin()
    passed: list[int | str] = []
    for step in taken:
        try:
            if step == "tick":
                handshake.tick(NOW + 1)
            elif isinstance(step, str):
                state = handshake.state
                handshake.login_verified(GUEST if step == "verified" else None, NOW)
                if handshake.state != state:
                    passed.append(step)
            else:
                handshake.receive(blank(step), NOW)
                passed.append(step)
        except ConnectionFault as fault:
            assert isinstance(fault, ChannelError)
            assert "unexpected method in connection state" in str(fault)
        assert passed[:2] == ORDER[: len(passed)][:2] or passed == [ORDER[0], "refused"]
        assert handshake.open == (passed == ORDER)
        assert (handshake.actor is not None) == handshake.open


def test_the_table_has_a_row_for_nothing_else() -> None:
    """Three methods of one class, each in one state: the whole surface before a connection is open."""
    assert sorted(handshakes.TRANSITIONS) == [
        (handshakes.AWAIT_START_OK, Connection.StartOk.index),
        (handshakes.AWAIT_TUNE_OK, Connection.TuneOk.index),
        (handshakes.AWAIT_OPEN, Connection.Open.index),
    ]
