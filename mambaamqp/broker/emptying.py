"""How a queue is emptied: purged, while it goes on, or drained, when it is deleted.

What sleeps is let go without being read back. Of a queue that is deleted all goes to `broker.remains`, which
sees to it later. Refuses to know who asked.
"""

from typing import TYPE_CHECKING

from mambaamqp.broker.asleep import Asleep, is_journaled
from mambaamqp.broker.ready import ready_for

if TYPE_CHECKING:
    from mambaamqp.broker.queue import Queue


def purge(queue: "Queue") -> int:
    """Drop all that waits, what is delayed too; returns how many. The unacknowledged and the dead stay."""
    queue.dispatch()
    count = queue.ready.count + len(queue.delayed)
    for entry in queue.delayed.take_all():
        queue.settle_unseen(entry)
    while True:
        if (asleep := queue.ready.pop_asleep()) is not None:
            queue.broker.pager.release(asleep)
            _note_settled(queue, asleep)
        elif (awake := queue.ready.pop()) is not None:
            queue.settle_unseen(awake)
        else:
            return count


def _note_settled(queue: "Queue", asleep: Asleep) -> None:
    """The next flush writes that what sleeps there is done with."""
    if asleep.is_run:
        queue.note_dropped(asleep.first, asleep.last)
        return
    for slot in asleep.slots():
        if is_journaled(slot):
            queue.note_settled(slot[0])


def drain(queue: "Queue") -> int:
    """The queue is being deleted: let go of all that waits without a word to the journal. How many?"""
    queue.deleted = True
    queue.pace.release(queue.broker.now)
    remains, ready = queue.broker.remains, queue.ready
    for entry in queue.delayed.take_all() + queue.kept.take_all():
        remains.lay_down(entry)
    if ready.count:
        remains.take(ready)
    queue.ready = ready_for(queue.arguments.queue_type, queue.arguments.max_priority, queue)
    queue.settled.clear()
    queue.returned.clear()
    queue.marks.clear()
    queue.expiry.clear()
    queue.broker.agenda.cancel(queue)
    return ready.count
