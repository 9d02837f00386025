"""Small stores: messages of a few hundred octets are chunked, as large ones are in earnest."""

import logging

import pytest

from mambaamqp.store import records


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "CHUNK_BYTES", 600)
    monkeypatch.setattr(records, "PIECE_BYTES_MAX", 900)


@pytest.fixture(autouse=True)
def torn_tails_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of recoveries would report theirs."""
    caplog.set_level(logging.CRITICAL, "mambaamqp.store")
