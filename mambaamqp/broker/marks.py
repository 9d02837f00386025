"""Marks of redelivery that no record has: given to all at an unclean start, written at the stop."""

from mambaamqp.broker.asleep import is_journaled, is_marked
from mambaamqp.broker.queue import Queue


def note_marks(queue: Queue) -> None:
    """Have the journal know of all that wait in a queue marked as redelivered."""
    pager = queue.broker.pager
    for line in queue.ready.all_lines():
        queue.returned += [entry for entry in line.awake() if entry.redelivered and entry.journaled]
        for asleep in line.sleeping():
            queue.marks += [
                (slot[0], pager.delivery_count(slot))
                for slot in asleep.slots()
                if is_marked(slot) and is_journaled(slot)
            ]
    if queue.returned or queue.marks:
        queue.owe()
