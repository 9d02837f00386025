"""mambaamqp/server/connection.py: bytes between a socket and a session, and all the ways it ends."""

import logging
import socket
import struct

import pytest
import trio

from tests.server.conftest import Rig


async def test_answers_what_it_reads(rig: Rig) -> None:
    """What the session has to say after a read goes out at once."""
    client = await rig.connect()
    assert await client.ask("say hello") == "hello"


async def test_delivers_to_another_connection(rig: Rig) -> None:
    """A session woken by another one is sent in the same batch."""
    one, other = await rig.connect(), await rig.connect()
    await other.ask("say here")
    await one.send(f"to {other.port} hi")
    assert await other.line() == "hi"


async def test_sends_more_than_the_socket_takes(rig: Rig) -> None:
    """A full socket is continued when the peer reads, byte for byte."""
    client = await rig.connect(receive_buffer_bytes=4096)
    await client.send("send 3000000 x", "say end")
    text = await client.line()
    assert (len(text), set(text)) == (3_000_000, {"x"})
    assert await client.line() == "end"


async def test_a_slow_reader_stops_nobody(rig: Rig) -> None:
    """While one peer reads nothing, another is served."""
    slow, quick = await rig.connect(receive_buffer_bytes=4096), await rig.connect()
    await slow.send("send 3000000 x")
    assert await quick.ask("say hello") == "hello"


async def test_leaves_bytes_unread_while_the_session_wants_none(rig: Rig) -> None:
    """A session that does not want to read gets nothing until it wakes the shell."""
    client = await rig.connect()
    await client.send("say one", "stop")
    assert await client.line() == "one"
    await client.send("say two")
    await trio.testing.wait_all_tasks_blocked(0.02)
    assert client.session.wants_read is False
    client.session.resume()
    rig.node.finish(rig.node.now())
    assert await client.line() == "two"


async def test_closes_after_the_last_bytes(rig: Rig) -> None:
    """A closing session's last words arrive, then the end of the stream, though unread bytes are left."""
    client = await rig.connect()
    await client.send("close", "say never")
    assert await client.line() == "bye"
    assert await client.line() == ""
    await client.stream.aclose()
    await rig.node.wait_until_empty()
    assert client.session.events == ["lost"]


async def test_a_close_waits_for_what_is_read_from_the_disk(rig: Rig) -> None:
    """What a closing session still has to say may take several turns; all of it arrives."""
    client = await rig.connect()
    await client.send("spool", "send 100000 x", "send 100000 y", "close")
    assert [len(await client.line()), len(await client.line())] == [100_000, 100_000]
    assert [await client.line(), await client.line()] == ["bye", ""]


async def test_a_close_waits_for_the_journal(rig: Rig) -> None:
    """The socket of a closing session stays open until what it is parked on is durable."""
    client = await rig.connect()
    await client.ask("say here")
    rig.disk.gate.clear()
    await client.send("journal a", "close")
    assert await client.line() == "bye"
    rig.disk.gate.set()
    assert [await client.line(), await client.line()] == ["confirmed a", ""]


async def test_close_does_not_wait_for_ever(rig: Rig, autojump_clock: trio.testing.MockClock) -> None:
    """A peer that never closes its side is dropped after CLOSE_SECONDS."""
    client = await rig.connect()
    await client.send("close")
    assert await client.line() == "bye"
    await rig.node.wait_until_empty()
    assert client.session.events == ["lost"]


@pytest.mark.parametrize("before", ["lazy x", "spool"])
async def test_close_does_not_wait_for_a_full_socket(
    rig: Rig, autojump_clock: trio.testing.MockClock, before: str
) -> None:
    """A closing peer that reads nothing is dropped as well."""
    client = await rig.connect(receive_buffer_bytes=4096)
    await client.send(before, "send 3000000 x", "close")
    await rig.node.wait_until_empty()
    assert client.session.events == ["lost"]


async def test_end_of_stream_ends_the_session(rig: Rig) -> None:
    """The session learns once that its peer is gone."""
    client = await rig.connect()
    await client.ask("say hello")
    session = client.session
    await client.stream.aclose()
    await rig.node.wait_until_empty()
    assert session.events == ["lost"]


async def test_reset_ends_the_session(rig: Rig) -> None:
    """A reset connection is an end like any other, without a traceback."""
    client = await rig.connect()
    await client.ask("say hello")
    session = client.session
    client.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await client.stream.aclose()
    await rig.node.wait_until_empty()
    assert session.events == ["lost"]


async def test_a_bug_ends_only_its_connection(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception is logged with its traceback, and the other connections go on."""
    victim, other = await rig.connect(), await rig.connect()
    await other.ask("say here")
    await victim.send("bug")
    assert await victim.line() == ""
    assert await other.ask("say hello") == "hello"
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None
    assert victim.session.events == ["lost"]


async def test_deadline_ticks_the_session(rig: Rig, autojump_clock: trio.testing.MockClock) -> None:
    """The session is ticked when its deadline has come, and what it then says is sent."""
    client = await rig.connect()
    assert await client.ask("wait 30") == "tick"


async def test_shutdown_reaches_a_parked_connection(rig: Rig) -> None:
    """A connection that is not being read can be shut down, and is."""
    client = await rig.connect()
    await client.ask("say here")
    await client.send("stop", "say x")
    await trio.testing.wait_all_tasks_blocked(0.02)
    rig.node.shut_down("shutdown")
    assert [await client.line(), await client.line(), await client.line()] == ["x", "320 shutdown", ""]


async def test_drop_closes_parked_and_writing_connections(rig: Rig) -> None:
    """Dropping closes every connection, whatever its tasks wait for."""
    reading, writing, parked = await rig.connect(), await rig.connect(4096), await rig.connect()
    await reading.ask("say here")
    await writing.send("send 3000000 x")
    await parked.send("stop")
    await trio.testing.wait_all_tasks_blocked(0.02)
    rig.node.drop_connections()
    await trio.testing.wait_all_tasks_blocked(0.02)
    assert [len(rig.node.connections), len(rig.node.timers)] == [0, 0]
    assert [client.session.events for client in (reading, writing, parked)] == [["lost"]] * 3


async def test_a_session_behind_a_full_socket_is_still_heard(rig: Rig) -> None:
    """What it says while nothing can be sent does not use up its right to say that it wants to read again."""
    stuck, other = await rig.connect(receive_buffer_bytes=4096), await rig.connect()
    assert [await stuck.ask("say here"), await other.ask("say here")] == ["here", "here"]
    await stuck.send("send 3000000 x", "stop")
    await trio.testing.wait_all_tasks_blocked(0.02)
    await other.send(f"to {stuck.port} more")
    assert await other.ask("say done") == "done"
    stuck.session.resume()
    rig.node.finish(rig.node.now())
    await stuck.send(f"to {other.port} heard")
    assert await other.line() == "heard"
