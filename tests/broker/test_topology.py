"""mambaamqp/broker/topology.py: what may be done to queues, exchanges and bindings, and what is written.

The texts of refusals are tested where clients see them, in tests/flows/test_declaring.py.
"""

from collections.abc import Callable
from typing import Any

import pytest

from mambaamqp.access.permissions import Actor
from mambaamqp.broker import topology
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.config import Config, LimitsConfig, PermissionConfig, VhostConfig
from mambaamqp.errors import AccessRefused, NotFound, PreconditionFailed, ResourceLocked
from mambaamqp.wire.table import EMPTY
from tests.broker.conftest import Taker, message, table
from tests.support.client import World, user_config

MINE, THEIRS = object(), object()
QUEUE = {"durable": True, "exclusive": False, "auto_delete": False, "arguments": EMPTY}
EXCHANGE = {"durable": True, "auto_delete": False, "internal": False, "arguments": EMPTY}


def actor_of(world: World, name: str = "guest") -> Actor:
    user = world.access.users.get(name)
    assert user is not None
    return world.access.actor(user, "/")


@pytest.fixture
def actor(world: World) -> Actor:
    return actor_of(world)


def declare(vhost: VirtualHost, actor: Actor, name: str = "q", owner: object = MINE, **changes: Any) -> Queue:
    return topology.declare_queue(vhost, actor, owner, name, **(QUEUE | changes))


def written(vhost: VirtualHost, work: Callable[[], object]) -> int:
    """Octets that the journal has gained by doing it."""
    before = vhost.broker.journal.position
    work()
    return vhost.broker.journal.position - before


def test_a_declaration_is_written_once(vhost: VirtualHost, actor: Actor) -> None:
    """The same again changes nothing and writes nothing."""
    assert written(vhost, lambda: declare(vhost, actor)) > 0
    assert written(vhost, lambda: declare(vhost, actor)) == 0
    made = lambda: topology.declare_exchange(vhost, actor, "x", "topic", **EXCHANGE)  # noqa: E731
    assert written(vhost, made) > 0
    assert written(vhost, made) == 0


@pytest.mark.parametrize("changes", [{"durable": False}, {"exclusive": True}])
def test_what_does_not_survive_is_not_written(
    vhost: VirtualHost, actor: Actor, changes: dict[str, bool]
) -> None:
    """Neither the queue, nor its bindings, nor its deletion."""

    def come_and_go() -> None:
        declare(vhost, actor, **changes)
        bind(vhost, actor)
        bind(vhost, actor, undo=True)
        bind(vhost, actor)
        topology.delete_queue(vhost, actor, MINE, "q", if_unused=False, if_empty=False)

    assert written(vhost, come_and_go) == 0


def bind(
    vhost: VirtualHost, actor: Actor, *, undo: bool = False, owner: object = MINE, **changes: Any
) -> None:
    given = {"source": "amq.topic", "destination": "q", "routing_key": "k", "arguments": EMPTY} | changes
    operation = topology.unbind if undo else topology.bind
    operation(
        vhost,
        actor,
        owner,
        given["source"],
        given["destination"],
        to_queue=True,
        routing_key=given["routing_key"],
        arguments=given["arguments"],
    )


def test_a_binding_is_written_once_and_so_is_its_end(vhost: VirtualHost, actor: Actor) -> None:
    """What stands already, or is gone already, is fine and costs nothing."""
    declare(vhost, actor)
    assert written(vhost, lambda: bind(vhost, actor)) > 0
    assert written(vhost, lambda: bind(vhost, actor)) == 0
    assert written(vhost, lambda: bind(vhost, actor, undo=True)) > 0
    assert written(vhost, lambda: bind(vhost, actor, undo=True)) == 0
    assert written(vhost, lambda: bind(vhost, actor, undo=True, source="nowhere")) == 0
    assert written(vhost, lambda: bind(vhost, actor, undo=True, destination="nothing")) == 0


def test_another_connections_exclusive_queue_is_locked(vhost: VirtualHost, actor: Actor) -> None:
    """405 for everything that names it."""
    declare(vhost, actor, exclusive=True)
    for work in (
        lambda: declare(vhost, actor, owner=THEIRS),
        lambda: declare(vhost, actor, owner=THEIRS, exclusive=True),
        lambda: declare(vhost, actor, exclusive=False),
        lambda: topology.declare_queue_passive(vhost, actor, THEIRS, "q"),
        lambda: topology.delete_queue(vhost, actor, THEIRS, "q", if_unused=False, if_empty=False),
        lambda: topology.purge_queue(vhost, actor, THEIRS, "q"),
        lambda: topology.readable_queue(vhost, actor, THEIRS, "q"),
        lambda: bind(vhost, actor, owner=THEIRS),
        lambda: bind(vhost, actor, owner=THEIRS, undo=True),
    ):
        with pytest.raises(ResourceLocked, match="cannot obtain exclusive access to locked queue 'q'"):
            work()
    assert topology.readable_queue(vhost, actor, MINE, "q").name == "q"


def test_the_broker_names_nameless_queues(vhost: VirtualHost, actor: Actor) -> None:
    """Each with a name of its own, under the prefix that clients may not use."""
    names = {declare(vhost, actor, "").name for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("amq.gen-") for name in names)
    with pytest.raises(AccessRefused, match="reserved prefix"):
        declare(vhost, actor, "amq.mine")


def test_line_ends_are_no_part_of_a_name(vhost: VirtualHost, actor: Actor) -> None:
    """In declarations, bindings and deletions alike."""
    declare(vhost, actor, "a\r\nb")
    bind(vhost, actor, destination="ab\n")
    assert vhost.binding_count == 1
    topology.delete_queue(vhost, actor, MINE, "\nab", if_unused=False, if_empty=False)
    assert vhost.queues == {}


def test_the_source_is_looked_for_first(vhost: VirtualHost, actor: Actor) -> None:
    """When both ends of a binding are missing, the exchange is named."""
    with pytest.raises(NotFound, match="no exchange 'nowhere'"):
        bind(vhost, actor, source="nowhere", destination="nothing")
    with pytest.raises(NotFound, match="no queue 'nothing'"):
        bind(vhost, actor, destination="nothing")


def test_a_refused_binding_leaves_nothing(vhost: VirtualHost, actor: Actor) -> None:
    """A headers binding that makes no sense is not written."""
    declare(vhost, actor)

    def refused() -> None:
        with pytest.raises(PreconditionFailed):
            bind(vhost, actor, source="amq.headers", arguments=table(x_match="maybe"))

    assert written(vhost, refused) == 0
    assert vhost.binding_count == 0


def test_delete_asks_for_what_it_was_told_to(vhost: VirtualHost, actor: Actor) -> None:
    """if-unused, if-empty, and how many messages went."""
    queue = declare(vhost, actor)
    vhost.enqueue(message(b"m"), [queue])
    taker = Taker(queue)
    taker.credit = 0
    queue.add_consumer(taker)
    for flags, text in (((True, False), "in use"), ((False, True), "not empty")):
        with pytest.raises(PreconditionFailed, match=text):
            topology.delete_queue(vhost, actor, MINE, "q", if_unused=flags[0], if_empty=flags[1])
    assert topology.delete_queue(vhost, actor, MINE, "q", if_unused=False, if_empty=False) == 1
    assert topology.delete_queue(vhost, actor, MINE, "q", if_unused=True, if_empty=True) == 0


def test_an_auto_delete_queue_goes_with_its_last_consumer(vhost: VirtualHost, actor: Actor) -> None:
    """Not before it had one, and once only."""
    queue = declare(vhost, actor, auto_delete=True)
    takers = [Taker(queue), Taker(queue)]
    for taker in takers:
        queue.add_consumer(taker)
    topology.remove_consumer(takers[0])
    assert vhost.queues == {"q": queue}
    topology.remove_consumer(takers[1])
    topology.remove_consumer(takers[1])
    assert vhost.queues == {}


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ((False, False), (False, False), False),
        ((True, False), (False, False), True),
        ((False, False), (True, False), True),
    ],
)
def test_an_exclusive_consumer_is_alone(
    vhost: VirtualHost, actor: Actor, first: tuple[bool, bool], second: tuple[bool, bool], refused: bool
) -> None:
    """Whichever came first."""
    queue = declare(vhost, actor)
    taker = Taker(queue)
    taker.exclusive = first[0]
    queue.add_consumer(taker)
    if refused:
        with pytest.raises(AccessRefused, match="in exclusive use"):
            topology.check_consumable(queue, second[0])
    else:
        topology.check_consumable(queue, second[0])


def test_limits_are_kept(vhost: VirtualHost, actor: Actor) -> None:
    """Queues, exchanges and bindings of a virtual host; what exists already may be declared again."""
    limits = LimitsConfig(queues_per_vhost_max=1, exchanges_per_vhost_max=9, bindings_per_vhost_max=1)
    vhost.broker.limits = limits
    declare(vhost, actor)
    declare(vhost, actor)
    with pytest.raises(PreconditionFailed, match=r"queue limit in vhost '/' \(1\) is reached"):
        declare(vhost, actor, "r")
    topology.declare_exchange(vhost, actor, "x", "fanout", **EXCHANGE)
    with pytest.raises(PreconditionFailed, match=r"exchange limit in vhost '/' \(9\) is reached"):
        topology.declare_exchange(vhost, actor, "y", "fanout", **EXCHANGE)
    bind(vhost, actor)
    bind(vhost, actor)
    with pytest.raises(PreconditionFailed, match=r"binding limit in vhost '/' \(1\) is reached"):
        bind(vhost, actor, routing_key="other")


@pytest.mark.parametrize(
    ("work", "allowed"),
    [
        (lambda v, a: declare(v, a, "c"), True),
        (lambda v, a: declare(v, a, "w"), False),
        (lambda v, a: topology.purge_queue(v, a, MINE, "q"), False),
        (lambda v, a: topology.writable_exchange(v, a, "amq.topic"), False),
        (lambda v, a: topology.delete_exchange(v, a, "c", if_unused=False), True),
        (lambda v, a: declare(v, a, "c", arguments=table(x_dead_letter_exchange="amq.topic")), False),
        (lambda v, a: bind(v, a), False),
        (lambda v, a: bind(v, a, undo=True), False),
    ],
)
def test_every_operation_asks_for_permission(work: Callable[..., object], allowed: bool) -> None:
    """Here, so that no way in can forget it."""
    config = Config(
        users=(user_config("joe"),),
        vhosts=(VhostConfig(name="/"),),
        permissions=(PermissionConfig(user="joe", configure="c.*", write="", read=""),),
    )
    world = World(config=config)
    vhost = world.broker.vhosts["/"]
    if allowed:
        work(vhost, actor_of(world, "joe"))
    else:
        with pytest.raises(AccessRefused):
            work(vhost, actor_of(world, "joe"))
