"""Policies, operator policies and definitions at the operator's command."""

from typing import Final

from mambaamqp.access.permissions import authorize_tag
from mambaamqp.access.users import ADMINISTRATOR
from mambaamqp.broker import administration
from mambaamqp.broker.definitions import Import, exported
from mambaamqp.broker.description import plain
from mambaamqp.control.changes import NAME, Change, an_object, of_vhost
from mambaamqp.control.counter import Counter
from mambaamqp.control.requests import Reply, Request

POLICY: Final = an_object("policy")


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


OPERATIONS: Final[dict[str, Change]] = {
    "policy set": of_vhost(administration.set_policy, NAME, POLICY),
    "policy clear": of_vhost(administration.clear_policy, NAME),
    "operator-policy set": of_vhost(administration.set_operator_policy, NAME, POLICY),
    "operator-policy clear": of_vhost(administration.clear_operator_policy, NAME),
    "definitions import": import_definitions,
    "definitions export": export_definitions,
}
