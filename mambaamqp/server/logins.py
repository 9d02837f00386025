"""Verify credentials without stopping the event loop.

A password hash takes tens of milliseconds on purpose. What was verified a moment ago is answered from
Access's cache at once; everything else is hashed in at most LOGIN_THREADS threads, in order of arrival. The
queue is bounded by the number of connections that may be open before they have logged in.
"""

import ipaddress
import logging
from typing import TYPE_CHECKING, Any, Protocol

import trio

if TYPE_CHECKING:
    from mambaamqp.server.connection import Connection
    from mambaamqp.server.node import Node

LOGIN_THREADS = 2

log = logging.getLogger(__name__)


class AccessPort(Protocol):
    """The part of Access that the shell calls; authenticate() is thread-safe and slow."""

    def authenticate(self, credentials: Any, peer_is_loopback: bool) -> Any: ...

    def authenticate_cached(self, credentials: Any, peer_is_loopback: bool, now: float) -> Any: ...


class Logins:
    """Verifies what sessions put into `login`, and tells them."""

    def __init__(self, access: AccessPort, node: "Node") -> None:
        self._access = access
        self._node = node
        self._threads = trio.CapacityLimiter(LOGIN_THREADS)

    def verify(self, connection: "Connection", now: float) -> None:
        """Answer from the cache, or start a verification; once for each login of the session."""
        login = connection.session.login
        if login is None or login is connection.login_pending:
            return
        user = self._access.authenticate_cached(login.credentials, is_loopback(connection.peer.host), now)
        if user is not None:
            self._answer(connection, user, now)
        else:
            connection.login_pending = login
            self._node.spawn(self._verify, connection, login)

    async def _verify(self, connection: "Connection", login: Any) -> None:
        try:
            user = await self._authenticate(login, is_loopback(connection.peer.host))
        except Exception:
            log.exception("connection %s: the login could not be verified", connection.name)
            user = None
        connection.login_pending = None
        if connection.gone or connection.session.login is not login:
            return
        now = self._node.now()
        self._answer(connection, user, now)
        connection.wake()
        self._node.finish(now)

    async def _authenticate(self, login: Any, peer_is_loopback: bool) -> Any:
        async with self._threads:
            # Somebody with the same credentials may have been verified while this one waited: a thousand
            # clients that come back at once cost one hash.
            user = self._access.authenticate_cached(login.credentials, peer_is_loopback, self._node.now())
            if user is not None:
                return user
            return await trio.to_thread.run_sync(
                self._access.authenticate, login.credentials, peer_is_loopback
            )

    def _answer(self, connection: "Connection", user: Any, now: float) -> None:
        connection.session.login_verified(user, now)
        self._node.login_answered(connection)


def is_loopback(host: str) -> bool:
    """Whether the numeric address is 127.0.0.0/8, ::1, or 127.0.0.0/8 mapped into IPv6."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
