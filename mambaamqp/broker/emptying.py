"""How a queue is emptied: purged, while it goes on, or drained, when it is deleted.

What sleeps is let go without being read back. Refuses to know who asked.
"""

from typing import TYPE_CHECKING

from mambaamqp.broker.asleep import is_journaled
from mambaamqp.broker.entry import GONE

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
            for slot in asleep.slots():
                if is_journaled(slot):
                    queue.note_settled(slot[0])
        elif (awake := queue.ready.pop()) is not None:
            queue.settle_unseen(awake)
        else:
            return count


def drain(queue: "Queue") -> int:
    """The queue is being deleted: release all that waits without a word to the journal."""
    queue.deleted = True
    queue.pace.release(queue.broker.now)
    count = queue.ready.count
    for entry in queue.delayed.take_all() + queue.kept.take_all():
        queue.settle_unseen(entry)
    while True:
        if (asleep := queue.ready.pop_asleep()) is not None:
            queue.broker.pager.release(asleep)
        elif (awake := queue.ready.pop()) is not None:
            awake.state = GONE
            if awake.journaled:
                queue.broker.release(awake)
        else:
            break
    queue.settled.clear()
    queue.returned.clear()
    queue.marks.clear()
    queue.expiry.clear()
    queue.broker.agenda.cancel(queue)
    return count
