"""mambaamqp/broker/pager.py: what waits far from the front sleeps, and nobody can tell."""

import logging
from typing import Any

import pytest
from pamqp import commands

from mambaamqp.broker.asleep import JOURNALED, KEPT
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


def publish_to_two(client: Client, count: int, **properties: Any) -> list[bytes]:
    """So many messages, each for the queues q and other; their bodies."""
    client.queue("other", durable=True)
    for name in ("q", "other"):
        client.call(1, commands.Queue.Bind(queue=name, exchange="amq.fanout"))
    sent = [b"%d" % number for number in range(count)]
    for body in sent:
        client.publish(body, "", "amq.fanout", properties=PERSISTENT | properties)
    for _ in range(3):
        client.world.settle()
    return sent


def test_messages_of_several_queues_sleep_in_each(world: World, client: Client) -> None:
    """Each by itself, settled by itself."""
    sent = publish_to_two(client, 60)
    assert min(asleep(world), asleep(world, "other")) > 40
    check_accounts(world)
    assert client.bodies_in("q") == sent
    world.commit()
    check_accounts(world)
    again = world.restart(clean=False)
    reader = again.connect().open()
    assert reader.count("q") == 0
    assert reader.bodies_in("other") == sent
    again.settle()
    assert again.journal.live_bytes == 0


def test_one_queue_awake_and_one_asleep(world: World, client: Client) -> None:
    """What the one takes, and acknowledges or gives back, is no matter of the other."""
    sent = publish_to_two(client, 60)
    for number in range(60):
        delivery = client.get("other", no_ack=False)
        assert delivery is not None
        client.send(1, commands.Basic.Nack(delivery.method.delivery_tag, False, number % 2 == 0))
        if number % 2 == 0:
            assert client.get("other") is not None
    assert client.count("other") == 0
    again = world.restart(clean=False)
    assert again.connect().open().bodies_in("q") == sent


@pytest.mark.parametrize("clean", [True, False])
def test_large_messages_sleep_where_they_are(world: World, client: Client, clean: bool) -> None:
    """Their bodies in the journal, the rest in memory; after the next start too, which reads no body."""
    client.queue("large", durable=True)
    sent = [bytes((number,)) * (1 << 21) for number in range(20)]
    for body in sent:
        client.publish(body, "large", properties=PERSISTENT | {"app_id": "a"})
        world.settle()
    world.settle()
    assert asleep(world, "large") > 10
    flags = [slot[5] for found in queue_of(world, "large").ready.line.sleeping() for slot in found.slots()]
    assert set(flags) == {KEPT | JOURNALED}
    assert world.broker.pager.awake_bytes < 20_000
    check_accounts(world)
    assert client.get("large") is not None
    again = world.restart(clean=clean)
    assert asleep(again, "large") > 5
    check_accounts(again)
    reader = again.connect().open()
    found = [reader.get("large") for _ in range(19)]
    assert [each.body for each in found if each] == sent[1:]
    assert {(each.properties.app_id, each.method.redelivered) for each in found if each} == {("a", not clean)}
    again.settle()
    assert again.journal.live_bytes == 0
    assert not [path for path in again.disk.files if "scratch" in path]


def test_large_messages_do_not_keep_small_ones_awake(world: World, client: Client) -> None:
    """They sleep side by side, of several queues and transient ones too."""
    client.queue("large")
    for name in ("q", "large"):
        client.call(1, commands.Queue.Bind(queue=name, exchange="amq.fanout"))
    for number in range(60):
        mode = {"delivery_mode": 1 + number % 2}
        client.publish(
            bytes((1 << 20) + 1) if number % 7 == 3 else b"small", "", "amq.fanout", properties=mode
        )
        world.settle()
    world.settle()
    assert min(asleep(world), asleep(world, "large")) > 40
    assert world.broker.pager.awake_bytes < 20_000
    check_accounts(world)
    sizes = [(1 << 20) + 1 if number % 7 == 3 else 5 for number in range(60)]
    assert [len(body) for body in client.bodies_in("q")] == sizes
    assert client.call(1, commands.Queue.Purge(queue="large")).message_count == 60
    world.settle()
    check_accounts(world)
    assert not world.broker.pager._kept
    for _ in range(20):
        world.settle()
    assert not [path for path in world.disk.files if "scratch.body" in path]


def test_what_cannot_sleep_is_tried_once(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a backlog of such would cost every batch a look at all of it."""
    tried: list[bytes] = []

    def write(octets: bytes) -> int:
        tried.append(octets)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(world.journal.scratch, "write", write)
    fill(client, 60, delivery_mode=1)
    for _ in range(20):
        client.publish(b"more", properties={"delivery_mode": 1})
    assert len(tried) <= 80 // BLOCK
    assert len(set(tried)) == len(tried)


def test_a_purge_leaves_what_is_held_between(world: World, client: Client) -> None:
    """Each position of a block with gaps is settled by itself: others stand in the gaps."""
    client.queue("ranked", durable=True, arguments={"x-max-priority": 1})
    for number in range(40):
        client.publish(b"%d" % number, "ranked", properties=PERSISTENT | {"priority": number % 2})
    world.settle()
    world.settle()
    held = [client.get("ranked", no_ack=False).body for _ in range(20)]
    assert asleep(world, "ranked") > 10
    assert client.call(1, commands.Queue.Purge(queue="ranked")).message_count == 20
    world.settle()
    check_accounts(world)
    assert world.restart(clean=False).connect().open().bodies_in("ranked") == held


def test_what_is_purged_in_its_sleep_is_settled_in_the_journal(world: World, client: Client) -> None:
    """Or it would be back after the next start."""
    client.queue("large", durable=True)
    for _ in range(12):
        client.publish(bytes(1 << 21), "large", properties=PERSISTENT)
        world.settle()
    world.settle()
    assert asleep(world, "large") > 3
    assert client.call(1, commands.Queue.Purge(queue="large")).message_count == 12
    world.settle()
    assert world.journal.live_bytes == 0
    assert world.restart(clean=False).connect().open().count("large") == 0


@pytest.mark.parametrize("mode", [1, 2])
def test_what_sleeps_expires_on_time(world: World, client: Client, mode: int) -> None:
    """The whole backlog, with one time to live; nothing of it is left in memory."""
    client.queue("brief", durable=True, arguments={"x-message-ttl": 10_000})
    for _ in range(5):
        fill(client, 20, "brief", delivery_mode=mode)
        world.advance(1)
    assert asleep(world, "brief") > 60
    for left in (80, 60, 40, 20, 0):
        world.advance(4.999 if left == 80 else 0.999)
        assert client.count("brief") == left + 20
        world.advance(0.001)
        assert client.count("brief") == left
    line = queue_of(world, "brief").ready.line
    assert sum(len(block.entries) for block in line.blocks) <= 2 * BLOCK
    check_accounts(world)
    assert world.journal.live_bytes == 0


def test_one_hasty_message_among_sleepers_expires_on_time(world: World, client: Client) -> None:
    """And the others go on waiting, to the dead-letter exchange with none of them."""
    client.queue("dead")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    client.queue("brief", durable=True, arguments=arguments)
    expirations = ["60000"] * 20 + ["5000"] + ["60000"] * 19
    for number, expiration in enumerate(expirations):
        client.publish(b"%d" % number, "brief", properties=PERSISTENT | {"expiration": expiration})
    world.settle()
    world.settle()
    assert asleep(world, "brief") > 20
    world.advance(4.999)
    assert client.count("dead") == 0
    world.advance(0.001)
    assert client.bodies_in("dead") == [b"20"]
    assert client.bodies_in("brief") == [b"%d" % number for number in range(40) if number != 20]
    check_accounts(world)


@pytest.mark.parametrize("clean", [True, False])
def test_time_goes_on_in_the_sleep_and_over_a_restart(world: World, client: Client, clean: bool) -> None:
    """What comes back keeps its deadline as well."""
    client.queue("brief", durable=True, arguments={"x-message-ttl": 10_000})
    fill(client, 40, "brief")
    world.advance(6)
    again = world.restart(clean=clean)
    assert asleep(again, "brief") > 20
    reader = again.connect().open()
    assert reader.get("brief", no_ack=False) is not None
    reader.send(1, commands.Basic.Nack(0, True, True))
    again.advance(3.9)
    assert reader.count("brief") == 40
    again.advance(0.2)
    assert reader.count("brief") == 0
    check_accounts(again)


def test_transient_messages_are_spilled(world: World, client: Client) -> None:
    """Into the scratch, with all their properties, beside persistent ones; it is empty when they are gone."""
    for number in range(60):
        mode = {"delivery_mode": 1 + number % 2, "app_id": f"a{number}"}
        client.publish(b"%d" % number, properties=mode)
    world.settle()
    world.settle()
    assert asleep(world) > 40
    found = [client.get("q") for _ in range(60)]
    told = [(each.body, each.properties.app_id) for each in found if each is not None]
    assert told == [(b"%d" % number, f"a{number}") for number in range(60)]
    assert sum(world.journal.scratch._live.values()) == 0
    check_accounts(world)


def test_a_queue_that_is_not_durable_sleeps_too(world: World, client: Client) -> None:
    """Its messages are dropped in their sleep with it, and a restart knows nothing of them."""
    client.queue("passing")
    sent = fill(client, 60, "passing")
    assert asleep(world, "passing") > 40
    assert client.bodies_in("passing") == sent
    fill(client, 60, "passing")
    client.call(1, commands.Queue.Delete(queue="passing"))
    assert sum(world.journal.scratch._live.values()) == 0
    world.restart()
    assert not [path for path in world.disk.files if "scratch" in path]


def test_without_room_for_scratch_they_stay_awake(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That is said once, and nothing is lost."""

    def write(octets: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(world.journal.scratch, "write", write)
        sent = fill(client, 60, delivery_mode=1)
    assert asleep(world) == 0
    assert caplog.text.count("cannot write scratch") == 1
    assert client.bodies_in("q") == sent


def test_large_bodies_make_small_blocks(world: World, client: Client) -> None:
    """What is awake is a matter of octets, not of messages; and heads give way when there are many."""
    pager = world.broker.pager
    pager.block_size, pager.head_blocks, pager.budget_bytes = 256, 16, 4 << 20
    for name in ("a", "b"):
        client.queue(name, durable=True)
        for _ in range(10):
            client.publish(bytes(1 << 20), name, properties=PERSISTENT)
            world.settle()
    world.settle()
    assert pager.awake_bytes <= 5 << 20
    assert asleep(world, "a") + asleep(world, "b") > 8
    assert [len(body) for body in client.bodies_in("a")] == [1 << 20] * 10


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
