"""mambaamqp/broker/vhost.py: what goes with what, and where dead letters go."""

from collections.abc import Callable
from typing import Any

import pytest

from mambaamqp.broker import exchanges
from mambaamqp.broker.binding import Binding
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.vhost import SYSTEM_EXCHANGES, VirtualHost
from mambaamqp.wire import properties
from mambaamqp.wire.table import EMPTY
from tests.broker.conftest import Taker, bodies, message

Make = Callable[..., Queue]


def exchange(vhost: VirtualHost, name: str, kind: str = "fanout", **changes: Any) -> Exchange:
    flags = {"durable": True, "auto_delete": False, "internal": False} | changes
    made = exchanges.create(kind, "/", name, arguments=EMPTY, **flags)
    vhost.put_exchange(made)
    return made


def bind(vhost: VirtualHost, source: Exchange, destination: Destination, key: str = "") -> bool:
    return vhost.put_binding(Binding(source, destination, key, EMPTY))


def test_a_virtual_host_has_its_exchanges(vhost: VirtualHost) -> None:
    """The default one, those of the standard, and two that nobody but the broker publishes to."""
    standard = {"", *(name for name, _ in SYSTEM_EXCHANGES)}
    assert set(vhost.exchanges) == standard | {"amq.rabbitmq.event"}
    assert all(made.durable for made in vhost.exchanges.values())
    internal = {name for name, made in vhost.exchanges.items() if made.internal}
    assert internal == {"amq.rabbitmq.event", "amq.rabbitmq.trace"}


def test_every_change_of_topology_is_a_new_generation(vhost: VirtualHost, make: Make) -> None:
    """Or cached routes would lead to what is gone."""
    seen = {vhost.generation}
    queue = make()
    seen.add(vhost.generation)
    made = exchange(vhost, "x")
    seen.add(vhost.generation)
    bind(vhost, made, queue)
    seen.add(vhost.generation)
    vhost.drop_binding(made, queue, "", EMPTY)
    seen.add(vhost.generation)
    vhost.drop_exchange(made)
    seen.add(vhost.generation)
    vhost.drop_queue(queue)
    seen.add(vhost.generation)
    assert len(seen) == 7


def test_bindings_are_counted_and_forgotten(vhost: VirtualHost, make: Make) -> None:
    """Whichever end goes first, nothing is left of them."""
    for first in ("exchange", "queue"):
        queue, source, middle = make(), exchange(vhost, "s"), exchange(vhost, "m")
        assert bind(vhost, source, queue)
        assert not bind(vhost, source, queue)
        assert bind(vhost, source, queue, "k")
        assert bind(vhost, source, middle)
        assert bind(vhost, middle, queue)
        assert bind(vhost, middle, middle)
        assert vhost.binding_count == 5
        if first == "exchange":
            vhost.drop_exchange(middle)
            assert vhost.binding_count == 2
            vhost.drop_exchange(source)
            vhost.drop_queue(queue)
        else:
            vhost.drop_queue(queue)
            assert vhost.binding_count == 2
            vhost.drop_exchange(middle)
            vhost.drop_exchange(source)
        assert (vhost.binding_count, vhost.inbound) == (0, {})


def test_auto_delete_exchanges_go_in_a_row(vhost: VirtualHost, make: Make) -> None:
    """The last binding of each goes with the one before it; one that never had any stays."""
    queue = make()
    row = [exchange(vhost, name, auto_delete=True) for name in "abc"]
    exchange(vhost, "unused", auto_delete=True)
    bind(vhost, row[0], row[1])
    bind(vhost, row[1], row[2])
    bind(vhost, row[2], queue)
    vhost.drop_queue(queue)
    assert [name for name in ("a", "b", "c", "unused") if name in vhost.exchanges] == ["unused"]
    assert (vhost.binding_count, vhost.inbound) == (0, {})


def test_a_ring_of_auto_delete_exchanges_goes_at_once(vhost: VirtualHost) -> None:
    """And ends."""
    first, second = exchange(vhost, "a", auto_delete=True), exchange(vhost, "b", auto_delete=True)
    bind(vhost, first, second)
    bind(vhost, second, first)
    vhost.drop_exchange(first)
    assert not {"a", "b"} & set(vhost.exchanges)
    assert (vhost.binding_count, vhost.inbound) == (0, {})


def test_a_namesake_is_not_deleted(vhost: VirtualHost, make: Make) -> None:
    """A queue that has been deleted and declared anew is another one."""
    old = make()
    vhost.drop_queue(old)
    new = make()
    assert vhost.drop_queue(old) == 0
    assert vhost.queues["q"] is new


def test_consumers_are_told_that_their_queue_is_gone(vhost: VirtualHost, make: Make) -> None:
    """Every one of them."""
    queue = make()
    takers = [Taker(queue), Taker(queue)]
    for taker in takers:
        queue.add_consumer(taker)
    vhost.drop_queue(queue)
    assert [taker.cancelled for taker in takers] == [True, True]
    assert queue.consumers == []


# Dead letters


def bury_one(vhost: VirtualHost, queue: Queue, **props: Any) -> None:
    """A message that is rejected."""
    vhost.enqueue(message(b"m", **props), [queue])
    entry = queue.take()
    assert entry is not None
    queue.hold(entry)
    queue.reject(entry)
    vhost.broker.catch_up()


def test_a_dead_letter_keeps_its_key(vhost: VirtualHost, make: Make) -> None:
    """Unless the queue has one for its dead."""
    make("k")
    make("other")
    bury_one(vhost, make("a", x_dead_letter_exchange=""), key="k")
    bury_one(vhost, make("b", x_dead_letter_exchange="", x_dead_letter_routing_key="other"), key="k")
    assert bodies(vhost.queues["k"]) == bodies(vhost.queues["other"]) == [b"m"]


def test_a_dead_letter_takes_its_copies_along(vhost: VirtualHost, make: Make) -> None:
    """CC counts again, unless the queue has a key for its dead."""
    make("k")
    make("cc")
    make("other")
    copies = {"headers": {"CC": ["cc"]}}
    bury_one(vhost, make("a", x_dead_letter_exchange=""), key="k", **copies)
    bury_one(vhost, make("b", x_dead_letter_exchange="", x_dead_letter_routing_key="other"), **copies)
    assert [len(bodies(vhost.queues[name])) for name in ("k", "cc", "other")] == [1, 1, 1]


@pytest.mark.parametrize("arguments", [{}, {"x_dead_letter_exchange": "missing"}])
def test_without_an_exchange_the_dead_are_gone(
    vhost: VirtualHost, make: Make, arguments: dict[str, str]
) -> None:
    """Nobody asked for them, or nobody is there."""
    queue = make(**arguments)
    bury_one(vhost, queue)
    assert (bodies(queue), vhost.broker.journal.segment.live) == ([], 0)


def test_a_chain_of_limits_ends(vhost: VirtualHost, make: Make) -> None:
    """Hundreds of queues that each push their overflow into the next: a loop, not a recursion."""
    queues = [
        make(
            f"q{number}",
            x_max_length=0,
            x_dead_letter_exchange="",
            x_dead_letter_routing_key=f"q{number + 1}",
        )
        for number in range(300)
    ]
    last = make("q300")
    vhost.enqueue(message(b"m"), [queues[0]])
    vhost.broker.catch_up()
    assert bodies(last) == [b"m"]


def test_a_circle_of_expiry_is_broken(vhost: VirtualHost, make: Make) -> None:
    """A queue whose dead come back to it by themselves lets them go."""
    queue = make(x_max_length=0, x_dead_letter_exchange="", x_dead_letter_routing_key="q")
    vhost.enqueue(message(b"m"), [queue])
    vhost.broker.catch_up()
    assert (bodies(queue), vhost.broker.journal.segment.live) == ([], 0)


def test_a_refused_publish_may_be_buried(vhost: VirtualHost, make: Make) -> None:
    """reject-publish-dlx: the publisher is told, and the message goes to the dead."""
    dead = make("dead")
    queue = make(
        x_max_length=1,
        x_overflow="reject-publish-dlx",
        x_dead_letter_exchange="",
        x_dead_letter_routing_key="dead",
    )
    assert vhost.enqueue(message(b"1"), [queue])
    assert not vhost.enqueue(message(b"2"), [queue])
    vhost.broker.catch_up()
    assert (bodies(queue), bodies(dead)) == ([b"1"], [b"2"])
    died = properties.get(dead.ready.entries()[0].message.header(), "headers").values
    assert died["x-last-death-reason"] == "maxlen"


def test_the_other_queues_take_what_one_refuses(vhost: VirtualHost, make: Make) -> None:
    """One full queue is no reason against the others."""
    full, open_ = make("full", x_max_length=0, x_overflow="reject-publish"), make("open")
    assert not vhost.enqueue(message(b"m"), [full, open_])
    assert (bodies(full), bodies(open_)) == ([], [b"m"])
