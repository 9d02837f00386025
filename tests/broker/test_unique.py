"""mambaamqp/broker/unique.py: what stands in a queue is known, wherever it stands."""

from typing import Any

import pytest

from mambaamqp.broker.message import Message
from mambaamqp.broker.unique import Unique
from mambaamqp.wire import fast, properties
from tests.support.accounts import check_accounts
from tests.support.client import World

ARGUMENTS = {
    "x-message-deduplication": True,
    "x-delayed-retry-type": "all",
    "x-delayed-retry-min": 1000,
}


def message(key: str, ttl: Any = None) -> Message:
    headers = {"id": key} | ({} if ttl is None else {"x-cache-ttl": ttl})
    content = fast.content_frames(properties.encode({"headers": headers}, 0), b"")
    found = Message(b"\0\0", content, 0, True)
    found.published_ms = 1000
    return found


def test_a_message_is_known_while_it_is_there() -> None:
    """By that header, and for as long as it says."""
    unique = Unique("id")
    unique.note(message("a"))
    unique.note(message("b", 0))
    assert [unique.repeats(message(key)) for key in "abc"] == [True, False, False]
    unique.forget(message("a"))
    assert not unique.repeats(message("a"))
    assert not Unique("other").repeats(message("a"))


@pytest.mark.parametrize("drowsy", [0, 1])
def test_all_that_stands_in_a_queue_is_recalled(drowsy: int) -> None:
    """Ready, asleep, delayed and unacknowledged."""
    world = World(drowsy=drowsy)
    client = world.connect().open()
    client.queue("u", durable=True, arguments=ARGUMENTS)
    client.queue("elsewhere")
    for key in "abcdef":
        headers = {"x-deduplication-header": key}
        for name in ("u", "elsewhere"):
            client.publish(b"", name, properties={"delivery_mode": 2, "headers": headers})
    client.get("elsewhere", no_ack=False)
    for _ in range(2):
        taken = client.get("u", no_ack=False)
    assert taken is not None
    client.nack(taken.method.delivery_tag)
    queue = world.broker.vhosts["/"].queues["u"]
    assert queue.unique is not None
    before = queue.unique.keys.until
    queue.recall()
    assert len(before) == 6
    assert queue.unique.keys.until == before


def test_what_is_damaged_is_known_no_more() -> None:
    """Whatever slept beside it: large messages, whose bodies sleep elsewhere, are there as before."""
    world = World(drowsy=4, whole_bytes_max=1000)
    client = world.connect().open()
    client.queue("u", durable=True, arguments=ARGUMENTS)
    for key in range(24):
        properties = {"delivery_mode": 2, "headers": {"x-deduplication-header": key}}
        client.publish(bytes(3000 if key % 4 == 1 else 1), "u", properties=properties)
    for _ in range(4):
        world.settle()
    queue = world.broker.vhosts["/"].queues["u"]
    damaged = next(
        slot for asleep in queue.ready.all_lines()[0].sleeping() for slot in asleep.slots() if slot[0] == 11
    )
    path = next(path for path in world.disk.files if path.endswith(".journal"))
    world.disk.files[path].data[damaged[1] - world.journal.segments[0].base_lsn + damaged[2] - 2] ^= 0xFF
    for _ in range(10):
        assert client.get("u") is not None
    assert queue.unique is not None
    assert len(queue.unique.keys.until) == queue.ready.count == 13
    assert len(client.bodies_in("u")) == 13
    assert queue.unique.keys.until == {}
    check_accounts(world)
