"""What lives in each segment, counted again from what the queues and the channels hold."""

from collections import Counter

from mambaamqp.broker.entry import GONE, Entry
from mambaamqp.store.segment import Segment
from tests.support.client import World


def journaled_entries(world: World) -> list[Entry]:
    """Everything that the journal must hold, each entry once; nothing is woken."""
    found: dict[Entry, None] = {}
    for vhost in world.broker.vhosts.values():
        for queue in vhost.queues.values():
            found.update(dict.fromkeys(queue.ready.entries()))
            found.update(dict.fromkeys(queue.delayed.entries()))
            found.update(dict.fromkeys(queue.kept.entries()))
    for ready in world.broker.remains.ready:
        found.update(dict.fromkeys(ready.entries()))
    for holder in world.broker.holders:
        found.update(dict.fromkeys(holder.outstanding()))
    return [entry for entry in found if entry.journaled and entry.state != GONE]


def check_accounts(world: World) -> None:
    """The broker must be at rest: what it has counted is what there is."""
    messages = Counter(entry.message for entry in journaled_entries(world))
    live: Counter[Segment] = Counter()
    live_bytes: Counter[Segment] = Counter()
    for message, references in messages.items():
        assert message.references == references
        assert message.segment is not None
        live[message.segment] += 1
        live_bytes[message.segment] += message.kept_bytes()
    for segment in world.journal.segments:
        assert (segment.live, segment.live_bytes) == (live.pop(segment, 0), live_bytes.pop(segment, 0))
    assert not live, "something lives in a segment that is gone"
