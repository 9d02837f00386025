"""mambaamqp/server/node.py: who may come in, and the end of a batch."""

import pytest
import trio

from mambaamqp.server.node import ALONE_SECONDS
from tests.server.conftest import Rig, open_rig


async def test_refuses_connections_beyond_the_limit() -> None:
    """One connection more than connections_max is closed at once; the others go on."""
    async with open_rig(connections_max=1) as rig:
        first, second = await rig.connect(), await rig.connect()
        assert await second.line() == ""
        assert await first.ask("say hello") == "hello"


async def test_strangers_wait_outside_while_many_have_not_logged_in() -> None:
    """Beyond connections_pre_login_max connections stay in the kernel's backlog until a login is answered."""
    async with open_rig(connections_pre_login_max=1) as rig:
        first, second = await rig.connect(), await rig.connect()
        assert await first.ask("say hello") == "hello"
        await second.send("say here too")
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert len(rig.node.connections) == 1
        assert await first.ask("login anna") == "hello anna"
        assert await second.line() == "here too"


async def test_a_stranger_that_leaves_makes_room() -> None:
    """A connection that ends before its login gives its place to the next."""
    async with open_rig(connections_pre_login_max=1) as rig:
        first = await rig.connect()
        await first.ask("say hello")
        second = await rig.connect()
        await first.stream.aclose()
        assert await second.ask("say here") == "here"


async def test_a_connection_is_alone_once_no_other_was_read_for_a_while(rig: Rig) -> None:
    """However often it is read meanwhile: a flood is many reads in no time."""
    clients = [await rig.connect(), await rig.connect()]
    assert [await client.ask("say here") for client in clients] == ["here", "here"]
    flood, other = rig.node.connections
    start = rig.node.now()
    assert not rig.node.is_alone(other, start)
    assert [rig.node.is_alone(flood, start + ALONE_SECONDS / 100 * n) for n in range(100)] == [False] * 100
    later = start + 2 * ALONE_SECONDS
    assert rig.node.is_alone(flood, later)
    assert not rig.node.is_alone(other, later)
    assert not rig.node.is_alone(flood, later)


async def test_an_error_while_dispatching_is_logged(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A bug below does not end the batch: what is there to send is sent."""
    rig.broker.error = ZeroDivisionError("a bug")
    client = await rig.connect()
    assert await client.ask("say hello") == "hello"
    assert "unexpected error while dispatching" in caplog.text


async def test_the_brokers_deadline_is_kept(rig: Rig, autojump_clock: trio.testing.MockClock) -> None:
    """The broker is ticked when its own deadline has come."""
    start = rig.node.now()
    rig.broker.deadline = start + 50
    rig.node.finish(start)
    await trio.sleep(60)
    assert rig.broker.ticks == [start + 50]


async def test_a_failed_node_says_so(rig: Rig) -> None:
    """Without a text the good-bye is a failure."""
    client = await rig.connect()
    await client.ask("say here")
    rig.node.shut_down(None)
    assert [await client.line(), await client.line()] == ["541", ""]


async def test_says_goodbye_to_all(rig: Rig) -> None:
    """Shutting down reaches every client, and the node is empty when they have gone."""
    clients = [await rig.connect() for _ in range(3)]
    for client in clients:
        await client.ask("say here")
    rig.node.shut_down("shutdown")
    assert [await client.line() for client in clients] == ["320 shutdown"] * 3
    for client in clients:
        await client.stream.aclose()
    with trio.fail_after(5):
        await rig.node.wait_until_empty()
