"""mambaamqp/session/confirms.py: what is acknowledged when, and how many at once."""

import pytest
from pamqp import commands, frame

from mambaamqp.session.confirms import Confirms
from mambaamqp.session.outbox import Outbox


class Rig:
    """Confirms of channel 3, and what they wrote."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.confirms = Confirms(3, self.outbox)

    def publish(self, count: int = 1, journal: int = 0) -> None:
        """Accepted publishes, journaled up to a position or not at all."""
        self.confirms.published += count
        self.confirms.accepted = self.confirms.published
        if journal:
            self.confirms.position = journal

    def refuse(self) -> None:
        self.confirms.published += 1
        self.confirms.refuse()

    def answers(self) -> list[tuple[str, int, bool]]:
        """(method, tag, multiple) since the last call."""
        data = b""
        while chunk := self.outbox.take():
            data += chunk
        found = []
        while data:
            size, channel, method = frame.unmarshal(data)
            data = data[size:]
            assert channel == 3
            assert isinstance(method, commands.Basic.Ack | commands.Basic.Nack)
            found.append((method.name, method.delivery_tag, bool(method.multiple)))
        return found


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_what_needs_no_journal_is_confirmed_with_its_batch(rig: Rig) -> None:
    """All of the batch with one cumulative acknowledgement; a single one is not called multiple."""
    rig.publish(3)
    assert rig.confirms.waiting == 3
    assert not rig.confirms.end_batch(0)
    rig.publish()
    assert not rig.confirms.end_batch(0)

    assert rig.answers() == [("Basic.Ack", 3, True), ("Basic.Ack", 4, False)]
    assert rig.confirms.waiting == 0


def test_an_empty_batch_says_nothing(rig: Rig) -> None:
    """Nothing published, or nothing since the last end."""
    assert not rig.confirms.end_batch(0)
    rig.publish()
    rig.confirms.end_batch(0)
    rig.answers()
    assert not rig.confirms.end_batch(0)
    assert rig.answers() == []


def test_what_was_journaled_waits_for_its_position(rig: Rig) -> None:
    """One octet short of it is not enough."""
    rig.publish(2, journal=500)
    assert rig.confirms.end_batch(100)
    assert rig.confirms.durable(499)
    assert rig.answers() == []
    assert not rig.confirms.durable(500)
    assert rig.answers() == [("Basic.Ack", 2, True)]


def test_batches_that_became_durable_together_are_one_acknowledgement(rig: Rig) -> None:
    """And the one behind them waits on."""
    for position in (100, 200, 300):
        rig.publish(10, journal=position)
        assert rig.confirms.end_batch(0)
    assert rig.confirms.durable(250)
    assert rig.answers() == [("Basic.Ack", 20, True)]
    assert rig.confirms.waiting == 10
    assert not rig.confirms.durable(1000)
    assert rig.answers() == [("Basic.Ack", 30, True)]


def test_a_transient_publish_does_not_overtake_a_persistent_one(rig: Rig) -> None:
    """A cumulative acknowledgement would cover what is not safe."""
    rig.publish(journal=100)
    assert rig.confirms.end_batch(0)
    rig.publish()
    assert rig.confirms.end_batch(0)
    assert rig.answers() == []
    assert not rig.confirms.durable(100)
    assert rig.answers() == [("Basic.Ack", 2, True)]


def test_a_batch_without_news_is_not_parked_twice(rig: Rig) -> None:
    """The end of a batch comes round without a publish."""
    rig.publish(journal=100)
    rig.confirms.end_batch(0)
    rig.confirms.end_batch(0)
    assert len(rig.confirms.parked) == 1


def test_a_refusal_is_answered_on_the_spot(rig: Rig) -> None:
    """Before any acknowledgement could cover its number, and it covers no other."""
    rig.publish(2, journal=100)
    rig.refuse()
    assert rig.answers() == [("Basic.Nack", 3, False)]
    rig.publish(journal=100)
    assert rig.confirms.end_batch(0)
    rig.confirms.durable(100)
    assert rig.answers() == [("Basic.Ack", 4, True)]


def test_only_refusals_leave_nothing_to_acknowledge(rig: Rig) -> None:
    """A tag that was refused is never acknowledged by itself."""
    rig.refuse()
    rig.answers()
    assert not rig.confirms.end_batch(1000)
    assert rig.answers() == []
