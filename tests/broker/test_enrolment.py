"""mambaamqp/broker/enrolment.py: users, rights and virtual hosts while a broker runs, and afterwards."""

from base64 import b64encode
from hashlib import sha256

import pytest

from mambaamqp.access.operator import Operator
from mambaamqp.access.permissions import Actor
from mambaamqp.broker import enrolment
from mambaamqp.config import Config
from mambaamqp.errors import AccessRefused, MambaError, NotFound, PreconditionFailed
from tests.support.client import World

RIGHTS = {"configure": "", "write": "^w", "read": "^r"}


def hash_of(password: str) -> str:
    return b64encode(b"salt" + sha256(b"salt" + password.encode()).digest()).decode()


def boss(world: World) -> Actor:
    return Operator("/", world.access)


def names(world: World) -> list[str]:
    return sorted(user.name for user in world.access.users)


@pytest.fixture
def bare() -> World:
    """A broker that nobody configured: guest is there for want of others."""
    return World(config=Config())


def add_kim(world: World) -> None:
    enrolment.add_user(world.broker, boss(world), "kim", hash_of("kim"), ["monitoring"])


def test_a_user_is_added_and_there_after_a_restart(world: World) -> None:
    """With its tags; a second one of the name is refused."""
    add_kim(world)
    with pytest.raises(PreconditionFailed, match="already exists"):
        add_kim(world)
    again = world.restart(clean=False) if world.commit() is None else world
    user = again.access.users.get("kim")
    assert user is not None and user.tags == {"monitoring"}


def test_who_is_no_administrator_changes_nothing(world: World) -> None:
    """Each operation asks itself."""
    add_kim(world)
    enrolment.set_permissions(world.broker.vhosts["/"], boss(world), "kim", RIGHTS)
    kim = world.access.users.get("kim")
    assert kim is not None
    actor = world.access.actor(kim, "/")
    vhost = world.broker.vhosts["/"]
    with pytest.raises(AccessRefused):
        enrolment.add_user(world.broker, actor, "x", hash_of("x"), [])
    with pytest.raises(AccessRefused):
        enrolment.delete_user(world.broker, actor, "kim")
    with pytest.raises(AccessRefused):
        enrolment.set_tags(world.broker, actor, "kim", ["administrator"])
    with pytest.raises(AccessRefused):
        enrolment.set_permissions(vhost, actor, "kim", RIGHTS)
    with pytest.raises(AccessRefused):
        enrolment.delete_vhost(world.broker, actor, "/")
    with pytest.raises(AccessRefused):
        enrolment.trace(vhost, actor, True)


def test_the_stand_in_stays_when_others_come(bare: World) -> None:
    """Unlike with definitions: rabbitmqctl add_user leaves guest alone too. So it is after a restart."""
    add_kim(bare)
    assert names(bare) == ["guest", "kim"]
    bare.commit()
    again = bare.restart()
    assert names(again) == ["guest", "kim"]
    permission = again.access.permission("guest", "/")
    assert permission is not None and permission.allows("configure", "anything")
    guest = again.access.users.get("guest")
    assert guest is not None and guest.tags == {"administrator"}


def test_a_stand_in_that_was_deleted_never_comes_back(bare: World) -> None:
    """Not even when nobody is left, and the journal has been written anew: its password is well known."""
    enrolment.delete_user(bare.broker, boss(bare), "guest")
    assert names(bare) == []
    bare.broker.checkpoint()
    bare.commit()
    assert names(bare.restart()) == []


def test_another_password_of_the_stand_in_counts(bare: World) -> None:
    """The one of the start would be known to everybody."""
    enrolment.set_password(bare.broker, boss(bare), "guest", hash_of("secret"))
    bare.commit()
    guest = bare.restart().access.users.get("guest")
    assert guest is not None and guest.password_hash == hash_of("secret")


def test_what_the_configuration_says_is_not_changed(world: World) -> None:
    """It would count again at the next start; the text says where to change it."""
    vhost = world.broker.vhosts["/"]
    for change in (
        lambda: enrolment.delete_user(world.broker, boss(world), "guest"),
        lambda: enrolment.set_password(world.broker, boss(world), "guest", hash_of("x")),
        lambda: enrolment.set_tags(world.broker, boss(world), "guest", []),
        lambda: enrolment.set_permissions(vhost, boss(world), "guest", RIGHTS),
        lambda: enrolment.clear_permissions(vhost, boss(world), "guest"),
        lambda: enrolment.delete_vhost(world.broker, boss(world), "/"),
    ):
        with pytest.raises(PreconditionFailed, match="configuration"):
            change()


def test_a_configured_user_may_be_let_into_another_virtual_host(world: World) -> None:
    """About one that the configuration does not know it cannot say anything."""
    enrolment.add_vhost(world.broker, boss(world), "v", {})
    enrolment.set_permissions(world.broker.vhosts["v"], boss(world), "guest", RIGHTS)
    world.commit()
    assert world.restart().access.permission("guest", "v") is not None


def test_what_is_not_there_cannot_be_changed(world: World) -> None:
    """404."""
    vhost = world.broker.vhosts["/"]
    for change in (
        lambda: enrolment.delete_user(world.broker, boss(world), "x"),
        lambda: enrolment.set_permissions(vhost, boss(world), "x", RIGHTS),
        lambda: enrolment.clear_user_limits(world.broker, boss(world), "x"),
        lambda: enrolment.set_topic_permission(vhost, boss(world), "x", "t", {"write": "", "read": ""}),
        lambda: enrolment.delete_vhost(world.broker, boss(world), "x"),
    ):
        with pytest.raises(NotFound):
            change()


def test_with_a_user_go_its_rights(world: World) -> None:
    """One of the same name has none of them."""
    vhost = world.broker.vhosts["/"]
    add_kim(world)
    enrolment.set_permissions(vhost, boss(world), "kim", RIGHTS)
    enrolment.set_topic_permission(vhost, boss(world), "kim", "t", {"write": "a", "read": ""})
    enrolment.delete_user(world.broker, boss(world), "kim")
    add_kim(world)
    world.commit()
    for life in (world, world.restart()):
        assert life.access.permission("kim", "/") is None
        assert life.access.topic_permissions("kim", "/") == {}


def test_topic_rules_stand_beside_each_other(world: World) -> None:
    """One is cleared, or all."""
    vhost = world.broker.vhosts["/"]
    add_kim(world)
    for exchange in ("a", "b", "c"):
        rule = {"write": exchange, "read": ""}
        enrolment.set_topic_permission(vhost, boss(world), "kim", exchange, rule)
    enrolment.clear_topic_permissions(vhost, boss(world), "kim", "a")
    assert sorted(world.access.topic_permissions("kim", "/")) == ["b", "c"]
    enrolment.clear_topic_permissions(vhost, boss(world), "kim")
    assert world.access.topic_permissions("kim", "/") == {}


@pytest.mark.parametrize("clean", [True, False])
def test_a_virtual_host_goes_with_all_that_is_in_it(world: World, clean: bool) -> None:
    """Queues, messages, policies, rights; and one of the same name is empty."""
    enrolment.add_vhost(world.broker, boss(world), "v", {"description": "d"})
    with pytest.raises(PreconditionFailed, match="already exists"):
        enrolment.add_vhost(world.broker, boss(world), "v", {})
    enrolment.set_permissions(world.broker.vhosts["v"], boss(world), "guest", RIGHTS | {"configure": ".*"})
    client = world.connect(vhost="v").open()
    client.queue("w", durable=True)
    client.publish(b"m", "w", properties={"delivery_mode": 2})
    enrolment.delete_vhost(world.broker, boss(world), "v")
    world.settle()
    for life in (world, world.restart(clean=clean)):
        assert "v" not in life.broker.vhosts
        assert "v" not in life.access.vhosts
        assert life.access.permission("guest", "v") is None
        assert not [key for key in life.broker.parameters.values if key[1] == "v"]
    enrolment.add_vhost(life.broker, boss(life), "v", {})
    assert not life.broker.vhosts["v"].queues


def test_tracing_is_remembered(world: World) -> None:
    """RabbitMQ forgets it with the node; what is said of the virtual host stays."""
    vhost = world.broker.vhosts["/"]
    enrolment.trace(vhost, boss(world), True)
    world.commit()
    again = world.restart()
    assert again.broker.vhosts["/"].firehose is not None
    enrolment.trace(again.broker.vhosts["/"], boss(again), False)
    assert again.broker.vhosts["/"].firehose is None


def test_what_is_no_pattern_changes_nothing(world: World) -> None:
    """406, and what stood before stands."""
    vhost = world.broker.vhosts["/"]
    add_kim(world)
    enrolment.set_permissions(vhost, boss(world), "kim", RIGHTS)
    with pytest.raises(MambaError):
        enrolment.set_permissions(vhost, boss(world), "kim", RIGHTS | {"read": "(a+)+b"})
    found = world.access.permission("kim", "/")
    assert found is not None and found.read == "^r"
