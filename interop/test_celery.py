"""Celery: a worker that runs tasks, with remote control and events."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import TaskRevokedError

from interop.broker import BrokerProcess

WORKER_SECONDS = 60.0
WORKER: dict[str, Any] = {"destination": ["w@interop"], "timeout": 5.0, "limit": 1}
"""Whom to ask, and not to wait for others."""


@pytest.fixture(scope="module")
def app(broker: BrokerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The application, with a worker that serves it."""
    environment = dict(os.environ, INTEROP_CELERY_URL=broker.url + "/", C_FORCE_ROOT="1")
    os.environ["INTEROP_CELERY_URL"] = environment["INTEROP_CELERY_URL"]
    from interop.celery_app import app as celery

    log = tmp_path_factory.mktemp("celery") / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "interop.celery_app",
                "worker",
                "-c",
                "2",
                "-E",
                "-n",
                "w@interop",
            ],
            cwd=Path(__file__).parent.parent,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for_worker(celery, worker, log)
        yield celery
    finally:
        worker.terminate()
        worker.wait(30)


def _wait_for_worker(celery: Any, worker: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + WORKER_SECONDS
    while not celery.control.ping(timeout=0.5):
        assert worker.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()


def test_tasks_return_results(app: Any) -> None:
    """Tasks run and their results come back over rpc://."""
    from interop.celery_app import add

    results = [add.delay(number, 1) for number in range(50)]
    assert [result.get(timeout=30) for result in results] == list(range(1, 51))


def test_retry_and_countdown(app: Any) -> None:
    """A task that retries and one with a countdown come through."""
    from interop.celery_app import fail_once, later

    retried = fail_once.delay(7)
    delayed = later.apply_async(("soon",), countdown=0.5)
    assert retried.get(timeout=30) == 7
    assert delayed.get(timeout=30) == "soon"


def test_more_tasks_wait_for_their_time_than_are_prefetched(app: Any) -> None:
    """All come through, none before its time."""
    from interop.celery_app import later

    began = time.monotonic()
    waiting = [later.apply_async((str(number),), countdown=1.5) for number in range(10)]
    assert [result.get(timeout=30) for result in waiting] == [str(number) for number in range(10)]
    assert time.monotonic() - began >= 1.5


def test_prefetch_is_what_the_worker_can_do(app: Any) -> None:
    """Two processes, a multiplier of one: no more than two are reserved, and the rest wait in the queue."""
    from interop.celery_app import doze

    inspect = app.control.inspect(**WORKER)
    results = [doze.delay(0.4) for _ in range(6)]
    reserved = inspect.reserved()["w@interop"]
    active = inspect.active()["w@interop"]
    assert len(reserved) + len(active) <= 4
    assert len({result.get(timeout=30) for result in results}) == 2


def test_groups_and_chains(app: Any) -> None:
    """Results of many tasks together, and of one after another. (rpc:// refuses chords itself.)"""
    from celery import chain, group

    from interop.celery_app import add, total

    several = group(add.s(number, number) for number in range(20)).apply_async()
    assert several.get(timeout=30) == [2 * number for number in range(20)]
    assert chain(add.s(1, 2), add.s(4), add.s(8)).apply_async().get(timeout=30) == 15
    assert total.delay([1, 2, 3]).get(timeout=30) == 6


def test_a_revoked_task_does_not_run(app: Any) -> None:
    """Revoking is a broadcast to all workers by a fanout exchange."""
    from interop.celery_app import later

    revoked = later.apply_async(("never",), countdown=2.0)
    app.control.revoke(revoked.id, reply=True, **WORKER)
    with pytest.raises(TaskRevokedError):
        revoked.get(timeout=30)


def test_remote_control(app: Any) -> None:
    """ping, inspect and pool control reach the worker and answer."""
    assert app.control.ping(**WORKER) == [{"w@interop": {"ok": "pong"}}]
    inspect = app.control.inspect(**WORKER)
    assert inspect.ping() == {"w@interop": {"ok": "pong"}}
    assert "interop.celery_app.add" in inspect.registered()["w@interop"]
    assert inspect.stats()["w@interop"]["pool"]
    assert app.control.pool_grow(1, reply=True, **WORKER)


def test_events(app: Any) -> None:
    """The worker's events reach a receiver."""
    from interop.celery_app import add

    seen: list[str] = []
    started = threading.Event()
    done = threading.Event()

    def receive() -> None:
        with app.connection() as connection:

            def on_event(event: dict[str, Any]) -> None:
                seen.append(event["type"])
                receiver.should_stop = done.is_set() or event["type"] == "task-succeeded"

            receiver = app.events.Receiver(connection, handlers={"*": on_event})
            started.set()
            receiver.capture(limit=None, timeout=None, wakeup=False)

    thread = threading.Thread(target=receive)
    thread.start()
    started.wait(5)
    deadline = time.monotonic() + 20
    while "task-succeeded" not in seen and time.monotonic() < deadline:
        add.delay(1, 1).get(timeout=30)
    done.set()
    thread.join(30)
    assert "task-succeeded" in seen
