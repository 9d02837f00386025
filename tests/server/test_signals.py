"""mambaamqp/server/signals.py: what SIGTERM and SIGINT become."""

import os
import signal

import trio

from mambaamqp.server.signals import watch_signals


async def test_signals_are_reported_by_name(nursery: trio.Nursery) -> None:
    """Each signal is reported once, in order of arrival."""
    names: list[str] = []
    seen = trio.Event()

    def received(name: str) -> None:
        names.append(name)
        seen.set()

    nursery.start_soon(watch_signals, received)
    await trio.testing.wait_all_tasks_blocked()
    os.kill(os.getpid(), signal.SIGTERM)
    with trio.fail_after(5):
        await seen.wait()
    assert names == ["SIGTERM"]


async def test_another_thread_gets_none() -> None:
    """Outside the main thread there is nothing to watch, and that is no error."""

    def elsewhere() -> str:
        trio.run(watch_signals, lambda name: None)
        return "ended"

    assert await trio.to_thread.run_sync(elsewhere) == "ended"
