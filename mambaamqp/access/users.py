"""Users: a name, the hash of a password, tags; and the registry of them.

Refuses to know passwords themselves and permissions. A user is a value: a changed user is another object,
so that whoever kept the old one can see by identity that it no longer counts.
"""

from collections.abc import Iterator
from typing import Final

import attrs

ADMINISTRATOR: Final = "administrator"
"""The tag of who may do everything that is not a matter of permissions."""
POLICYMAKER: Final = "policymaker"
"""The tag of who may set policies."""
IMPERSONATOR: Final = "impersonator"
"""The tag that lets a publisher name somebody else in the user-id property."""


@attrs.frozen(eq=False)
class User:
    """Somebody who may log in. `password_hash` is never printed; compare users by identity."""

    name: str
    password_hash: str = attrs.field(repr=False)
    tags: frozenset[str] = frozenset()

    @property
    def may_impersonate(self) -> bool:
        """True if the user-id property of a publish is not checked (tag "impersonator")."""
        return IMPERSONATOR in self.tags


class Users:
    """Name → User. Reading it from another thread is safe: every change is one dictionary operation."""

    def __init__(self) -> None:
        self._by_name: dict[str, User] = {}

    def get(self, name: str) -> User | None:
        """The user of that name, compared byte for byte; None if there is none."""
        return self._by_name.get(name)

    def put(self, user: User) -> None:
        """Add `user`, or replace the one of the same name."""
        self._by_name[user.name] = user

    def remove(self, name: str) -> bool:
        """False if there was none."""
        return self._by_name.pop(name, None) is not None

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[User]:
        return iter(list(self._by_name.values()))

    def __len__(self) -> int:
        return len(self._by_name)
