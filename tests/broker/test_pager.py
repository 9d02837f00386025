"""mambaamqp/broker/pager.py: what waits far from the front sleeps, and nobody can tell."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from pamqp import commands

from mambaamqp.broker.queue import Queue
from mambaamqp.server.housekeeping import tidy
from tests.support.accounts import check_accounts
from tests.support.client import Client, World

BLOCK = 4
PERSISTENT = {"delivery_mode": 2}


@pytest.fixture
def world() -> World:
    """Everything sleeps that may, in blocks of four."""
    return World(drowsy=BLOCK)


@pytest.fixture
def client(world: World) -> Client:
    """With the durable queue q."""
    client = world.connect().open()
    client.queue("q", durable=True)
    return client


def fill(client: Client, count: int, key: str = "q", **properties: Any) -> list[bytes]:
    """So many messages; their bodies."""
    sent = [b"%d" % number for number in range(count)]
    for data in sent:
        client.publish(data, key, properties=PERSISTENT | properties)
    client.world.settle()
    client.world.settle()  # what was synced may sleep at the end of the next batch
    return sent


def queue_of(world: World, name: str = "q") -> Queue:
    return world.broker.vhosts["/"].queues[name]


def asleep(world: World, name: str = "q") -> int:
    """How many messages of a queue sleep."""
    lines = queue_of(world, name).ready.all_lines()
    return sum(found.count for line in lines for found in line.sleeping())


def test_the_middle_of_a_backlog_sleeps(world: World, client: Client) -> None:
    """Its head and its tail do not; it is counted, and comes out as it went in."""
    sent = fill(client, 100)
    assert 100 - 4 * BLOCK <= asleep(world) < 100 - BLOCK
    assert queue_of(world).ready.count == 100
    assert client.count("q") == 100
    assert client.bodies_in("q") == sent
    assert asleep(world) == 0
    check_accounts(world)


def test_a_look_wakes_nobody(world: World, client: Client) -> None:
    """Views and tests see all that waits."""
    sent = fill(client, 50)
    before = asleep(world)
    assert [entry.message.body() for entry in queue_of(world).ready.entries()] == sent
    assert asleep(world) == before


def test_below_the_budget_everything_is_awake(world: World, client: Client) -> None:
    """Memory that is there is used."""
    world.broker.pager.budget_bytes = 1 << 20
    fill(client, 100)
    assert asleep(world) == 0
    assert 0 < world.broker.pager.awake_bytes <= 100 * 500


def test_nothing_sleeps_before_it_is_durable(world: World, client: Client) -> None:
    """It could not be read."""
    world.hold = True
    for number in range(50):
        client.publish(b"%d" % number, properties=PERSISTENT)
    world.settle()
    assert asleep(world) == 0
    world.hold = False
    world.settle()
    world.settle()
    assert asleep(world) > 0


def expiring(client: Client) -> None:
    fill(client, 50, expiration="60000")


def transient(client: Client) -> None:
    fill(client, 50, delivery_mode=1)


def of_two_queues(client: Client) -> None:
    client.queue("other", durable=True)
    for name in ("q", "other"):
        client.call(1, commands.Queue.Bind(queue=name, exchange="amq.fanout"))
    for _ in range(50):
        client.publish(b"x", "", "amq.fanout", properties=PERSISTENT)


@pytest.mark.parametrize("publish", [expiring, transient, of_two_queues])
def test_what_could_not_be_had_again_stays_awake(
    world: World, client: Client, publish: Callable[[Client], None]
) -> None:
    """And is no trouble."""
    publish(client)
    world.settle()
    world.settle()
    assert asleep(world) == 0
    assert len(client.bodies_in("q")) == 50


def test_what_comes_back_stands_in_front(world: World, client: Client) -> None:
    """Marked, and before all that sleeps."""
    sent = fill(client, 40)
    taken = [client.get("q", no_ack=False) for _ in range(10)]
    assert all(taken)
    client.send(1, commands.Basic.Nack(0, True, True))
    world.settle()
    assert client.bodies_in("q") == sent


def test_priorities_sleep_by_themselves(world: World, client: Client) -> None:
    """Level by level, after a restart too."""
    client.queue("ranked", durable=True, arguments={"x-max-priority": 2})
    for number in range(60):
        client.publish(b"%d" % number, "ranked", properties=PERSISTENT | {"priority": number % 3})
    world.settle()
    world.settle()
    expected = [b"%d" % number for level in (2, 1, 0) for number in range(60) if number % 3 == level]
    assert asleep(world, "ranked") > 20
    again = world.restart()
    assert asleep(again, "ranked") > 20
    assert again.connect().open().bodies_in("ranked") == expected


@pytest.mark.parametrize("clean", [True, False])
def test_a_restart_wakes_nobody(world: World, client: Client, clean: bool) -> None:
    """All is there, in order, marked if the stop was not in order."""
    sent = fill(client, 60)
    client.get("q")
    world.settle()
    world.commit()
    again = world.restart(clean=clean)
    assert asleep(again) > 60 - 4 * BLOCK
    check_accounts(again)
    reader = again.connect().open()
    found = [reader.get("q") for _ in range(59)]
    assert [delivery.body for delivery in found if delivery] == sent[1:]
    assert {delivery.method.redelivered for delivery in found if delivery} == {not clean}


def test_marks_of_an_unclean_stop_outlive_a_clean_one(world: World, client: Client) -> None:
    """Those of what sleeps too."""
    fill(client, 30)
    again = world.restart(clean=False).restart(clean=True)
    reader = again.connect().open()
    found = [reader.get("q") for _ in range(30)]
    assert all(delivery is not None and delivery.method.redelivered for delivery in found)


@pytest.mark.parametrize("method", [commands.Queue.Purge, commands.Queue.Delete])
def test_what_sleeps_is_dropped_in_its_sleep(world: World, client: Client, method: Any) -> None:
    """Nothing is read for that, and nothing comes back."""
    fill(client, 100)
    before = world.broker.pager.woken
    assert client.call(1, method(queue="q")).message_count == 100
    world.settle()
    assert world.broker.pager.woken == before
    assert world.journal.live_bytes == 0
    check_accounts(world)
    again = world.restart()
    assert again.journal.live_bytes == 0


def test_damage_is_not_delivered(world: World, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """It is named, it counts no longer, and the rest goes on."""
    sent = fill(client, 40)
    (path,) = [path for path in world.disk.files if path.endswith(".journal")]
    data = world.disk.files[path].data
    at = data.rindex(b"\xce\x03\x00\x01\x00\x00\x00\x02" + b"20")
    data[at + 8] ^= 1
    with caplog.at_level(logging.ERROR):
        assert client.bodies_in("q") == [body for body in sent if body != b"20"]
    assert "position 21 of queue 'q' in vhost '/' is damaged on disk" in caplog.text
    assert (client.count("q"), queue_of(world).ready.body_bytes) == (0, 0)
    assert world.journal.live_bytes == 0
    check_accounts(world)


def test_a_disk_that_cannot_be_read_is_no_end(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be read is not delivered; the connection and other messages live on."""
    fill(client, 40)

    def read(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(world.disk, "read", read)
        assert 0 < len(client.bodies_in("q")) < 40
    assert "Input/output error" in caplog.text
    client.publish(b"after", properties=PERSISTENT)
    assert client.bodies_in("q") == [b"after"]


def test_old_sleepers_are_moved(world: World, client: Client) -> None:
    """Compaction wakes what stands where room is to be made, and it sleeps again."""
    world.journal.segment_bytes = 10_000
    world.journal.slack_segments = 1
    sent = fill(client, 60)
    client.queue("passing", durable=True)
    for _ in range(200):
        client.publish(bytes(800), "passing", properties=PERSISTENT)
        assert client.get("passing") is not None
    for _ in range(4):
        tidy(world.journal, world.broker)
        world.broker.compact(world.now)
        world.advance(1)
    assert world.broker.compaction.moved_messages >= 60
    assert world.journal.segments[0].base_lsn > 0
    assert asleep(world) > 60 - 4 * BLOCK
    check_accounts(world)
    assert client.bodies_in("q") == sent


def test_awake_octets_come_back_to_nothing(world: World, client: Client) -> None:
    """Whatever was pushed, taken, put to sleep and woken."""
    for _ in range(3):
        fill(client, 70)
        client.bodies_in("q")
    fill(client, 70)
    client.call(1, commands.Queue.Delete(queue="q"))
    assert world.broker.pager.awake_bytes == 0
