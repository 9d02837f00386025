"""Fixtures: a broker for each module, a name that nobody else uses, and what to do without a tool."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.broker import BrokerProcess


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A running broker with an empty store."""
    process = BrokerProcess(tmp_path_factory.mktemp("store")).start()
    yield process
    process.stop()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name of this test alone, for queues and exchanges."""
    return f"interop.{request.node.name}"


def need(tool: str) -> str:
    """The path of a program; without it the test fails in CI and is skipped elsewhere."""
    path = shutil.which(tool)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{tool} is not installed, and CI must have it")
        pytest.skip(f"{tool} is not installed")
    return str(Path(path))


def own_broker_only(broker: BrokerProcess) -> None:
    """Skip what stops and starts the broker when it is somebody else's."""
    if broker.foreign:
        pytest.skip("a foreign broker is not restarted")
