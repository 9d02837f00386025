"""mambaamqp/server/committer.py: one commit for everybody, and the end after a failed one."""

import math

import pytest
import trio

from mambaamqp.server import committer
from mambaamqp.store.commit import DiskFull
from tests.server.conftest import Rig, open_rig
from tests.support.shell import FAILED


async def test_confirms_what_is_durable(rig: Rig) -> None:
    """A session parked on a position is told when the disk has it."""
    client = await rig.connect()
    assert await client.ask("journal a") == "confirmed a"
    assert rig.disk.commits == [[b"a"]]


async def test_one_commit_for_what_arrives_meanwhile(rig: Rig) -> None:
    """While the disk is busy, everybody's records gather for one commit."""
    clients = [await rig.connect() for _ in range(3)]
    for client in clients:
        await client.ask("say here")
    rig.disk.gate.clear()
    await clients[0].send("journal a")
    await trio.testing.wait_all_tasks_blocked(0.02)
    for client in clients[1:]:
        await client.send("journal b")
    await trio.testing.wait_all_tasks_blocked(0.02)
    rig.disk.gate.set()
    assert [await client.line() for client in clients] == ["confirmed a", "confirmed b", "confirmed b"]
    assert rig.disk.commits == [[b"a"], [b"b", b"b"]]


async def test_what_nobody_waits_for_is_committed_with_the_next(rig: Rig) -> None:
    """A record without a waiter causes no commit of its own while another is on its way."""
    client = await rig.connect()
    await client.ask("say here")
    assert await client.ask("lazy ack\njournal a") == "confirmed a"
    assert rig.disk.commits == [[b"ack", b"a"]]


async def test_what_nobody_waits_for_is_committed_soon(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """Without anybody waiting, records are committed after the lazy delay."""
    client = await rig.connect()
    assert await client.ask("lazy ack\nsay here") == "here"
    assert rig.disk.commits == []
    await trio.sleep(1)
    while not rig.disk.commits:
        await trio.testing.wait_all_tasks_blocked(0.005)
    assert rig.disk.commits == [[b"ack"]]


async def test_much_that_nobody_waits_for_is_committed_at_once(rig: Rig) -> None:
    """Unwaited records do not pile up beyond LAZY_BYTES."""
    rig.journal.append(b"x" * 300_000)
    rig.node.finish(rig.node.now())
    assert await rig.node.committer.drain() is True
    assert len(rig.disk.commits) == 1


async def test_a_lost_connection_waits_for_nothing(rig: Rig) -> None:
    """A connection that is gone is not told, and what it wrote is committed all the same."""
    client, other = await rig.connect(), await rig.connect()
    await other.ask("say here")
    rig.disk.gate.clear()
    await client.send("journal a")
    await trio.testing.wait_all_tasks_blocked(0.02)
    await client.stream.aclose()
    await other.send("journal b")
    await trio.testing.wait_all_tasks_blocked(0.02)
    rig.disk.gate.set()
    assert await other.line() == "confirmed b"
    assert rig.disk.commits == [[b"a"], [b"b"]]


async def test_a_failed_commit_is_final(rig: Rig) -> None:
    """After one failure nothing is committed or confirmed again, though the disk would take it."""
    client = await rig.connect()
    await client.ask("say here")
    rig.disk.error = FAILED
    await client.send("journal a")
    with trio.fail_after(5):
        await rig.node.stop_requested.wait()
    rig.disk.error = None
    assert await client.ask("journal b\nsay still here") == "still here"
    assert await rig.node.committer.drain() is False
    assert (rig.node.store_error, rig.disk.commits) == (FAILED, [])


async def test_an_unexpected_error_is_a_store_error(rig: Rig) -> None:
    """Whatever breaks in the thread is reported as a failed store, with its cause."""
    client = await rig.connect()
    rig.disk.error = ZeroDivisionError("a bug")
    await client.send("journal a")
    with trio.fail_after(5):
        await rig.node.stop_requested.wait()
    assert rig.node.store_error is not None
    assert rig.node.store_error.__cause__ is rig.disk.error


async def test_drain_commits_everything(rig: Rig) -> None:
    """drain() returns when nothing is pending or in flight any more."""
    rig.journal.append(b"a")
    assert await rig.node.committer.drain() is True
    assert (rig.disk.commits, rig.journal.durable) == ([[b"a"]], 1)


async def test_an_interval_syncs_late(autojump_clock: trio.testing.MockClock) -> None:
    """With an interval, what is written is confirmed at once, and one sync for all follows within it."""
    async with open_rig(sync_interval_seconds=0.2) as rig:
        rig.journal.append(b"a")
        rig.node.committer.commit()
        while rig.journal.durable < 1:
            await trio.testing.wait_all_tasks_blocked(0.001)
        while not rig.disk.syncs:
            await trio.sleep(0.1)
        assert (rig.disk.commits, rig.disk.syncs) == ([[b"a"]], [1])


async def test_without_syncs_the_stop_syncs() -> None:
    """Though nothing is ever synced while it runs, a drained committer has synced."""
    async with open_rig(sync_interval_seconds=math.inf) as rig:
        rig.journal.append(b"a")
        assert await rig.node.committer.drain() is True
        assert (rig.disk.commits, rig.disk.syncs) == ([[b"a"]], [1])


async def test_every_commit_syncs_itself_by_default(rig: Rig) -> None:
    """Without an interval there are no late syncs."""
    rig.journal.append(b"a")
    assert await rig.node.committer.drain() is True
    assert rig.disk.syncs == []


async def test_a_late_sync_that_fails_is_final() -> None:
    """A sync of its own is final as well when it fails."""
    async with open_rig(sync_interval_seconds=math.inf) as rig:
        rig.disk.sync_error = OSError(5, "Input/output error")
        rig.journal.append(b"a")
        assert await rig.node.committer.drain() is False
        assert "cannot sync the journal" in str(rig.node.store_error)


async def test_a_full_disk_is_waited_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room nothing is confirmed; with room the same commit is written, then what came behind it."""
    # A faked clock would run away while the committer's thread works.
    monkeypatch.setattr(committer, "FULL_RETRY_SECONDS", 0.001)
    client = await rig.connect()
    await client.ask("say here")
    rig.disk.error = DiskFull("no room for the journal")
    await client.send("journal a")
    # The node retries without a pause, so its tasks are never all blocked for long.
    while not rig.node.committer.disk_full:
        await trio.sleep(0.001)
    assert await client.ask("journal b\nsay waiting") == "waiting"
    assert (rig.disk.commits, rig.node.store_error) == ([], None)
    rig.disk.error = None
    assert [await client.line(), await client.line()] == ["confirmed a", "confirmed b"]
    assert (rig.disk.commits, rig.node.committer.disk_full) == ([[b"a"], [b"b"]], False)
