"""mambaamqp/broker/administration.py: who may set what."""

from collections.abc import Callable
from typing import Any

import pytest

from mambaamqp.access.permissions import Actor
from mambaamqp.broker import administration
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.config import Config, PermissionConfig, VhostConfig
from mambaamqp.errors import AccessRefused, NotFound, PreconditionFailed
from tests.support.client import World, user_config

POLICY = {"pattern": "", "definition": {"max-length": 1}}
TAGS = ("administrator", "policymaker", "monitoring", "management", "impersonator")


@pytest.fixture
def world() -> World:
    """A user for each tag, of its name, and one without any."""
    users = (*(user_config(tag, [tag]) for tag in TAGS), user_config("nobody"))
    permissions = tuple(
        PermissionConfig(user=user.name, configure=".*", write=".*", read=".*") for user in users
    )
    return World(config=Config(users=users, vhosts=(VhostConfig(name="/"),), permissions=permissions))


def actor_of(world: World, name: str = "administrator") -> Actor:
    user = world.access.users.get(name)
    assert user is not None
    return world.access.actor(user, "/")


def may(world: World, operation: Callable[..., None], *arguments: Any) -> set[str]:
    """Whose call of an operation of a virtual host is not refused."""
    allowed = set()
    for name in (*TAGS, "nobody"):
        try:
            operation(world.broker.vhosts["/"], actor_of(world, name), *arguments)
        except AccessRefused as refusal:
            assert f"user '{name}' needs the tag" in str(refusal)
        except NotFound:
            allowed.add(name)
        else:
            allowed.add(name)
    return allowed


def test_policies_are_for_policymakers(world: World) -> None:
    """Operator policies are not; an administrator may both."""
    policymakers, administrators = {"administrator", "policymaker"}, {"administrator"}
    assert may(world, administration.set_policy, "p", POLICY) == policymakers
    assert may(world, administration.clear_policy, "p") == policymakers
    assert may(world, administration.set_operator_policy, "o", POLICY) == administrators
    assert may(world, administration.clear_operator_policy, "o") == administrators


def test_limits_and_rights_are_for_administrators(world: World) -> None:
    """Nobody else may widen what bounds him."""
    administrators = {"administrator"}
    assert may(world, administration.set_vhost_limits, {"max-queues": 5}) == administrators
    assert may(world, administration.clear_vhost_limits) == administrators
    assert may(world, administration.set_topic_permissions, "nobody", {}) == administrators
    broker = world.broker
    assert may(world, lambda _, actor: administration.set_vhost(broker, actor, "v", {})) == administrators
    limited = may(
        world, lambda _, actor: administration.set_user_limits(broker, actor, "nobody", {"max-channels": 1})
    )
    assert limited == administrators


def test_limits_of_nobody_are_refused(world: World) -> None:
    """404."""
    with pytest.raises(NotFound, match="no user 'x'"):
        administration.set_user_limits(world.broker, actor_of(world), "x", {"max-channels": 1})


def test_what_is_not_there_cannot_be_cleared(world: World, vhost: VirtualHost) -> None:
    """404, and the name."""
    with pytest.raises(NotFound, match="no policy 'p' in vhost '/'"):
        administration.clear_policy(vhost, actor_of(world), "p")
    with pytest.raises(NotFound, match="no operator policy 'o' in vhost '/'"):
        administration.clear_operator_policy(vhost, actor_of(world), "o")


@pytest.mark.parametrize("name", ["", "n" * 256, "ü" * 128])
def test_a_name_fits_a_short_string(world: World, vhost: VirtualHost, name: str) -> None:
    """406, and nothing is set."""
    with pytest.raises(PreconditionFailed, match="255 bytes"):
        administration.set_policy(vhost, actor_of(world), name, POLICY)
    with pytest.raises(PreconditionFailed, match="255 bytes"):
        administration.set_operator_policy(vhost, actor_of(world), name, POLICY)
    assert vhost.policies.is_empty
