"""One real broker in a process of its own for all tests of the load command."""

from collections.abc import Iterator

import pytest

from tests.support.process import BrokerProcess


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where it listens."""
    with BrokerProcess(tmp_path_factory.mktemp("bench") / "data") as broker:
        yield f"amqp://guest:guest@127.0.0.1:{broker.port}/"
