"""mambaamqp.access.permissions: who may come in, what they may do, and how soon a change counts."""

import base64
import hashlib
import re

import pytest

from mambaamqp.access.mechanisms import Credentials
from mambaamqp.access.passwords import hash_password
from mambaamqp.access.permissions import (
    DECISIONS_MAX,
    Access,
    Actor,
    Kind,
    Permission,
    Right,
    authorize,
    authorize_any,
)
from mambaamqp.access.users import User
from mambaamqp.config import AccessConfig, Config, PermissionConfig, Secret, UserConfig, VhostConfig
from mambaamqp.errors import AccessRefused, ConfigError, NotAllowed

SHA256 = base64.b64encode(b"salt" + hashlib.sha256(b"saltpw").digest()).decode()
"""RabbitMQ's hash of "pw": quick to make."""


def access_with(permission: Permission | None = None, *, tags: frozenset[str] = frozenset()) -> Access:
    """User kim, virtual host "/", and that permission."""
    access = Access(loopback_users=["guest"])
    access.add_vhost("/")
    access.put_user(User("kim", SHA256, tags))
    if permission is not None:
        access.set_permission("kim", "/", permission)
    return access


def actor_with(permission: Permission) -> Actor:
    access = access_with(permission)
    user = access.users.get("kim")
    assert user is not None
    return access.actor(user, "/")


# Patterns.


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (".*", "anything", True),
        ("", "anything", False),
        ("", "", True),
        ("^$", "", True),
        ("^orders", "orders.new", True),
        ("^orders", "my-orders", False),
        ("orders", "my-orders", True),
        ("^orders$", "orders.new", False),
        ("^amq\\.default$", "amq.default", True),
        ("^(?!amq\\.)", "amq.topic", False),
    ],
)
def test_patterns_are_searched_not_matched(pattern: str, name: str, expected: bool) -> None:
    """RabbitMQ's rule: found anywhere unless anchored; the empty pattern stands for "^$"."""
    assert Permission(write=pattern).allows(Right.WRITE, name) is expected


def test_the_three_rights_do_not_imply_each_other() -> None:
    """Each right has its own pattern."""
    permission = Permission(configure="^c$", write="^w$", read="^r$")

    granted = {(right, name) for right in Right for name in "cwr" if permission.allows(right, name)}

    assert granted == {("configure", "c"), ("write", "w"), ("read", "r")}


def test_a_pattern_that_fails_at_run_time_refuses() -> None:
    """When `re` itself breaks down on a name, the answer is no."""

    class Broken:
        def search(self, _name: str) -> re.Match[str]:
            raise SystemError("bug in re")

    permission = Permission(read=".*")
    permission._patterns["read"] = Broken()  # type: ignore[assignment]

    assert permission.allows("read", "q") is False


def test_a_bad_pattern_is_refused_when_made() -> None:
    """Nothing that cannot be searched gets as far as a decision."""
    with pytest.raises(ConfigError):
        Permission(read="(")


# Actors.


@pytest.mark.parametrize(
    ("right", "kind", "name", "text"),
    [
        ("configure", "queue", "q", "configure access to queue 'q' in vhost '/' refused for user 'kim'"),
        ("write", "exchange", "x", "write access to exchange 'x' in vhost '/' refused for user 'kim'"),
        ("read", "exchange", "", "read access to exchange 'amq.default' in vhost '/' refused for user 'kim'"),
        ("read", "queue", "", "read access to queue '' in vhost '/' refused for user 'kim'"),
    ],
)
def test_refusals_speak_as_rabbitmq_does(right: str, kind: Kind, name: str, text: str) -> None:
    """403 with the words that clients' tests look for."""
    with pytest.raises(AccessRefused) as caught:
        authorize(actor_with(Permission("^no$", "^no$", "^no$")), right, kind, name)

    assert str(caught.value) == text
    assert caught.value.code == 403


def test_the_default_exchange_has_a_name_for_patterns() -> None:
    """Publishing to "" is asked as amq.default."""
    authorize(actor_with(Permission(write=r"^amq\.default$")), "write", "exchange", "")


@pytest.mark.parametrize("right", list(Right))
def test_passive_declare_needs_any_one_right(right: Right) -> None:
    """CVE-2026-57221: looking needs a right, but any of the three will do."""
    authorize_any(actor_with(Permission(**{right.value: "^q$"})), "queue", "q")

    with pytest.raises(AccessRefused, match="configure access to queue 'other'"):
        authorize_any(actor_with(Permission(**{right.value: "^q$"})), "queue", "other")


def test_decisions_are_remembered_up_to_a_bound() -> None:
    """A client that invents names does not make the broker grow."""
    actor = actor_with(Permission(read=".*"))
    for number in range(DECISIONS_MAX * 2):
        authorize(actor, "read", "queue", f"q{number}")

    assert len(actor._decisions) == DECISIONS_MAX


def test_a_right_taken_away_is_refused_at_once() -> None:
    """CVE-2026-67242, 57218, 67420: no decision outlives a change."""
    access = access_with(Permission(read=".*"))
    user = access.users.get("kim")
    assert user is not None
    actor = access.actor(user, "/")
    authorize(actor, "read", "queue", "q")

    access.set_permission("kim", "/", Permission(read="^other$"))
    assert not actor.allowed("read", "queue", "q")
    access.set_permission("kim", "/", Permission(read="^q$"))
    assert actor.allowed("read", "queue", "q")
    access.clear_permission("kim", "/")
    assert not actor.allowed("read", "queue", "q")


@pytest.mark.parametrize("change", ["remove_user", "remove_vhost"])
def test_without_user_or_virtual_host_nothing_is_allowed(change: str) -> None:
    """An actor at work when its user or virtual host goes is refused everything, even if both come back."""
    access = access_with(Permission(read=".*"))
    user = access.users.get("kim")
    assert user is not None
    actor = access.actor(user, "/")

    getattr(access, change)({"remove_user": "kim", "remove_vhost": "/"}[change])
    assert not actor.allowed("read", "queue", "q")
    access.put_user(user)
    access.add_vhost("/")
    assert not actor.allowed("read", "queue", "q")


def test_changed_tags_reach_an_actor_at_work() -> None:
    """A tag taken away does not last as long as the connection."""
    access = access_with(Permission(read=".*"), tags=frozenset({"impersonator"}))
    user = access.users.get("kim")
    assert user is not None
    actor = access.actor(user, "/")

    access.put_user(User("kim", SHA256))
    actor.allowed("read", "queue", "q")

    assert not actor.user.may_impersonate


# The door.


def test_opening_a_virtual_host_that_is_not_there() -> None:
    """530 in RabbitMQ's words."""
    access = access_with(Permission())
    with pytest.raises(NotAllowed, match=r"^vhost nope not found$"):
        access.actor(User("kim", SHA256), "nope")


def test_opening_a_virtual_host_without_a_permission() -> None:
    """A row is needed even to come in; an empty one is enough for that."""
    access = access_with()
    with pytest.raises(NotAllowed, match=r"^access to vhost '/' refused for user 'kim'$"):
        access.actor(User("kim", SHA256), "/")

    access.set_permission("kim", "/", Permission())
    assert access.actor(User("kim", SHA256), "/").vhost == "/"


def test_a_right_password_logs_in() -> None:
    """The user comes back for the right password only."""
    access = access_with()

    assert access.authenticate(Credentials("kim", Secret("pw")), False) is access.users.get("kim")
    assert access.authenticate(Credentials("kim", Secret("no")), False) is None
    assert access.authenticate(Credentials("nobody", Secret("pw")), False) is None


def test_loopback_users_come_from_this_machine_only() -> None:
    """CVE-2026-57216: by the peer's address, in the slow way and in the quick one."""
    access = Access(loopback_users=["guest"])
    access.put_user(User("guest", SHA256))
    guest = Credentials("guest", Secret("pw"))

    assert access.authenticate(guest, False) is None
    assert access.authenticate_cached(guest, False, 0.0) is None
    assert access.authenticate(guest, True) is not None
    assert access.authenticate_cached(guest, True, 0.0) is not None
    assert access.authenticate_cached(guest, False, 0.0) is None


def test_the_quick_way_knows_what_the_slow_way_verified() -> None:
    """A reconnecting client is not hashed again for five minutes."""
    access = access_with()
    credentials = Credentials("kim", Secret("pw"))

    assert access.authenticate_cached(credentials, False, 0.0) is None
    user = access.authenticate(credentials, False)
    assert access.authenticate_cached(credentials, False, 1.0) is user
    assert access.authenticate_cached(Credentials("kim", Secret("no")), False, 1.0) is None
    assert access.authenticate_cached(credentials, False, 400.0) is None


def test_refused_logins_are_not_remembered() -> None:
    """A wrong password stays wrong in the quick way."""
    access = access_with()
    access.authenticate(Credentials("kim", Secret("no")), False)

    assert access.authenticate_cached(Credentials("kim", Secret("no")), False, 0.0) is None


def test_a_changed_password_counts_at_once() -> None:
    """The old password is worth nothing after the change, even one verified during it."""
    access = access_with()
    credentials = Credentials("kim", Secret("pw"))
    user = access.authenticate(credentials, False)
    assert access.authenticate_cached(credentials, False, 0.0) is user

    access.put_user(User("kim", hash_password(Secret("new"))))
    assert user is not None
    access._verified.add("kim", Secret("pw"), user)  # a thread that was still at it

    assert access.authenticate_cached(credentials, False, 0.0) is None
    assert access.authenticate(credentials, False) is None


def test_every_change_is_a_generation() -> None:
    """Whoever compares generations cannot miss a change."""
    access = Access()
    changes = [
        lambda: access.add_vhost("v"),
        lambda: access.put_user(User("kim", SHA256)),
        lambda: access.set_permission("kim", "v", Permission()),
        lambda: access.clear_permission("kim", "v"),
        lambda: access.remove_user("kim"),
        lambda: access.remove_vhost("v"),
    ]
    seen = [access.generation]
    for change in changes:
        change()
        seen.append(access.generation)

    assert len(set(seen)) == len(seen)


# From the configuration.


def test_the_default_configuration_lets_guest_in_from_here() -> None:
    """guest/guest, virtual host "/", everything allowed, loopback only."""
    access = Access.from_config(Config())
    guest = access.authenticate(Credentials("guest", Secret("guest")), True)

    assert guest is not None
    assert guest.tags == {"administrator"}
    authorize(access.actor(guest, "/"), "configure", "queue", "q")
    assert access.authenticate(Credentials("guest", Secret("guest")), False) is None
    assert access.vhosts == ("/",)
    assert access.mechanisms == ("PLAIN", "AMQPLAIN")


def test_a_configuration_of_ones_own() -> None:
    """Users with RabbitMQ's hashes, several virtual hosts, rows of permissions."""
    config = Config(
        access=AccessConfig(loopback_users=[], mechanisms=["PLAIN"]),
        users=[UserConfig("kim", password_hash=Secret(SHA256), tags=["monitoring"])],
        vhosts=[VhostConfig("a"), VhostConfig("b")],
        permissions=[PermissionConfig("kim", vhost="a", read="^in")],
    )
    access = Access.from_config(config)
    kim = access.authenticate(Credentials("kim", Secret("pw")), False)

    assert kim is not None
    assert access.actor(kim, "a").allowed("read", "queue", "inbox")
    assert not access.actor(kim, "a").allowed("write", "queue", "inbox")
    with pytest.raises(NotAllowed):
        access.actor(kim, "b")
    assert access.mechanisms == ("PLAIN",)


@pytest.mark.parametrize("build", [Access.from_config, Access.check_config])
def test_mistakes_name_the_entry(build: object) -> None:
    """Both ways of reading a configuration refuse the same, and no hash is printed."""
    assert callable(build)
    with pytest.raises(ConfigError, match=r"^\[\[permissions\]\] user 'guest', vhost '/': '\(' is not a reg"):
        build(Config(permissions=[PermissionConfig("guest", read="(")]))
    with pytest.raises(ConfigError, match=r"^\[\[users\]\] 'kim' password_hash: must be") as caught:
        build(Config(users=[UserConfig("kim", password_hash=Secret("hunter2"))]))
    assert "hunter2" not in str(caught.value)
