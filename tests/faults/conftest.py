"""Small stores: messages of a few hundred octets are chunked, as large ones are in earnest."""

import logging

import pytest

from tests.faults.scale import shrink


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch)


@pytest.fixture(autouse=True)
def torn_tails_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of recoveries would report theirs; and clients complain of brokers that die."""
    caplog.set_level(logging.CRITICAL, "mambaamqp.store")
    caplog.set_level(logging.CRITICAL, "pika")
