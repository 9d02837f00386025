"""Which broker is meant: an AMQP URL taken apart."""

from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from mambaamqp.bench.flow import BenchError

PORT: Final = 5672


class Target(NamedTuple):
    """Where to connect, and as whom."""

    host: str
    port: int
    user: str
    password: str
    vhost: str

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return f"amqp://{self.user}@{self.host}:{self.port}/{self.vhost}"


def parse(url: str) -> Target:
    """The target of `amqp://user:password@host:port/vhost`; what is left out is as in RabbitMQ's clients."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORT
    except ValueError as error:
        raise BenchError(f"{url!r} is no URL: {error}") from None
    if parts.scheme == "amqps":
        raise BenchError("amqps: no load over TLS; use amqp://")
    if parts.scheme != "amqp":
        raise BenchError(f"{url!r} is no AMQP URL: it must begin with amqp://")
    if not parts.hostname:
        raise BenchError(f"{url!r} names no host")
    return Target(
        parts.hostname,
        port,
        unquote(parts.username) if parts.username is not None else "guest",
        unquote(parts.password) if parts.password is not None else "guest",
        unquote(parts.path[1:]) if len(parts.path) > 1 else "/",
    )
