"""How many may come in: limits of virtual hosts and users, and what there is against them.

RabbitMQ's runtime limits, in its words. A negative number is no limit; 0 lets nobody in. Refuses to know
rights (`access`) and what a connection is.
"""

from typing import TYPE_CHECKING, Any, Final

from mambaamqp.access.permissions import Actor
from mambaamqp.errors import NotAllowed, PreconditionFailed

if TYPE_CHECKING:
    from mambaamqp.broker.vhost import VirtualHost

MAX_CONNECTIONS: Final = "max-connections"
MAX_CHANNELS: Final = "max-channels"
MAX_QUEUES: Final = "max-queues"
VHOST_LIMITS: Final = (MAX_CONNECTIONS, MAX_QUEUES)
USER_LIMITS: Final = (MAX_CHANNELS, MAX_CONNECTIONS)


NO_LIMITS: Final[dict[str, int]] = {}


class Admission:
    """The connections and channels that are open, by virtual host and by user."""

    def __init__(self) -> None:
        self.connections_of_vhosts: dict[str, int] = {}
        self.connections_of_users: dict[str, int] = {}
        self.channels_of_users: dict[str, int] = {}
        self.user_limits: dict[str, dict[str, int]] = {}

    def enter(self, actor: Actor, vhost: "VirtualHost") -> None:
        """One more connection; 530 beyond a limit of the virtual host or the user."""
        name = actor.user.name
        limit = self._user_limit(name, MAX_CONNECTIONS)
        if _reached(vhost.connections_max, self.connections_of_vhosts.get(vhost.name, 0)):
            raise NotAllowed(
                f"access to vhost '{vhost.name}' refused for user '{name}': "
                f"connection limit ({vhost.connections_max}) is reached"
            )
        if _reached(limit, self.connections_of_users.get(name, 0)):
            raise NotAllowed(
                f"connection refused for user '{name}': user connection limit ({limit}) is reached"
            )
        _count(self.connections_of_vhosts, vhost.name, 1)
        _count(self.connections_of_users, name, 1)

    def leave(self, actor: Actor) -> None:
        """A connection that had entered is over."""
        _count(self.connections_of_vhosts, actor.vhost, -1)
        _count(self.connections_of_users, actor.user.name, -1)

    def open_channel(self, actor: Actor) -> None:
        """One more channel; 530 beyond the user's limit."""
        name = actor.user.name
        limit = self._user_limit(name, MAX_CHANNELS)
        if _reached(limit, self.channels_of_users.get(name, 0)):
            raise NotAllowed(
                f"number of channels opened for user '{name}' has reached the maximum allowed "
                f"user limit of ({limit})"
            )
        _count(self.channels_of_users, name, 1)

    def close_channel(self, actor: Actor) -> None:
        """A channel that was let in is over."""
        _count(self.channels_of_users, actor.user.name, -1)

    def _user_limit(self, name: str, kind: str) -> int | None:
        return limit_of(self.user_limits.get(name, NO_LIMITS), kind)


def parse_limits(value: Any, known: tuple[str, ...], noun: str) -> dict[str, int]:
    """Name → number as they are written down; 406 in RabbitMQ's words for anything else."""
    if not isinstance(value, dict):
        raise PreconditionFailed(f"Validation failed\n\n{noun} should be an object\n")
    strange = sorted(value.keys() - set(known))
    if strange:
        raise PreconditionFailed(
            f"Validation failed\n\nUnrecognised terms {', '.join(map(str, strange))} in {noun}\n"
        )
    for name, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise PreconditionFailed(f"Validation failed\n\n{name} should be a number\n")
    return value


def limit_of(limits: dict[str, int], name: str) -> int | None:
    """A limit, or None without one."""
    number = limits.get(name, -1)
    return None if number < 0 else number


def _reached(limit: int | None, count: int) -> bool:
    return limit is not None and count >= limit


def _count(counts: dict[str, int], name: str, change: int) -> None:
    """Who has nothing open is not remembered."""
    number = counts.get(name, 0) + change
    if number > 0:
        counts[name] = number
    else:
        counts.pop(name, None)
