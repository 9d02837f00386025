"""From the protocol header to connection.open-ok: login, tuning, virtual host.

The state machine is data: TRANSITIONS says which method is taken in which state, and a missing row is the
refusal, so that nothing but the handshake's own methods can ever get through before the connection is open.
Refuses to know sockets, passwords and time: credentials are handed out as `login` and come back verified;
`now` comes in, `deadline` goes out. Texts and codes as in RabbitMQ 4.x.

A refused login is answered after a while, and until then nothing that the peer says is listened to: were
its next method answered at once, the answer would tell a guesser what the delay is there to withhold.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from mambaamqp.access.mechanisms import AMQPLAIN, PLAIN, Credentials, parse_amqplain, parse_plain
from mambaamqp.access.permissions import Access, Actor
from mambaamqp.access.users import User
from mambaamqp.errors import ChannelError, CommandInvalid, LoginRefused, NotAllowed, SyntaxFault
from mambaamqp.session.heartbeat import NEVER
from mambaamqp.session.peer import Peer
from mambaamqp.session.settings import SessionSettings
from mambaamqp.wire.methods import Connection, Method
from mambaamqp.wire.table import EMPTY, Table

log = logging.getLogger("mambaamqp.session")

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
OLD_PROTOCOL_HEADER: Final = b"AMQP\x01\x01\x00\x09"
"""What clients of AMQP 0-9 sent; RabbitMQ takes it for 0-9-1."""
PROTOCOL_HEADER_BYTES: Final = 8

AWAIT_START_OK: Final = 0
VERIFYING: Final = 1
REFUSED: Final = 2
AWAIT_TUNE_OK: Final = 3
AWAIT_OPEN: Final = 4
OPEN: Final = 5

STATE_NAMES: Final[dict[int, str]] = {
    AWAIT_START_OK: "starting",
    VERIFYING: "securing",
    REFUSED: "securing",
    AWAIT_TUNE_OK: "tuning",
    AWAIT_OPEN: "opening",
    OPEN: "running",
}
"""What RabbitMQ calls them in its refusals."""

CAPABILITIES: Final = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
)


class Login:
    """Credentials that wait to be verified."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials


class Handshake:
    """One connection's way to open-ok; afterwards it keeps what was agreed."""

    def __init__(self, settings: SessionSettings, peer: Peer, access: Access, now: float) -> None:
        self.settings = settings
        self.peer = peer
        self.access = access
        self.state = AWAIT_START_OK
        self.deadline = now + settings.handshake_seconds
        self.closing = False
        """The time is up, or the peer may not even be told: close the socket without a word."""
        self.login: Login | None = None
        self.mechanism = ""
        self.user: User | None = None
        self.actor: Actor | None = None
        self.vhost = ""
        self.client_properties: Table = EMPTY
        self.capabilities: frozenset[str] = frozenset()
        self.frame_bytes_max = settings.pre_login_frame_bytes_max
        self.channel_max = 0
        self.heartbeat_seconds = 0

    @property
    def open(self) -> bool:
        """open-ok has been given out."""
        return self.state == OPEN

    @property
    def tuned(self) -> bool:
        """The limits of frames and channels have been agreed."""
        return self.state >= AWAIT_OPEN

    @property
    def refused(self) -> bool:
        """The login has failed: what the peer says now is dropped until the deadline."""
        return self.state == REFUSED

    def header(self, data: bytes) -> bytes | None:
        """Judge the protocol header: None if it is ours, else the header to answer before closing.

        The answer is always 0-9-1, the one protocol that is spoken here (AMQP 0-9-1 section 2.2.4).
        """
        return None if data in (PROTOCOL_HEADER, OLD_PROTOCOL_HEADER) else PROTOCOL_HEADER

    def greeting(self) -> list[Method]:
        """connection.start."""
        return [
            Connection.Start(
                version_major=0,
                version_minor=9,
                server_properties=self._server_properties(),
                mechanisms=" ".join(self.access.mechanisms),
                locales="en_US",
            )
        ]

    def _server_properties(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "capabilities": dict.fromkeys(CAPABILITIES, True),
            "cluster_name": settings.cluster_name,
            "copyright": "Copyright the mambaamqp authors",
            "information": settings.information,
            "platform": "Python",
            "product": settings.product,
            "version": settings.version,
        }

    def receive(self, method: Method, now: float) -> list[Method]:
        """Take the client's next method; returns what to answer."""
        handler = TRANSITIONS.get((self.state, method.index))
        if handler is None:
            raise unexpected_method(self.state)
        return handler(self, method, now)

    def tick(self, now: float) -> list[Method]:
        """The deadline has come: refuse a failed login now, or give the peer up."""
        if now < self.deadline:
            return []
        if self.state == REFUSED and self.may_close:
            raise LoginRefused(
                f"Login was refused using authentication mechanism {self.mechanism}. "
                "For details see the broker logfile."
            )
        self.closing = True
        return []

    @property
    def may_close(self) -> bool:
        """Whether a fault before open-ok may be told: a refused login only to those who ask for it."""
        return self.state != REFUSED or "authentication_failure_close" in self.capabilities

    # Login

    def start_ok(self, method: Method, now: float) -> list[Method]:
        """connection.start-ok: who the client claims to be."""
        self.client_properties = method.client_properties
        capabilities = self.client_properties.get("capabilities")
        if isinstance(capabilities, dict):
            self.capabilities = frozenset(name for name, value in capabilities.items() if value is True)
        self.mechanism = method.mechanism
        if method.mechanism not in self.access.mechanisms:
            raise CommandInvalid(f"unknown authentication mechanism '{method.mechanism}'")
        response = method.response if isinstance(method.response, bytes) else str(method.response).encode()
        self.login = Login(PARSERS[method.mechanism](response))
        self.state = VERIFYING
        return []

    def login_verified(self, user: User | None, now: float) -> list[Method]:
        """The outcome of a login: go on to tuning, or refuse after a while, so that guessing is slow."""
        login, self.login = self.login, None
        if self.state != VERIFYING:
            return []
        if user is None:
            name = "" if login is None else login.credentials.name
            log.warning("%s: login refused: user %r, mechanism %s", self.peer.name, name, self.mechanism)
            self.state = REFUSED
            self.deadline = now + self.settings.login_failure_delay_seconds
            return []
        self.user = user
        self.state = AWAIT_TUNE_OK
        settings = self.settings
        return [
            Connection.Tune(
                channel_max=settings.channel_max,
                frame_max=settings.frame_bytes_max,
                heartbeat=settings.heartbeat_seconds,
            )
        ]

    def update_secret(self, method: Method) -> list[Method]:
        """connection.update-secret: passwords do not expire here, so there is nothing to renew."""
        return [Connection.UpdateSecretOk()]

    # Tuning and opening

    def tune_ok(self, method: Method, now: float) -> list[Method]:
        """connection.tune-ok: what the client settles for, within what was offered."""
        _check_limit("frame_max", method.frame_max, self.settings.frame_bytes_max)
        least = self.settings.frame_bytes_min
        if method.frame_max and method.frame_max < least:
            raise NotAllowed(
                f"negotiated frame_max = {method.frame_max} is lower than the minimum allowed value ({least})"
            )
        _check_limit("channel_max", method.channel_max, self.settings.channel_max)
        self.frame_bytes_max = method.frame_max
        self.channel_max = method.channel_max
        self.heartbeat_seconds = method.heartbeat
        self.state = AWAIT_OPEN
        return []

    def open_vhost(self, method: Method, now: float) -> list[Method]:
        """connection.open: the virtual host, if the user may work there (530 otherwise)."""
        assert self.user is not None
        self.vhost = method.virtual_host
        self.actor = self.access.actor(self.user, self.vhost)
        self.state = OPEN
        self.deadline = NEVER
        return [Connection.OpenOk()]


def is_partial_header(data: bytes) -> bool:
    """Whether `data` may still become a protocol header that is taken: wait for more of it."""
    return len(data) < PROTOCOL_HEADER_BYTES and (
        PROTOCOL_HEADER.startswith(data) or OLD_PROTOCOL_HEADER.startswith(data)
    )


def unexpected_method(state: int) -> ChannelError:
    """RabbitMQ's refusal of a method on channel 0 that has no row in the table."""
    return ChannelError(f"unexpected method in connection state {STATE_NAMES[state]}")


def _check_limit(what: str, negotiated: int, offered: int) -> None:
    """0 means no limit, which a server that has one refuses."""
    if offered and (negotiated == 0 or negotiated > offered):
        raise NotAllowed(
            f"negotiated {what} = {negotiated} is higher than the maximum allowed value ({offered})"
        )


def _amqplain(response: bytes) -> Credentials:
    """The response of AMQPLAIN: the content of a field table, without its length."""
    try:
        values = Table(response).values
    except SyntaxFault:
        raise SyntaxFault("AMQPLAIN response is no field table") from None
    return parse_amqplain(values)


PARSERS: Final[dict[str, Callable[[bytes], Credentials]]] = {PLAIN: parse_plain, AMQPLAIN: _amqplain}

Handler = Callable[[Handshake, Any, float], list[Any]]

TRANSITIONS: Final[dict[tuple[int, int], Handler]] = {
    (AWAIT_START_OK, Connection.StartOk.index): Handshake.start_ok,
    (AWAIT_TUNE_OK, Connection.TuneOk.index): Handshake.tune_ok,
    (AWAIT_OPEN, Connection.Open.index): Handshake.open_vhost,
}
