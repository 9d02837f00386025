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

from interop.broker import BrokerProcess

WORKER_SECONDS = 60.0


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


def test_remote_control(app: Any) -> None:
    """ping, inspect and pool control reach the worker and answer."""
    assert app.control.ping(timeout=5) == [{"w@interop": {"ok": "pong"}}]
    inspect = app.control.inspect(timeout=5)
    assert "interop.celery_app.add" in inspect.registered()["w@interop"]
    assert inspect.stats()["w@interop"]["pool"]
    assert app.control.pool_grow(1, reply=True, timeout=5)


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
