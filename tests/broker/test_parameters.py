"""mambaamqp/broker/parameters.py: what is set is written, applied, and there again after a restart."""

import logging

import pytest

from mambaamqp.broker.parameters import PARAMETER_BYTES_MAX, Parameters
from mambaamqp.errors import PreconditionFailed
from mambaamqp.store import records
from mambaamqp.store.segment import Segment
from tests.support.client import World

POLICY = {"pattern": "^q", "definition": {"max-length": 1}, "priority": 3, "apply-to": "queues"}


@pytest.fixture
def parameters(world: World) -> Parameters:
    return world.broker.parameters


def test_what_is_set_survives(world: World, parameters: Parameters) -> None:
    """Also a death right after it was synced; what was cleared is gone."""
    parameters.put("policy", "/", "p", {"pattern": "old"} | POLICY)
    parameters.put("policy", "/", "p", POLICY)
    parameters.put("policy", "/", "gone", POLICY)
    assert parameters.clear("policy", "/", "gone")
    world.commit()
    for clean in (False, True):
        world = world.restart(clean=clean)
        assert world.broker.parameters.of("policy") == [("/", "p", POLICY)]
        assert list(world.broker.vhosts["/"].policies.plain) == ["p"]


def test_a_checkpoint_has_it_too(world: World, parameters: Parameters) -> None:
    """So the segment that it was written into may go."""
    parameters.put("operator_policy", "/", "o", POLICY | {"apply-to": "queues"})
    world.commit()
    world.journal.seal()
    world.broker.checkpoint()
    world.commit()
    again = world.restart()
    assert again.broker.parameters.get("operator_policy", "/", "o") == POLICY


def test_the_same_again_is_not_written(world: World, parameters: Parameters) -> None:
    """Definitions that are loaded at every start do not make the log longer."""
    parameters.put("policy", "/", "p", POLICY)
    position = world.journal.position
    parameters.put("policy", "/", "p", dict(POLICY))
    assert not parameters.clear("policy", "/", "unknown")
    assert world.journal.position == position


def test_what_is_too_large_is_refused(world: World, parameters: Parameters) -> None:
    """Before anything is written."""
    position = world.journal.position
    with pytest.raises(PreconditionFailed, match="larger than"):
        parameters.put("policy", "/", "p", {"pattern": "x" * PARAMETER_BYTES_MAX})
    assert world.journal.position == position
    assert parameters.of("policy") == []


@pytest.mark.parametrize("octets", [b"{", b"[]", b"{}", b'{"pattern": "("}', b"\xff", b"[" * 100_000])
def test_what_cannot_be_applied_is_reported(
    world: World, octets: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A start goes on without it: the rest of the log counts."""
    facts = [records.Parameter("policy", "/", "p", octets), records.Parameter("strange", "", "s", b"{}")]
    with caplog.at_level(logging.ERROR):
        world.broker.recover([(number, Segment(0), fact) for number, fact in enumerate(facts)])
    assert "policy 'p' in vhost '/' has no effect" in caplog.text
    assert world.broker.vhosts["/"].policies.is_empty
    assert world.broker.parameters.get("strange", "", "s") == {}


def test_a_virtual_host_takes_its_own_along(world: World, parameters: Parameters) -> None:
    """And nobody else's."""
    world.broker.recover(
        [
            (1, Segment(0), records.VhostDeclare("v")),
            (
                2,
                Segment(0),
                records.Parameter("policy", "v", "p", b'{"pattern":"","definition":{"expires":1}}'),
            ),
            (3, Segment(0), records.Parameter("user", "", "u", b"{}")),
            (4, Segment(0), records.VhostDelete("v")),
        ]
    )
    assert list(parameters.values) == [("user", "", "u")]
