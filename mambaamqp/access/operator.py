"""The operator: whoever may open the broker's control socket, which is its own account and root.

No user of the broker, and so with no password and no permissions that somebody could take away; it may do
everything everywhere. Refuses to know sockets: that only the right ones reach it is the shell's matter.
"""

from typing import Final

from mambaamqp.access.permissions import Access, Actor, Kind
from mambaamqp.access.users import ADMINISTRATOR, User

NAME: Final = "rmq-cli"
"""As events call it; RabbitMQ's command line acts under this name."""

USER: Final = User(NAME, "", frozenset({ADMINISTRATOR}))


class Operator(Actor):
    """The operator at work in one virtual host, or, with "", in none."""

    __slots__ = ()

    def __init__(self, vhost: str, access: Access) -> None:
        super().__init__(USER, vhost, None, access)

    def allowed(self, right: str, kind: Kind, name: str) -> bool:
        """Yes."""
        return True

    def topic_allowed(self, right: str, exchange: str, routing_key: str) -> bool:
        """Yes."""
        return True
