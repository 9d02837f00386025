"""Policies, operator policies and definitions at the operator's command."""

from collections.abc import Callable
from typing import Any, Final

from mambaamqp.access.permissions import Actor, authorize_tag
from mambaamqp.access.users import ADMINISTRATOR
from mambaamqp.broker import administration
from mambaamqp.broker.definitions import Import, exported
from mambaamqp.broker.description import plain
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.control.counter import Counter
from mambaamqp.control.requests import Reply, Request


def _setter(
    operation: Callable[[VirtualHost, Actor, str, dict[str, Any]], None],
) -> Callable[[Counter, Request], Reply]:
    def set_it(counter: Counter, request: Request) -> Reply:
        vhost, name, value = counter.vhost(request), request.text("name"), request.object("policy")
        request.check_all_read()
        operation(vhost, counter.actor_in(vhost), name, value)
        return Reply()

    return set_it


def _clearer(operation: Callable[[VirtualHost, Actor, str], None]) -> Callable[[Counter, Request], Reply]:
    def clear_it(counter: Counter, request: Request) -> Reply:
        vhost, name = counter.vhost(request), request.text("name")
        request.check_all_read()
        operation(vhost, counter.actor_in(vhost), name)
        return Reply()

    return clear_it


def import_definitions(counter: Counter, request: Request) -> Reply:
    """Take over a document, or a portion of one; `reports` has a line for each entry that was not."""
    authorize_tag(counter.actor, ADMINISTRATOR)
    document = request.object("definitions")
    request.check_all_read()
    return Reply(done={"reports": Import(counter.broker).take(document)})


def export_definitions(counter: Counter, request: Request) -> Reply:
    """RabbitMQ's document, section by section: a row has its name and some of its entries."""
    authorize_tag(counter.actor, ADMINISTRATOR)
    request.check_all_read()
    version = str(counter.machine.facts().get("rabbitmq_version", ""))
    document = exported(counter.broker, version)
    return Reply({"section": section, "value": plain(value)} for section, value in document.items())


OPERATIONS: Final[dict[str, Callable[[Counter, Request], Reply]]] = {
    "policy set": _setter(administration.set_policy),
    "policy clear": _clearer(administration.clear_policy),
    "operator-policy set": _setter(administration.set_operator_policy),
    "operator-policy clear": _clearer(administration.clear_operator_policy),
    "definitions import": import_definitions,
    "definitions export": export_definitions,
}
