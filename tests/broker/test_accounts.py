"""mambaamqp/broker/accounts.py: users, permissions and virtual hosts that the journal holds."""

from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from mambaamqp.access.mechanisms import Credentials
from mambaamqp.broker.accounts import check_vhost, parse_permission, parse_topics, parse_user
from mambaamqp.config import Config, Secret
from mambaamqp.errors import MambaError, NotAllowed, PreconditionFailed
from tests.support.client import World

HASH = b64encode(b"salt" + sha256(b"saltpw").digest()).decode()


@pytest.mark.parametrize(
    "value", [{"password_hash": "x"}, {"password_hash": 5}, {"tags": "administrator"}, {"tags": [5]}]
)
def test_what_is_no_user_is_refused(value: dict[str, Any]) -> None:
    """406; the hash itself is not told."""
    with pytest.raises(PreconditionFailed) as refusal:
        parse_user("kim", {"password_hash": HASH} | value)
    assert "kim" in str(refusal.value)
    assert HASH not in str(refusal.value)


@pytest.mark.parametrize("value", [{"write": "("}, {"read": "(a+)+b"}, {"configure": 5}])
def test_what_is_no_pattern_is_refused(value: dict[str, Any]) -> None:
    """In permissions and in topic permissions."""
    with pytest.raises(PreconditionFailed):
        parse_permission(value)
    with pytest.raises(PreconditionFailed):
        parse_topics("kim", "/", {"x": value})


@pytest.mark.parametrize("kind", ["streams", "x", 5, None])
def test_a_default_type_must_be_there(kind: Any) -> None:
    """Streams are."""
    with pytest.raises(PreconditionFailed, match="default_queue_type"):
        check_vhost("v", {"default_queue_type": kind})
    assert check_vhost("v", {"default_queue_type": "quorum"})
    assert check_vhost("v", {"default_queue_type": "stream"})


def log_in(world: World, name: str, password: str) -> bool:
    user = world.access.authenticate(Credentials(name, Secret(password)), True)
    return user is not None


def put_kim(world: World) -> None:
    put = world.broker.parameters.put
    put("vhost", "v", "", {})
    put("user", "", "kim", {"password_hash": HASH, "tags": ["monitoring"]})
    put("user-limits", "", "kim", {"max-channels": 3})
    put("permission", "v", "kim", {"configure": "", "write": ".*", "read": ""})
    put("topic_permission", "v", "kim", {"x": {"write": "^{username}", "read": ""}})
    world.commit()


def test_accounts_stand_after_a_restart() -> None:
    """Also out of a checkpoint."""
    world = World()
    put_kim(world)
    world.broker.checkpoint()
    world = world.restart()
    assert log_in(world, "kim", "pw")
    assert not log_in(world, "kim", "other")
    user = world.access.users.get("kim")
    assert user is not None
    assert user.tags == {"monitoring"}
    actor = world.access.actor(user, "v")
    assert actor.allowed("write", "queue", "q")
    assert not actor.allowed("read", "queue", "q")
    assert actor.topic_allowed("write", "x", "kim.1")
    assert not actor.topic_allowed("write", "x", "1.kim")
    assert world.broker.admission.user_limits == {"kim": {"max-channels": 3}}


def test_what_is_cleared_is_gone() -> None:
    """The user last: a permission of nobody is harmless."""
    world = World()
    put_kim(world)
    user = world.access.users.get("kim")
    assert user is not None
    for key in ("topic_permission", "v"), ("permission", "v"), ("user-limits", ""), ("user", ""):
        assert world.broker.parameters.clear(*key, "kim")
    assert world.broker.admission.user_limits == {}
    assert not log_in(world, "kim", "pw")
    with pytest.raises(NotAllowed):
        world.access.actor(user, "v")


def test_the_configuration_goes_first() -> None:
    """What it says about a user nobody else changes."""
    world = World()
    world.broker.parameters.put("user", "", "guest", {"password_hash": HASH, "tags": []})
    world.broker.parameters.put("permission", "/", "guest", {"configure": "", "write": "", "read": ""})
    user = world.access.users.get("guest")
    assert user is not None
    assert user.tags == {"administrator"}
    assert world.access.actor(user, "/").allowed("write", "queue", "q")


def test_the_user_that_nobody_asked_for_goes() -> None:
    """A broker that was given users has no guest with a password that everybody knows."""
    world = World(config=Config())
    assert log_in(world, "guest", "guest")
    put_kim(world)
    assert not log_in(world, "guest", "guest")
    assert not log_in(world.restart(), "guest", "guest")
    assert log_in(world.restart(), "kim", "pw")


def test_guest_may_be_asked_for() -> None:
    """With another password."""
    world = World(config=Config())
    world.broker.parameters.put("user", "", "guest", {"password_hash": HASH, "tags": []})
    assert log_in(world, "guest", "pw")
    assert not log_in(world, "guest", "guest")


def test_a_user_without_a_password_cannot_log_in() -> None:
    """As RabbitMQ's that are known by other means only."""
    world = World()
    world.broker.parameters.put("user", "", "kim", {"password_hash": "", "tags": []})
    assert not log_in(world, "kim", "")
    assert not log_in(world, "kim", "kim")


def test_faults_are_ours() -> None:
    """Replay reports them and goes on."""
    with pytest.raises(MambaError):
        parse_user("kim", {"password_hash": "?"})
