"""Queues at the operator's command: pause, resume, purge, delete."""

from mambaamqp.broker import administration, topology
from mambaamqp.broker.administration import owner_of
from mambaamqp.control.changes import NAME, of_vhost
from mambaamqp.control.counter import Counter
from mambaamqp.control.requests import Reply, Request


def purge(counter: Counter, request: Request) -> Reply:
    """Drop what waits; `messages` says how many."""
    vhost, name = counter.vhost(request), request.text("name")
    request.check_all_read()
    owner = owner_of(vhost, name)
    return Reply(done={"messages": topology.purge_queue(vhost, counter.actor_in(vhost), owner, name)})


def delete(counter: Counter, request: Request) -> Reply:
    """Delete, if it is there (404); `messages` says how many waited."""
    vhost, name = counter.vhost(request), request.text("name")
    if_unused, if_empty = request.flag("if-unused"), request.flag("if-empty")
    request.check_all_read()
    owner = owner_of(vhost, name)
    topology.find_queue(vhost, owner, name)
    count = topology.delete_queue(
        vhost, counter.actor_in(vhost), owner, name, if_unused=if_unused, if_empty=if_empty
    )
    return Reply(done={"messages": count})


OPERATIONS = {
    "queue pause": of_vhost(administration.pause_queue, NAME),
    "queue resume": of_vhost(administration.resume_queue, NAME),
    "queue purge": purge,
    "queue delete": delete,
}
