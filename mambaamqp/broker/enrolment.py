"""Users, their rights, and virtual hosts at an administrator's command, while the broker runs.

Each operation asks for the right itself, writes down what it does (`parameters`) and has it applied at once:
connections at work ask anew before they do anything more, and those of a user or into a virtual host that is
no more are closed. What the configuration says stands, so it refuses to change that. Refuses to know
passwords: it is given hashes. Source: RabbitMQ's `rabbitmqctl`.
"""

from typing import Any, Final

from mambaamqp.access.permissions import Actor, authorize_tag
from mambaamqp.access.users import ADMINISTRATOR, User
from mambaamqp.broker import accounts, parameters
from mambaamqp.broker.administration import checked_name
from mambaamqp.broker.broker import Broker
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.errors import NotFound, PreconditionFailed
from mambaamqp.store import records

ALL: Final = ".*"

# Users


def add_user(broker: Broker, actor: Actor, name: str, password_hash: str, tags: list[str]) -> None:
    """Have one more user; 406 if there is one of that name."""
    authorize_tag(actor, ADMINISTRATOR)
    adopt_stand_in(broker)
    if broker.access.users.get(checked_name(name)) is not None:
        raise PreconditionFailed(f"user '{name}' already exists")
    _put_user(broker, name, password_hash, tags)


def set_password(broker: Broker, actor: Actor, name: str, password_hash: str) -> None:
    """From the next login on another password counts; who is in stays in."""
    authorize_tag(actor, ADMINISTRATOR)
    user = _changeable(broker, name)
    _put_user(broker, name, password_hash, sorted(user.tags))


def set_tags(broker: Broker, actor: Actor, name: str, tags: list[str]) -> None:
    """Exactly these tags from now on."""
    authorize_tag(actor, ADMINISTRATOR)
    user = _changeable(broker, name)
    _put_user(broker, name, user.password_hash, tags)


def delete_user(broker: Broker, actor: Actor, name: str) -> None:
    """Forget a user with all its rights and limits, and close its connections."""
    authorize_tag(actor, ADMINISTRATOR)
    _changeable(broker, name)
    for component in (parameters.PERMISSION, parameters.TOPIC_PERMISSION):
        for vhost, user, _ in broker.parameters.of(component):
            if user == name:
                broker.parameters.clear(component, vhost, name)
    broker.parameters.clear(parameters.USER_LIMITS, "", name)
    broker.parameters.clear(parameters.USER, "", name)
    broker.dismiss(f"user '{name}' is deleted", user_name=name)


def _put_user(broker: Broker, name: str, password_hash: str, tags: list[str]) -> None:
    value = {"password_hash": password_hash, "tags": tags}
    accounts.parse_user(name, value)
    broker.parameters.put(parameters.USER, "", name, value)


def _changeable(broker: Broker, name: str) -> User:
    """The user, if there is one (404), and the configuration does not say what it is (406)."""
    user = _known(broker, name)
    if name in broker.access.configured:
        raise PreconditionFailed(
            f"user '{name}' stands in the configuration, which goes first: change it there"
        )
    return user


def _known(broker: Broker, name: str) -> User:
    adopt_stand_in(broker)
    user = broker.access.users.get(name)
    if user is None:
        raise NotFound(f"no user '{name}'")
    return user


def adopt_stand_in(broker: Broker) -> None:
    """Write down the user that is there because nobody configured one: it is one like any other then.

    Otherwise it would go with the first user that is added, and come back when the last one goes.
    """
    user = broker.access.users.get(broker.access.stand_in)
    if user is None:
        return
    name, access = user.name, broker.access
    vhosts = [vhost for vhost in access.vhosts if access.permission(name, vhost) is not None]
    broker.events.silent = True
    broker.journal.begin_atom()
    try:
        broker.parameters.put(parameters.STAND_IN, "", name, {"retired": True})
        _put_user(broker, name, user.password_hash, sorted(user.tags))
        for vhost in vhosts:
            rights = {"configure": ALL, "write": ALL, "read": ALL}
            broker.parameters.put(parameters.PERMISSION, vhost, name, rights)
    finally:
        broker.journal.end_atom()
        broker.events.silent = False


# Rights


def set_permissions(vhost: VirtualHost, actor: Actor, user: str, value: dict[str, Any]) -> None:
    """What a user may do in a virtual host: `configure`, `write`, `read`."""
    authorize_tag(actor, ADMINISTRATOR)
    _check_rights(vhost, user)
    accounts.parse_permission(value)
    vhost.broker.parameters.put(parameters.PERMISSION, vhost.name, user, value)


def clear_permissions(vhost: VirtualHost, actor: Actor, user: str) -> None:
    """Take everything in a virtual host; connections there stay, and may do nothing. None there: fine."""
    authorize_tag(actor, ADMINISTRATOR)
    _check_rights(vhost, user)
    vhost.broker.parameters.clear(parameters.PERMISSION, vhost.name, user)


def _check_rights(vhost: VirtualHost, user: str) -> None:
    _known(vhost.broker, user)
    if vhost.broker.access.is_configured(user, vhost.name):
        raise PreconditionFailed(
            f"what user '{user}' may do in vhost '{vhost.name}' stands in the configuration, which goes first"
        )


def set_topic_permission(
    vhost: VirtualHost, actor: Actor, user: str, exchange: str, value: dict[str, str]
) -> None:
    """One rule of a user about routing keys, beside those for other exchanges."""
    authorize_tag(actor, ADMINISTRATOR)
    _known(vhost.broker, user)
    stored = vhost.broker.parameters.get(parameters.TOPIC_PERMISSION, vhost.name, user) or {}
    together = stored | {exchange: value}
    accounts.parse_topics(user, vhost.name, together)
    vhost.broker.parameters.put(parameters.TOPIC_PERMISSION, vhost.name, user, together)


def clear_topic_permissions(vhost: VirtualHost, actor: Actor, user: str, exchange: str = "") -> None:
    """Forget the rule for one exchange, or with "" all of them: all keys are open to the user again."""
    authorize_tag(actor, ADMINISTRATOR)
    _known(vhost.broker, user)
    stored = vhost.broker.parameters.get(parameters.TOPIC_PERMISSION, vhost.name, user) or {}
    left = {name: rule for name, rule in stored.items() if exchange and name != exchange}
    if left:
        vhost.broker.parameters.put(parameters.TOPIC_PERMISSION, vhost.name, user, left)
    else:
        vhost.broker.parameters.clear(parameters.TOPIC_PERMISSION, vhost.name, user)


def clear_user_limits(broker: Broker, actor: Actor, name: str) -> None:
    """No limits any more; fine if there were none."""
    authorize_tag(actor, ADMINISTRATOR)
    _known(broker, name)
    broker.parameters.clear(parameters.USER_LIMITS, "", name)


# Virtual hosts


def add_vhost(broker: Broker, actor: Actor, name: str, value: dict[str, Any]) -> None:
    """Have one more virtual host, which nobody may open yet; 406 if there is one of that name."""
    authorize_tag(actor, ADMINISTRATOR)
    if checked_name(name) in broker.vhosts:
        raise PreconditionFailed(f"vhost '{name}' already exists")
    broker.parameters.put(parameters.VHOST, name, "", accounts.check_vhost(name, value))


def trace(vhost: VirtualHost, actor: Actor, on: bool) -> None:
    """Let the virtual host's firehose have copies of all that passes, or no more."""
    authorize_tag(actor, ADMINISTRATOR)
    said = vhost.broker.parameters.get(parameters.VHOST, vhost.name, "") or {}
    vhost.broker.parameters.put(parameters.VHOST, vhost.name, "", said | {"tracing": on})


def delete_vhost(broker: Broker, actor: Actor, name: str) -> None:
    """Forget a virtual host with all that is in it, messages too, and close the connections into it."""
    authorize_tag(actor, ADMINISTRATOR)
    vhost = broker.vhosts.get(name)
    if vhost is None:
        raise NotFound(f"no vhost '{name}'")
    if name in broker.access.configured_vhosts:
        raise PreconditionFailed(
            f"vhost '{name}' stands in the configuration, and would come back with a start"
        )
    broker.dismiss(f"vhost '{name}' is deleted", vhost=name)
    broker.catch_up()
    for queue in list(vhost.queues.values()):
        vhost.drop_queue(queue)
    broker.events.tell("vhost.deleted", {"name": name})
    broker.journal.append(records.vhost_delete(name))
    broker.forget_vhost(name)
