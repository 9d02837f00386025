"""mambaamqp/broker/admission.py: what limits look like. How clients feel them: tests/flows/test_quotas.py."""

from typing import Any

import pytest

from mambaamqp.broker.admission import USER_LIMITS, VHOST_LIMITS, Admission, limit_of, parse_limits
from mambaamqp.errors import PreconditionFailed
from tests.support.client import World


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"max-connections": 1, "foo": 2}, "Unrecognised terms foo in limits"),
        ({"max-channels": 1}, "Unrecognised terms max-channels in limits"),
        ({"max-queues": "x"}, "max-queues should be a number"),
        ({"max-queues": True}, "max-queues should be a number"),
        ([], "limits should be an object"),
    ],
)
def test_what_is_no_limit_is_refused(value: Any, reason: str) -> None:
    """406, and why."""
    with pytest.raises(PreconditionFailed, match=reason):
        parse_limits(value, VHOST_LIMITS, "limits")


def test_a_negative_limit_is_none() -> None:
    """And 0 is one."""
    limits = parse_limits({"max-connections": -1, "max-channels": 0}, USER_LIMITS, "user-limits")
    assert limit_of(limits, "max-connections") is None
    assert limit_of(limits, "max-channels") == 0
    assert limit_of({}, "max-channels") is None


def test_who_has_left_is_not_remembered(world: World) -> None:
    """However often it came."""
    user = world.access.users.get("guest")
    assert user is not None
    actor, admission = world.access.actor(user, "/"), Admission()
    for _ in range(2):
        admission.enter(actor, world.broker.vhosts["/"])
        admission.open_channel(actor)
    assert admission.connections_of_vhosts == {"/": 2}
    assert admission.connections_of_users == admission.channels_of_users == {"guest": 2}
    for _ in range(2):
        admission.close_channel(actor)
        admission.leave(actor)
    assert admission.connections_of_vhosts == {}
    assert admission.connections_of_users == admission.channels_of_users == {}
