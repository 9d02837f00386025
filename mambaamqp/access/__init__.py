"""Who may come in, and what they may do: users, passwords, SASL mechanisms, permissions.

Knows names and rights. Refuses to know sockets, frames, and what an exchange or queue is beyond its name.
"""

from mambaamqp.access.mechanisms import Credentials
from mambaamqp.access.permissions import Access, Actor, Kind, Permission, Right, authorize, authorize_any
from mambaamqp.access.users import User, Users

__all__ = [
    "Access",
    "Actor",
    "Credentials",
    "Kind",
    "Permission",
    "Right",
    "User",
    "Users",
    "authorize",
    "authorize_any",
]
