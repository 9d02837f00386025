"""mambaamqp/server/logins.py: credentials verified beside the event loop."""

import pytest

from mambaamqp.server.logins import is_loopback
from tests.server.conftest import Rig


async def test_verifies_in_a_thread(rig: Rig) -> None:
    """A login that nobody has verified yet is hashed, and the session told."""
    client = await rig.connect()
    assert await client.ask("login anna") == "hello anna"
    assert rig.access.hashed == ["anna"]


async def test_refuses(rig: Rig) -> None:
    """Refused credentials reach the session as None."""
    client = await rig.connect()
    assert await client.ask("login nobody") == "refused"


async def test_the_cached_way_hashes_nothing(rig: Rig) -> None:
    """What was verified a moment ago is answered at once."""
    rig.access.cached.add("anna")
    client = await rig.connect()
    assert await client.ask("login anna") == "hello anna"
    assert rig.access.hashed == []


async def test_many_equal_logins_cost_few_hashes(rig: Rig) -> None:
    """A crowd with the same credentials is hashed at most once a thread."""
    clients = [await rig.connect() for _ in range(20)]
    for client in clients:
        await client.send("login anna")
    assert [await client.line() for client in clients] == ["hello anna"] * 20
    assert 1 <= len(rig.access.hashed) <= 2


async def test_an_error_while_verifying_refuses(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """When the verification itself fails, nobody comes in."""
    rig.access.error = ZeroDivisionError("a bug")
    client = await rig.connect()
    assert await client.ask("login anna") == "refused"
    assert "could not be verified" in caplog.text


async def test_a_peer_that_left_meanwhile_is_forgotten(rig: Rig) -> None:
    """The answer for a connection that is gone is dropped."""
    client = await rig.connect()
    await client.ask("say here")
    session = client.session
    await client.send("login anna")
    await client.stream.aclose()
    await rig.node.wait_until_empty()
    assert session.events == ["lost"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("fe80::1%eth0", False),
        ("nonsense", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    """Loopback is judged by the numeric address of the peer."""
    assert is_loopback(host) is expected
