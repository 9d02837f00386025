"""Who may come into which virtual host and do what there: permissions, actors, and `Access` over them all.

`authorize` is called by the operation itself, never by the protocol handler in front of it, so that no
second way in can forget it. Refuses to know what the rights are for (the caller names right, kind and
name), and how credentials arrived. A pattern is searched, unanchored, in the name; the empty pattern
matches only the empty name (and so nothing that has one); the default exchange's name is "amq.default"
here. Source: RabbitMQ "Access Control".
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Literal

import attrs

from mambaamqp.access.mechanisms import Credentials
from mambaamqp.access.passwords import VerifiedCache, check_hash, hash_password, verify
from mambaamqp.access.patterns import compile_pattern
from mambaamqp.access.users import ADMINISTRATOR, User, Users
from mambaamqp.config import Config, PermissionConfig, UserConfig
from mambaamqp.errors import AccessRefused, ConfigError, NotAllowed

DECISIONS_MAX: Final = 1024
"""Decisions an actor remembers. Names come from clients, so what they cost is bounded."""
DEFAULT_EXCHANGE_NAME: Final = "amq.default"

Kind = Literal["queue", "exchange"]


class Right(StrEnum):
    """The three rights, named as in the texts that clients see."""

    CONFIGURE = "configure"
    WRITE = "write"
    READ = "read"


@attrs.frozen(eq=False)
class Permission:
    """The patterns of one user in one virtual host; see `compile_pattern` for what they may be."""

    configure: str = ""
    write: str = ""
    read: str = ""
    _patterns: dict[str, re.Pattern[str]] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        patterns = {right.value: compile_pattern(getattr(self, right.value)) for right in Right}
        object.__setattr__(self, "_patterns", patterns)

    def allows(self, right: str, name: str) -> bool:
        """Whether the pattern of `right` is found in `name`; what `re` itself fails on is refused."""
        try:
            return self._patterns[right].search(name) is not None
        except (re.error, RecursionError, SystemError, MemoryError):
            return False


@attrs.frozen(eq=False)
class TopicPermission:
    """The patterns of one user for routing keys at one topic exchange.

    `{username}` and `{vhost}` in a pattern stand for the user's own, as text and never as a pattern.
    """

    write: str = ""
    read: str = ""

    def bound(self, user_name: str, vhost: str) -> Permission:
        """As a permission over routing keys; ConfigError for what cannot be a pattern."""
        patterns = [
            pattern.replace("{username}", re.escape(user_name)).replace("{vhost}", re.escape(vhost))
            for pattern in (self.write, self.read)
        ]
        return Permission(write=patterns[0], read=patterns[1])


class Actor:
    """A user at work in one virtual host: every operation names one, and asks it.

    Decisions are remembered until a permission, user or virtual host changes anywhere (`Access.generation`);
    a right taken away is refused from the next operation on.
    """

    __slots__ = ("_access", "_decisions", "_generation", "_permission", "_topics", "user", "vhost")

    def __init__(self, user: User, vhost: str, permission: Permission | None, access: "Access") -> None:
        self.user = user
        self.vhost = vhost
        self._permission = permission
        self._topics = access.topic_permissions(user.name, vhost)
        self._access = access
        self._generation = access.generation
        self._decisions: dict[tuple[str, str], bool] = {}

    def allowed(self, right: str, kind: Kind, name: str) -> bool:
        """Whether the user has `right` on the queue or exchange `name`."""
        if self._generation != self._access.generation:
            self._reread()
        name = checked_name(kind, name)
        decision = self._decisions.get((right, name))
        return self._decide(right, name) if decision is None else decision

    def topic_allowed(self, right: str, exchange: str, routing_key: str) -> bool:
        """Whether the user has `right` on a routing key at a topic exchange; without a rule, yes."""
        if self._generation != self._access.generation:
            self._reread()
        permission = self._topics.get(exchange)
        return permission is None or permission.allows(right, routing_key)

    def _decide(self, right: str, name: str) -> bool:
        decision = self._permission is not None and self._permission.allows(right, name)
        if len(self._decisions) >= DECISIONS_MAX:
            del self._decisions[next(iter(self._decisions))]
        self._decisions[(str(right), name)] = decision
        return decision

    def _reread(self) -> None:
        self._generation = self._access.generation
        self.user = self._access.users.get(self.user.name) or self.user
        self._permission = self._access.permission(self.user.name, self.vhost)
        self._topics = self._access.topic_permissions(self.user.name, self.vhost)
        self._decisions.clear()


def authorize(actor: Actor, right: str, kind: Kind, name: str) -> None:
    """Return if `actor` has `right` on the queue or exchange `name`; else AccessRefused (403)."""
    if not actor.allowed(right, kind, name):
        raise AccessRefused(
            f"{right} access to {kind} '{checked_name(kind, name)}' in vhost '{actor.vhost}'"
            f" refused for user '{actor.user.name}'"
        )


def authorize_any(actor: Actor, kind: Kind, name: str) -> None:
    """Return if `actor` has any one of the three rights (passive declare); else AccessRefused."""
    if not (actor.allowed(Right.READ, kind, name) or actor.allowed(Right.WRITE, kind, name)):
        authorize(actor, Right.CONFIGURE, kind, name)


def authorize_topic(actor: Actor, right: str, exchange: str, routing_key: str) -> None:
    """Return if `actor` has `right` on a routing key at the topic exchange; else AccessRefused (403)."""
    if not actor.topic_allowed(right, exchange, routing_key):
        raise AccessRefused(
            f"{right} access to topic '{routing_key}' in exchange '{exchange}' in vhost '{actor.vhost}'"
            f" refused for user '{actor.user.name}'"
        )


def authorize_tag(actor: Actor, tag: str) -> None:
    """Return if `actor` has this tag, or is an administrator; else AccessRefused (403)."""
    if tag not in actor.user.tags and ADMINISTRATOR not in actor.user.tags:
        raise AccessRefused(f"user '{actor.user.name}' needs the tag {tag} in vhost '{actor.vhost}'")


def checked_name(kind: Kind, name: str) -> str:
    """The name that patterns see and texts show: the default exchange has one here."""
    return DEFAULT_EXCHANGE_NAME if not name and kind == "exchange" else name


NO_TOPICS: Final[dict[str, Permission]] = {}


class Access:
    """The gatekeeper of one broker: users, virtual hosts, permissions, and the two questions at the door.

    Who are you (`authenticate`, slow, any thread; `authenticate_cached`, quick, main thread) and may you
    come into this virtual host (`actor`). Every change bumps `generation`, by which actors at work notice
    that rights have moved. The caller says whether the peer's own address is a loopback one.
    """

    def __init__(self, *, loopback_users: Iterable[str] = (), mechanisms: Iterable[str] = ("PLAIN",)) -> None:
        self.users: Final = Users()
        self.loopback_users: Final = frozenset(loopback_users)
        self.mechanisms: Final = tuple(mechanisms)
        self.generation = 0
        self._vhosts: set[str] = set()
        self._permissions: dict[tuple[str, str], Permission] = {}
        self._topic_permissions: dict[tuple[str, str], dict[str, Permission]] = {}
        self.configured: frozenset[str] = frozenset()
        """Users of the configuration, of which nothing else may say otherwise."""
        self.configured_vhosts: frozenset[str] = frozenset()
        """Virtual hosts of the configuration, which are there at every start."""
        self._stand_in = ""
        """The user that is there because there is no other."""
        self._verified = VerifiedCache()

    @classmethod
    def from_config(cls, config: Config) -> "Access":
        """The access rules of a configuration; ConfigError names the entry that cannot be used.

        A plain password is hashed here, about 30 ms each; large installations give hashes.
        """
        access = cls(loopback_users=config.access.loopback_users, mechanisms=config.access.mechanisms)
        for vhost in config.vhosts:
            access.add_vhost(vhost.name)
        access.configured_vhosts = frozenset(access.vhosts)
        for row in config.permissions:
            access.set_permission(row.user, row.vhost, _permission(row))
        for user in config.users:
            access.put_user(User(user.name, _password_hash(user), frozenset(user.tags)))
        if config.users == Config().users:
            access._stand_in = config.users[0].name
        else:
            access.configured = frozenset(user.name for user in config.users)
        return access

    @staticmethod
    def check_config(config: Config) -> None:
        """ConfigError where `from_config` would raise one, without the cost of hashing plain passwords."""
        for row in config.permissions:
            _permission(row)
        for user in config.users:
            if user.password_hash is not None:
                _password_hash(user)

    # The door.

    def authenticate(self, credentials: Credentials, peer_is_loopback: bool) -> User | None:
        """The user, or None for a refused login; why it was refused is nobody's business.

        About 30 ms of CPU in every case, safe in any thread: run it in a worker.
        """
        user = self.users.get(credentials.name)
        right = verify(credentials.password, user.password_hash if user is not None else None)
        if user is None or not right or not self._may_come_from(user.name, peer_is_loopback):
            return None
        self._verified.add(user.name, credentials.password, user)
        return user

    def authenticate_cached(
        self, credentials: Credentials, peer_is_loopback: bool, now: float
    ) -> User | None:
        """The user if these credentials were right in the last five minutes; None: ask `authenticate`.

        Microseconds, main thread only; `now` in monotonic seconds.
        """
        user = self._verified.find(credentials.name, credentials.password, now)
        if user is None or self.users.get(user.name) is not user:
            return None
        return user if self._may_come_from(user.name, peer_is_loopback) else None

    def actor(self, user: User, vhost: str) -> Actor:
        """`user` at work in `vhost`; NotAllowed (530) if there is no such virtual host or no permission."""
        if vhost not in self._vhosts:
            raise NotAllowed(f"vhost {vhost} not found")
        permission = self.permission(user.name, vhost)
        if permission is None:
            raise NotAllowed(f"access to vhost '{vhost}' refused for user '{user.name}'")
        return Actor(user, vhost, permission, self)

    def _may_come_from(self, name: str, peer_is_loopback: bool) -> bool:
        return peer_is_loopback or name not in self.loopback_users

    # The rules. Every change is one generation.

    @property
    def vhosts(self) -> tuple[str, ...]:
        """Names of the virtual hosts, sorted."""
        return tuple(sorted(self._vhosts))

    def permission(self, user_name: str, vhost: str) -> Permission | None:
        """What the user may do in the virtual host; None: may not open it."""
        return self._permissions.get((user_name, vhost)) if user_name in self.users else None

    def topic_permissions(self, user_name: str, vhost: str) -> dict[str, Permission]:
        """Exchange → what the user may do with routing keys there; an exchange without is open."""
        return self._topic_permissions.get((user_name, vhost), NO_TOPICS)

    def set_topic_permissions(
        self, user_name: str, vhost: str, permissions: dict[str, TopicPermission]
    ) -> None:
        """Give, or replace, all rules about routing keys of a user in a virtual host; empty: none."""
        bound = {name: rule.bound(user_name, vhost) for name, rule in permissions.items()}
        self._topic_permissions[user_name, vhost] = bound
        self._changed()

    @property
    def stand_in(self) -> str:
        """The name of the user that is there because nobody asked for another one; "" without one."""
        return self._stand_in

    def is_configured(self, user_name: str, vhost: str) -> bool:
        """Whether the configuration says what the user may do in the virtual host."""
        return user_name in self.configured and vhost in self.configured_vhosts

    def retire_stand_in(self) -> None:
        """Somebody else may log in now: the user that nobody asked for goes, with its permissions."""
        name, self._stand_in = self._stand_in, ""
        if name:
            self.remove_user(name)

    def put_user(self, user: User) -> None:
        """Add a user, or replace the one of that name; remembered logins are forgotten."""
        self.users.put(user)
        self._changed()

    def remove_user(self, name: str) -> bool:
        """Forget a user and its permissions; False if there was none."""
        found = self.users.remove(name)
        self._drop_permissions(index=0, name=name)
        self._changed()
        return found

    def add_vhost(self, name: str) -> None:
        """Add a virtual host; nobody may open it before `set_permission`."""
        self._vhosts.add(name)
        self._changed()

    def remove_vhost(self, name: str) -> bool:
        """Forget a virtual host and the permissions in it; False if there was none."""
        found = name in self._vhosts
        self._vhosts.discard(name)
        self._drop_permissions(index=1, name=name)
        self._changed()
        return found

    def set_permission(self, user_name: str, vhost: str, permission: Permission) -> None:
        """Give, or replace, what a user may do in a virtual host."""
        self._permissions[user_name, vhost] = permission
        self._changed()

    def clear_permission(self, user_name: str, vhost: str) -> bool:
        """Take everything; False if there was nothing."""
        found = self._permissions.pop((user_name, vhost), None) is not None
        self._changed()
        return found

    def _drop_permissions(self, *, index: int, name: str) -> None:
        for row in [row for row in self._permissions if row[index] == name]:
            del self._permissions[row]
        for row in [row for row in self._topic_permissions if row[index] == name]:
            del self._topic_permissions[row]

    def _changed(self) -> None:
        self.generation += 1
        self._verified.clear()


def _permission(row: PermissionConfig) -> Permission:
    try:
        return Permission(configure=row.configure, write=row.write, read=row.read)
    except ConfigError as error:
        raise ConfigError(f"[[permissions]] user {row.user!r}, vhost {row.vhost!r}: {error}") from None


def _password_hash(user: UserConfig) -> str:
    if user.password is not None:
        return hash_password(user.password)
    assert user.password_hash is not None  # UserConfig has exactly one of the two
    try:
        return check_hash(user.password_hash.reveal().decode(errors="replace"))
    except ConfigError as error:
        raise ConfigError(f"[[users]] {user.name!r} password_hash: {error}") from None
