"""mambaamqp/broker/agenda.py: which queue wants to be looked at when."""

from collections.abc import Callable

import pytest

from mambaamqp.broker.agenda import Agenda
from mambaamqp.broker.entry import NEVER
from mambaamqp.broker.queue import Queue


@pytest.fixture
def queues(make: Callable[..., Queue]) -> tuple[Queue, Queue]:
    return make("a"), make("b")


def test_the_first_moment_counts(queues: tuple[Queue, Queue]) -> None:
    """Due queues come in the order of their moments, each once."""
    agenda, (first, second) = Agenda(), queues
    assert agenda.next_moment() == NEVER
    agenda.schedule(first, 5.0)
    agenda.schedule(second, 3.0)
    assert agenda.next_moment() == 3.0
    assert agenda.due(4.9) == [second]
    assert agenda.due(5.0) == [first]
    assert agenda.due(9.0) == []


def test_an_earlier_appointment_is_kept(queues: tuple[Queue, Queue]) -> None:
    """A later one changes nothing, an earlier one takes its place."""
    agenda, (queue, _) = Agenda(), queues
    agenda.schedule(queue, 5.0)
    agenda.schedule(queue, 7.0)
    assert agenda.next_moment() == 5.0
    agenda.schedule(queue, 2.0)
    assert (agenda.next_moment(), len(agenda.moments)) == (2.0, 1)


def test_queues_share_a_moment(queues: tuple[Queue, Queue]) -> None:
    """Both are due."""
    agenda = Agenda()
    for queue in queues:
        agenda.schedule(queue, 1.0)
    assert agenda.due(1.0) == list(queues)


def test_a_cancelled_appointment_is_forgotten(queues: tuple[Queue, Queue]) -> None:
    """And may be made again; NEVER is none at all."""
    agenda, (queue, _) = Agenda(), queues
    agenda.schedule(queue, NEVER)
    agenda.schedule(queue, 1.0)
    agenda.cancel(queue)
    agenda.cancel(queue)
    assert (agenda.next_moment(), queue.appointment) == (NEVER, NEVER)
    agenda.schedule(queue, 2.0)
    assert agenda.due(2.0) == [queue]
