"""Fixtures: a broker for each module, a name that nobody else uses, and what to do without a tool."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import NoReturn

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
        missing(tool)
    return str(path)


def need_header(compiler: str, header: str, package: str) -> None:
    """See that the compiler finds a header, and say which package brings it."""
    source = f"#include <{header}>\n"
    command = [compiler, "-x", "c", "-fsyntax-only", "-"]
    if subprocess.run(command, input=source, capture_output=True, text=True).returncode:
        missing(package)


def missing(what: str) -> NoReturn:
    """The test fails in CI and is skipped elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed, and CI must have it")
    pytest.skip(f"{what} is not installed")


def own_broker_only(broker: BrokerProcess) -> None:
    """Skip what stops and starts the broker when it is somebody else's."""
    if broker.foreign:
        pytest.skip("a foreign broker is not restarted")
