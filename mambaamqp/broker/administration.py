"""What an administrator may set while the broker runs: check who asks and what, write it down, apply it.

Like `topology`, each operation asks for the right itself, and the caller holds its reply back until the
journal's position is durable. What the values mean is said where they are applied (`parameters`).
"""

from typing import Any, Final

from mambaamqp.access.permissions import Actor, authorize_tag
from mambaamqp.access.users import ADMINISTRATOR, POLICYMAKER
from mambaamqp.broker import parameters, policy
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
