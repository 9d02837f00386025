"""Bugs put into the broker on purpose: a history is worth something only if it tells.

The sources only: what is compiled cannot be changed from outside.
"""

import pytest

from mambaamqp.broker.broker import Broker
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.ready import Ready
from mambaamqp.broker.stream import Stream
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.session import connection
from mambaamqp.session.channel import Channel
from mambaamqp.session.confirms import Confirms
from mambaamqp.session.outbox import Outbox
from mambaamqp.store.disk import File
from tests.support.disk import MemoryDisk
from tests.support.universe.universe import Universe

pytestmark = pytest.mark.skipif(
    not (connection.__file__ or "").endswith(".py"), reason="the core is compiled"
)


def broken_promise(seeds: int = 150) -> str:
    """The message of the first failure."""
    for seed in range(seeds):
        try:
            Universe(seed).run()
        except AssertionError as failure:
            return str(failure)
    return ""


def test_a_sync_that_does_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Confirmed messages are lost by a power cut."""

    def sync(self: MemoryDisk, file: File) -> None:
        self._show("sync")

    monkeypatch.setattr(MemoryDisk, "sync", sync)
    assert broken_promise().startswith(("I1", "I5", "I9"))


def test_confirms_before_the_sync_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """So are confirms that do not wait."""
    end_batch = Confirms.end_batch
    monkeypatch.setattr(Confirms, "end_batch", lambda self, durable: end_batch(self, 1 << 60))
    assert broken_promise().startswith(("I1", "I5", "I9"))


def test_replies_before_the_sync_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """tx.commit-ok and close-ok wait for the journal too."""
    monkeypatch.setattr(Outbox, "hold", lambda self, mark, position: None)
    assert broken_promise(400).startswith(("I1", "I5", "I9"))


def test_lost_marks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes back must say so."""
    requeue = Queue.requeue

    def forget(self: Queue, entry: object, counted: bool) -> None:
        requeue(self, entry, counted)  # type: ignore[arg-type]
        entry.redelivered = False  # type: ignore[attr-defined]

    monkeypatch.setattr(Queue, "requeue", forget)
    assert broken_promise().startswith("I6")


def test_settlements_that_are_not_written_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was acknowledged for good comes back."""
    monkeypatch.setattr(Broker, "_write_settled", lambda self, queue: queue.settled.clear())
    assert broken_promise().startswith(("I3", "I5", "I6", "I9"))


def test_dead_letters_that_vanish_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that expires reaches the queue of the dead."""
    monkeypatch.setattr(VirtualHost, "_resting_places", lambda self, traits, origin: [])
    assert broken_promise().startswith("I1")


def test_messages_that_stay_with_the_dead_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broken connection held comes back."""
    monkeypatch.setattr(Channel, "release", lambda self: None)
    assert broken_promise() != ""


def test_lost_order_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes back takes its old place."""
    monkeypatch.setattr(Ready, "push_back", lambda self, entry: self.push(entry))
    assert broken_promise().startswith("I4")


def test_a_stream_that_shows_what_is_not_safe_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash another message has the offset that somebody has seen, or none has."""

    def commit(self: Stream) -> bool:
        before, self.committed = self.committed, self.next_position
        return self.committed > before

    monkeypatch.setattr(Stream, "_commit", commit)
    assert broken_promise().startswith(("I1", "I5"))


def test_an_offset_that_is_used_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that counts on from what is left of it."""
    honest = Stream.recovered

    def recovered(self: Stream) -> None:
        self.next_position = max([entry.position for entry in self.ready.entries()][:-1], default=0) + 1
        honest(self)

    monkeypatch.setattr(Stream, "recovered", recovered)
    assert broken_promise().startswith(("I1", "I3", "I4", "I5"))


def test_a_credit_that_is_lost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader gives back is not held by anybody any more."""
    monkeypatch.setattr(Stream, "settle", lambda self, entry: None)
    assert broken_promise()
