"""mambaamqp/server/stopping.py: good-byes within a deadline, and the last commit."""

import pytest
import trio

from mambaamqp.server.stopping import SHUTDOWN_TEXT, stop
from tests.server.conftest import Client, Rig
from tests.support.shell import FAILED


async def polite(client: Client) -> list[str]:
    """Read everything, then close, as a client library does."""
    lines = [line async for line in everything(client)]
    await client.stream.aclose()
    return lines


async def everything(client: Client):  # type: ignore[no-untyped-def]
    while line := await client.line():
        yield line


def close_books(rig: Rig):  # type: ignore[no-untyped-def]
    return lambda now: rig.journal.append(b"clean stop")


async def test_polite_clients_end_at_once(rig: Rig, nursery: trio.Nursery) -> None:
    """When everybody answers, nothing waits for the deadline; the last record is committed."""
    client = await rig.connect()
    await client.ask("say here")
    nursery.start_soon(polite, client)
    with trio.fail_after(5):
        clean = await stop(rig.node, shutdown_seconds=60, insisted=trio.Event(), close_books=close_books(rig))
    assert (clean, rig.disk.commits) == (True, [[b"clean stop"]])


async def test_clients_are_told(rig: Rig, autojump_clock: trio.testing.MockClock) -> None:
    """Everybody gets the 320 with RabbitMQ's words."""
    client = await rig.connect()
    await client.ask("say here")
    await stop(rig.node, shutdown_seconds=1, insisted=trio.Event(), close_books=close_books(rig))
    assert await client.line() == f"320 {SHUTDOWN_TEXT}"


async def test_deaf_clients_are_dropped_at_the_deadline(rig: Rig) -> None:
    """A client that reads nothing delays the stop until the deadline and no longer."""
    client = await rig.connect(receive_buffer_bytes=4096)
    await client.send("send 3000000 x", "stop")
    await trio.testing.wait_all_tasks_blocked(0.02)
    with trio.fail_after(5):
        clean = await stop(
            rig.node, shutdown_seconds=0.05, insisted=trio.Event(), close_books=close_books(rig)
        )
    assert (clean, len(rig.node.connections)) == (True, 0)


async def test_insisting_ends_the_waiting(rig: Rig) -> None:
    """A second signal drops the clients at once, and what is left is committed all the same."""
    client = await rig.connect()
    await client.ask("say here")
    insisted = trio.Event()
    insisted.set()
    with trio.fail_after(5):
        clean = await stop(rig.node, shutdown_seconds=60, insisted=insisted, close_books=close_books(rig))
    assert (clean, rig.disk.commits) == (True, [[b"clean stop"]])


async def test_after_a_failed_store_nothing_is_committed(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """Clients hear of the failure, within a second, and the stop is not clean."""
    client = await rig.connect()
    await client.ask("say here")
    rig.disk.error = FAILED
    await client.send("journal a")
    await rig.node.stop_requested.wait()
    start = trio.current_time()
    clean = await stop(rig.node, shutdown_seconds=60, insisted=trio.Event(), close_books=close_books(rig))
    assert (clean, await client.line(), rig.disk.commits) == (False, "541", [])
    assert trio.current_time() - start < 1


async def test_a_disk_that_hangs_is_not_waited_for_for_ever(
    rig: Rig, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The last commit has a deadline of its own."""
    rig.disk.gate.clear()
    clean = await stop(rig.node, shutdown_seconds=1, insisted=trio.Event(), close_books=close_books(rig))
    assert clean is False
    assert "did not finish" in caplog.text


async def test_an_error_in_the_last_records_is_logged(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A bug while the books are closed makes an unclean stop, not a hanging one."""

    def broken(now: float) -> None:
        raise ZeroDivisionError("a bug")

    clean = await stop(rig.node, shutdown_seconds=1, insisted=trio.Event(), close_books=broken)
    assert clean is False
    assert "unexpected error while stopping" in caplog.text
