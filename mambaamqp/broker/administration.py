"""What an administrator may set while the broker runs: check who asks and what, write it down, apply it.

Like `topology`, each operation asks for the right itself, and the caller holds its reply back until the
journal's position is durable. What the values mean is said where they are applied (`parameters`).
"""

from typing import Any, Final

from mambaamqp.access.permissions import Actor, authorize_tag
from mambaamqp.access.users import ADMINISTRATOR, POLICYMAKER
from mambaamqp.broker import accounts, admission, description, parameters, policy
from mambaamqp.broker.admission import parse_limits
from mambaamqp.broker.broker import Broker
from mambaamqp.broker.topology import find_queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.errors import NotFound, PreconditionFailed

NAME_BYTES_MAX: Final = 255


def set_policy(vhost: VirtualHost, actor: Actor, name: str, value: dict[str, Any]) -> None:
    """Have a policy (`pattern`, `definition`, `priority`, `apply-to`); it takes effect at once."""
    authorize_tag(actor, POLICYMAKER)
    _set(vhost, parameters.POLICY, name, policy.parse(checked_name(name), value, operator=False).value())


def clear_policy(vhost: VirtualHost, actor: Actor, name: str) -> None:
    """Forget a policy; 404 if there is none."""
    authorize_tag(actor, POLICYMAKER)
    _clear(vhost, parameters.POLICY, name, "policy")


def set_operator_policy(vhost: VirtualHost, actor: Actor, name: str, value: dict[str, Any]) -> None:
    """Have an operator policy, which bounds what policies and arguments ask for."""
    authorize_tag(actor, ADMINISTRATOR)
    parsed = policy.parse(checked_name(name), value, operator=True)
    _set(vhost, parameters.OPERATOR_POLICY, name, parsed.value())


def clear_operator_policy(vhost: VirtualHost, actor: Actor, name: str) -> None:
    """Forget an operator policy; 404 if there is none."""
    authorize_tag(actor, ADMINISTRATOR)
    _clear(vhost, parameters.OPERATOR_POLICY, name, "operator policy")


def set_vhost_limits(vhost: VirtualHost, actor: Actor, value: dict[str, Any]) -> None:
    """Bound a virtual host (`max-connections`, `max-queues`); who is in already stays."""
    authorize_tag(actor, ADMINISTRATOR)
    limits = parse_limits(value, admission.VHOST_LIMITS, "limits")
    _set(vhost, parameters.VHOST_LIMITS, parameters.LIMITS_NAME, limits)


def clear_vhost_limits(vhost: VirtualHost, actor: Actor) -> None:
    """No limits any more; 404 if there were none."""
    authorize_tag(actor, ADMINISTRATOR)
    _clear(vhost, parameters.VHOST_LIMITS, parameters.LIMITS_NAME, "vhost limits")


def set_user_limits(broker: Broker, actor: Actor, name: str, value: dict[str, Any]) -> None:
    """Bound a user (`max-connections`, `max-channels`); who is in already stays. 404 without the user."""
    authorize_tag(actor, ADMINISTRATOR)
    if broker.access.users.get(name) is None:
        raise NotFound(f"no user '{name}'")
    limits = parse_limits(value, admission.USER_LIMITS, "user-limits")
    broker.parameters.put(parameters.USER_LIMITS, "", name, limits)


def set_topic_permissions(
    vhost: VirtualHost, actor: Actor, user: str, value: dict[str, dict[str, str]]
) -> None:
    """All rules of a user about routing keys: exchange → `write`, `read`; none: all keys are open to it."""
    authorize_tag(actor, ADMINISTRATOR)
    accounts.parse_topics(user, vhost.name, value)
    _set(vhost, parameters.TOPIC_PERMISSION, user, value)


def set_vhost(broker: Broker, actor: Actor, name: str, value: dict[str, Any]) -> None:
    """Have a virtual host (`description`, `tags`, `default_queue_type`, `tracing`)."""
    authorize_tag(actor, ADMINISTRATOR)
    broker.parameters.put(parameters.VHOST, checked_name(name), "", accounts.check_vhost(name, value))


def pause_queue(vhost: VirtualHost, actor: Actor, name: str) -> None:
    """Deliver nothing of a queue until it is resumed, after a restart too if the queue is there then."""
    authorize_tag(actor, ADMINISTRATOR)
    queue = find_queue(vhost, owner_of(vhost, name), name)
    if queue.paused:
        return
    if queue.journaled:
        _set(vhost, parameters.PAUSED, name, {"paused": True})
    else:
        queue.pause()
    vhost.broker.events.tell("queue.paused", description.of_queue(queue))


def resume_queue(vhost: VirtualHost, actor: Actor, name: str) -> None:
    """Deliver again, at once."""
    authorize_tag(actor, ADMINISTRATOR)
    queue = find_queue(vhost, owner_of(vhost, name), name)
    if not queue.paused:
        return
    if queue.journaled:
        _clear(vhost, parameters.PAUSED, name, "paused queue")
    else:
        queue.resume()
    vhost.broker.events.tell("queue.resumed", description.of_queue(queue))


def owner_of(vhost: VirtualHost, name: str) -> object | None:
    """In whose name an administrator asks: an exclusive queue is locked for all but its connection."""
    queue = vhost.queues.get(name)
    return None if queue is None or queue.hidden else queue.owner


def checked_name(name: str) -> str:
    """The name itself, if it can be one (406)."""
    if not name or len(name.encode(errors="replace")) > NAME_BYTES_MAX:
        raise PreconditionFailed(f"a name must be 1 to {NAME_BYTES_MAX} bytes of UTF-8")
    return name


def _set(vhost: VirtualHost, component: str, name: str, value: dict[str, Any]) -> None:
    vhost.broker.parameters.put(component, vhost.name, name, value)


def _clear(vhost: VirtualHost, component: str, name: str, noun: str) -> None:
    if not vhost.broker.parameters.clear(component, vhost.name, name):
        raise NotFound(f"no {noun} '{name}' in vhost '{vhost.name}'")
