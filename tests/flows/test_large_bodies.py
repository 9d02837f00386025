"""Bodies that are on the disk only: whatever becomes of a message becomes of a large one too."""

import errno
import logging
import random
from collections.abc import Iterator
from typing import Any

import pytest
from pamqp import commands, frame

from mambaamqp.broker.queue import Queue
from mambaamqp.server.housekeeping import tidy
from tests.support.accounts import check_accounts
from tests.support.client import Client, World, publish_octets
from tests.support.expect import channel_closed, connection_closed

WHOLE_BYTES_MAX = 1000
PERSISTENT = {"delivery_mode": 2}
BODY = random.Random(1).randbytes(10_000)
OTHER = random.Random(2).randbytes(12_345)


@pytest.fixture
def world() -> World:
    """A body of more than a thousand octets is a large one."""
    return World(whole_bytes_max=WHOLE_BYTES_MAX)


@pytest.fixture
def client(world: World) -> Client:
    """With the durable queue q."""
    client = world.connect().open()
    client.queue("q", durable=True)
    return client


@pytest.fixture(autouse=True)
def nothing_is_left(world: World) -> Iterator[None]:
    """What nobody needs is gone from the disk and from all counts."""
    yield
    check_accounts(world)


def queue_of(world: World, name: str = "q") -> Queue:
    return world.broker.vhosts["/"].queues[name]


def scratch_of(world: World) -> list[str]:
    """Files with large bodies, after what nobody needs has been removed."""
    for _ in range(50):
        world.settle()
    return sorted(path for path in world.disk.files if "scratch.body" in path)


def journal_of(world: World) -> bytearray:
    """The newest segment."""
    return world.disk.files[max(path for path in world.disk.files if path.endswith(".journal"))].data


@pytest.mark.parametrize("frame_size", [131064, 700, 10])
@pytest.mark.parametrize("mode", [1, 2])
def test_in_and_out(world: World, client: Client, mode: int, frame_size: int) -> None:
    """As it came, however it was cut; nothing is in memory meanwhile, and nothing on the disk afterwards."""
    client.publish(BODY, frame_size=frame_size, properties={"delivery_mode": mode, "app_id": "a"})
    (entry,) = queue_of(world).ready.entries()
    assert entry.message.stored is not None
    assert len(entry.message.content) < 100
    assert bool(scratch_of(world)) == (mode == 1)
    del entry
    client.consume()
    (delivery,) = client.take()
    assert (delivery.body, delivery.properties.app_id) == (BODY, "a")
    client.ack(1)
    assert scratch_of(world) == []
    assert world.journal.live_bytes == 0


@pytest.mark.parametrize("clean", [True, False])
def test_over_a_restart(world: World, client: Client, clean: bool) -> None:
    """No body is read at the start, and all are there."""
    for body in (BODY, b"small", OTHER):
        client.publish(body, properties=PERSISTENT)
    client.publish(BODY, properties={"delivery_mode": 1})
    again = world.restart(clean=clean)
    assert scratch_of(again) == []
    check_accounts(again)
    contents = [len(entry.message.content) for entry in queue_of(again).ready.entries()]
    assert max(contents) < 100
    reader = again.connect(frame_max=8192).open()
    assert reader.bodies_in("q") == [BODY, b"small", OTHER]
    again.settle()
    assert again.journal.live_bytes == 0


def test_a_confirm_waits_for_the_journal(world: World, client: Client) -> None:
    """And so does the next publish of the same connection: the body is on the disk twice until then."""
    client.confirm()
    world.hold = True
    client.publish(BODY, properties=PERSISTENT)
    assert client.of(commands.Basic.Ack) == []
    assert not client.session.wants_read
    assert len(scratch_of(world)) > 0
    world.hold = False
    world.settle()
    assert [ack.delivery_tag for ack in client.of(commands.Basic.Ack)] == [1]
    assert client.session.wants_read
    assert scratch_of(world) == []


def test_what_nobody_keeps_restrains_nobody(world: World, client: Client) -> None:
    """There is nothing to wait for."""
    world.hold = True
    client.publish(BODY, "nowhere", properties=PERSISTENT)
    client.publish(BODY, properties={"delivery_mode": 1})
    assert client.session.wants_read


def test_deliveries_before_the_journal_has_it(world: World, client: Client) -> None:
    """Out of the scratch, which stays until both the commit and the delivery are through with it."""
    client.consume()
    world.hold = True
    client.publish(BODY, properties=PERSISTENT)
    assert client.bodies() == [BODY]
    client.ack(1)
    assert len(scratch_of(world)) > 0
    world.hold = False
    world.settle()
    assert scratch_of(world) == []
    assert world.restart(clean=False).connect().open().count("q") == 0


def test_a_publisher_that_dies_in_the_middle_leaves_nothing(world: World, client: Client) -> None:
    """Neither does one whose channel is closed, or whose transaction is rolled back."""
    octets = publish_octets(BODY, properties=PERSISTENT, frame_size=700)
    dying, closing, rolling = (world.connect().open() for _ in range(3))
    dying.feed(octets[:8000])
    closing.feed(octets[:8000])
    rolling.call(1, commands.Tx.Select())
    rolling.feed(octets)
    assert len(scratch_of(world)) >= 3
    dying.disconnect()
    closing.session.shutdown("by an operator", world.now)
    rolling.call(1, commands.Tx.Rollback())
    assert scratch_of(world) == []
    assert client.count("q") == 0


def test_the_size_is_refused_at_the_header(world: World) -> None:
    """Nothing is written for it."""
    world.settings.message_bytes_max = 5000
    client = world.connect().open()
    client.feed(publish_octets(BODY, frame_size=700)[:200])
    (close,) = client.of(commands.Channel.Close)
    channel_closed(
        close, 406, "PRECONDITION_FAILED - message size 10000 is larger than configured max size 5000"
    )
    assert scratch_of(world) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_refuses_it(world: World, client: Client, code: int) -> None:
    """311 on the channel; what came of it goes, and with room again it is taken."""
    world.disk.fail_errno, world.disk.fail_short = code, True
    world.disk.fail_at = world.disk.operations + 4
    client.feed(publish_octets(BODY, frame_size=700))
    (close,) = client.of(commands.Channel.Close)
    text = "CONTENT_TOO_LARGE - no room for a content body of 10000 bytes at the present time"
    channel_closed(close, 311, text)
    assert scratch_of(world) == []
    client.send(1, commands.Channel.CloseOk())
    client.open().publish(BODY)
    assert client.bodies_in("q") == [BODY]


def test_a_disk_that_fails_ends_the_publisher(world: World, client: Client) -> None:
    """541, and nobody else notices."""
    publisher = world.connect().open()
    world.disk.fail_at = world.disk.operations + 4
    publisher.feed(publish_octets(BODY, frame_size=700))
    (close,) = publisher.of(commands.Connection.Close)
    connection_closed(close, 541, "INTERNAL_ERROR - a content body could not be stored")
    assert scratch_of(world) == []
    client.publish(BODY, properties=PERSISTENT)
    assert client.bodies_in("q") == [BODY]


def test_several_queues_share_a_body(world: World, client: Client) -> None:
    """Durable or not, settled in any order; it is on the disk as long as one of them has it."""
    client.queue("passing")
    client.queue("other", durable=True)
    for name in ("q", "passing", "other"):
        client.bind(name, "amq.fanout")
    client.publish(BODY, "", "amq.fanout", properties=PERSISTENT)
    assert client.bodies_in("q") == [BODY]
    assert client.bodies_in("other") == [BODY]
    world.settle()
    assert world.journal.live_bytes == 0
    world.journal.segment_bytes = 100
    for _ in range(3):
        client.publish(b"more", properties=PERSISTENT)
        assert client.bodies_in("q") == [b"more"]
        tidy(world.journal, world.broker)
        world.commit()
    assert world.journal.segments[0].base_lsn > 10_000
    assert client.bodies_in("passing") == [BODY]


def test_dead_letters(world: World, client: Client) -> None:
    """The header is another one, the body the same; over a restart as well."""
    client.queue("dead", durable=True)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    client.queue("deadly", durable=True, arguments=arguments)
    client.publish(BODY, "deadly", properties=PERSISTENT | {"expiration": "1000"})
    client.publish(OTHER, "deadly", properties=PERSISTENT)
    again = world.restart(clean=False)
    reader = again.connect().open()
    again.advance(2)
    assert reader.get("deadly", no_ack=False) is not None
    reader.reject(1, requeue=False)
    for each in (again, again.restart(clean=False)):
        reader = each.connect().open()
        found = [reader.get("dead", no_ack=False), reader.get("dead", no_ack=False)]
        assert [delivery.body for delivery in found if delivery] == [BODY, OTHER]
        reasons = [d.properties.headers["x-first-death-reason"] for d in found if d is not None]
        assert reasons == ["expired", "rejected"]
        check_accounts(each)


def test_delays_and_retries(world: World, client: Client) -> None:
    """What waits elsewhere meanwhile waits on the disk."""
    client.exchange("later", "x-delayed-message", durable=True, arguments={"x-delayed-type": "direct"})
    client.bind("q", "later", "k")
    client.publish(BODY, "k", "later", properties=PERSISTENT | {"headers": {"x-delay": 5000}})
    again = world.restart(clean=False)
    again.advance(4)
    reader = again.connect().open()
    assert reader.count("q") == 0
    again.advance(2)
    assert reader.bodies_in("q") == [BODY]


def test_carbon_copies_and_returns(world: World, client: Client) -> None:
    """CC reaches, BCC is taken out of the header, and what reaches nobody comes back."""
    client.queue("b", durable=True)
    headers = {"CC": ["b"], "BCC": ["nobody"]}
    client.publish(BODY, properties=PERSISTENT | {"headers": headers})
    for name in ("q", "b"):
        delivery = client.get(name)
        assert delivery is not None
        assert (delivery.body, delivery.properties.headers) == (BODY, {"CC": ["b"]})
    client.publish(OTHER, "nowhere", mandatory=True)
    (returned,) = client.take()
    assert (returned.method.reply_code, returned.body) == (312, OTHER)
    assert scratch_of(world) == []


def test_transactions(world: World, client: Client) -> None:
    """Published at the commit, in one atom with what else is in it; counted against tx_bytes_max."""
    world.settings.tx_bytes_max = 30_000
    tx = world.connect().open()
    tx.call(1, commands.Tx.Select())
    for body in (BODY, OTHER):
        tx.publish(body, properties=PERSISTENT)
    assert client.count("q") == 0
    tx.call(1, commands.Tx.Commit())
    again = world.restart(clean=False)
    assert again.connect().open().bodies_in("q") == [BODY, OTHER]
    again.settings.tx_bytes_max = 20_000
    tx = again.connect().open()
    tx.call(1, commands.Tx.Select())
    tx.publish(BODY)
    tx.publish(OTHER)
    (close,) = tx.of(commands.Channel.Close)
    channel_closed(close, 406, "PRECONDITION_FAILED - transaction exceeds 20000 bytes")
    assert scratch_of(again) == []


@pytest.mark.parametrize("arguments", [{"x-max-priority": 3}, {"x-queue-type": "quorum"}])
def test_lines_of_other_queues(world: World, client: Client, arguments: dict[str, Any]) -> None:
    """Priorities, and delivery counts in the header of what comes again."""
    client.queue("line", durable=True, arguments=arguments)
    client.publish(BODY, "line", properties=PERSISTENT)
    client.publish(OTHER, "line", properties=PERSISTENT | {"priority": 3})
    again = world.restart(clean=False)
    reader = again.connect().open()
    first = reader.get("line", no_ack=False)
    assert first is not None
    reader.reject(1)
    found = [reader.get("line"), reader.get("line")]
    quorum = "x-queue-type" in arguments
    expected = [BODY, OTHER] if quorum and first.body == BODY else [OTHER, BODY]
    assert [delivery.body for delivery in found if delivery] == expected
    if quorum:
        assert found[0] is not None
        assert found[0].properties.headers == {"x-acquired-count": 1, "x-delivery-count": 1}


def test_how_often_it_failed_is_known_after_a_death_and_a_stop() -> None:
    """Of those that sleep too, or a message that nobody can take would get its deliveries anew."""
    world = World(whole_bytes_max=WHOLE_BYTES_MAX, drowsy=2)
    client = world.connect().open()
    client.queue("q", durable=True, arguments={"x-queue-type": "quorum"})
    for _ in range(8):
        client.publish(BODY, properties=PERSISTENT)
    for _ in range(8):
        client.get(no_ack=False)
    for tag in range(1, 9):
        client.reject(tag)
    world = world.restart(clean=False)
    assert any(block.asleep for line in queue_of(world).ready.all_lines() for block in line.blocks)
    world = world.restart(clean=True)
    assert [entry.delivery_count for entry in queue_of(world).ready.entries()] == [1] * 8


def test_the_firehose(world: World, client: Client) -> None:
    """Its copies share the body."""
    client.queue("trace")
    client.bind("trace", "amq.rabbitmq.trace", "#")
    world.broker.vhosts["/"].trace(True)
    client.publish(BODY, properties=PERSISTENT)
    assert client.bodies_in("q") == [BODY]
    assert client.bodies_in("trace") == [BODY, BODY]
    world.broker.vhosts["/"].trace(False)
    assert scratch_of(world) == []


def test_recent_history(world: World, client: Client) -> None:
    """Who comes later gets it too."""
    client.exchange("recent", "x-recent-history", arguments={"x-recent-history-length": 5})
    client.publish(BODY, "", "recent")
    client.queue("late")
    client.bind("late", "recent")
    assert client.bodies_in("late") == [BODY]


def test_it_is_moved_by_compaction(world: World, client: Client) -> None:
    """Read when it is written, from where it stood; out of the new place afterwards, and after a restart."""
    world.journal.segment_bytes, world.journal.slack_segments = 20_000, 1
    for body in (BODY, OTHER):
        client.publish(body, properties=PERSISTENT)
    make_room(world, client)
    assert world.broker.compaction.moved_messages == 2
    assert client.get("q", no_ack=False) is not None
    again = world.restart(clean=False)
    assert again.journal.segments[0].base_lsn > 20_000
    check_accounts(again)
    assert again.connect().open().bodies_in("q") == [BODY, OTHER]


def make_room(world: World, client: Client) -> None:
    """So much comes and goes that what is old is moved, and its segments are removed."""
    client.queue("passing", durable=True)
    for _ in range(200):
        client.publish(bytes(900), "passing", properties=PERSISTENT)
        assert client.get("passing") is not None
    for _ in range(4):
        tidy(world.journal, world.broker)
        world.broker.compact(world.now)
        world.advance(1)


def test_what_is_lost_is_moved_as_lost(
    world: World, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker goes on; nobody is given the octets, now or after a restart."""
    world.journal.segment_bytes, world.journal.slack_segments = 20_000, 1
    for body in (BODY, OTHER):
        client.publish(body, properties=PERSISTENT)
    data = journal_of(world)
    data[data.index(BODY[5000:5020]) + 3] ^= 1
    with caplog.at_level(logging.ERROR):
        make_room(world, client)
    assert "a body cannot be written again, and is lost: /store/" in caplog.text
    again = world.restart(clean=False)
    assert "is lost: it was damaged before it was moved" in caplog.text
    for each in (world, again):
        reader = each.connect().open()
        reader.consume()
        if each is world:
            assert reader.of(commands.Connection.Close)
            reader = each.connect().open()
            reader.consume()
        assert [delivery.body for delivery in reader.take() if delivery.body != BODY] == [OTHER]
        assert queue_of(each).unacked == 1


@pytest.mark.parametrize("mode", [1, 2])
@pytest.mark.parametrize("no_ack", [False, True])
def test_damage_in_the_middle_of_a_delivery(
    world: World, client: Client, caplog: pytest.LogCaptureFixture, mode: int, no_ack: bool
) -> None:
    """The connection is closed, the message is gone and named, the others are delivered to whoever comes."""
    for body in (BODY, OTHER):
        client.publish(body, properties={"delivery_mode": mode})
    for file in world.disk.files.values():
        at = file.data.find(BODY[5000:5020])
        if at >= 0:
            file.data[at] ^= 1
    world.settings.outbox_bytes_max = 5000
    reader = world.connect().open()
    with caplog.at_level(logging.ERROR):
        reader.consume(no_ack=no_ack)
    (close,) = reader.of(commands.Connection.Close)
    connection_closed(close, 541, "INTERNAL_ERROR - the body of a delivery is damaged on the disk")
    assert reader.take() == []
    assert "has changed" in caplog.text
    assert "/store/" in caplog.text
    if not no_ack:
        assert "position 1 of queue 'q' in vhost '/' is damaged on disk: it is not delivered" in caplog.text
    again = world.connect().open()
    assert again.bodies_in("q") == [OTHER]
    again.disconnect()
    reader.disconnect()
    assert world.journal.live_bytes == 0


def test_what_is_known_to_be_damaged_is_not_begun(
    world: World, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """In no queue: one connection had to find out, no second one."""
    for name in ("b", "c"):
        client.queue(name, durable=True)
    for name in ("q", "b", "c"):
        client.bind(name, "amq.fanout")
    client.publish(BODY, "", "amq.fanout", properties=PERSISTENT)
    client.publish(b"small", "", "amq.fanout", properties=PERSISTENT)
    data = journal_of(world)
    data[data.index(BODY[5000:5020])] ^= 1
    finder = world.connect().open()
    finder.consume()
    assert finder.of(commands.Connection.Close)
    finder.disconnect()
    assert client.bodies_in("b") == [b"small"]
    client.send(1, commands.Basic.Qos(prefetch_count=1))
    client.consume("c", tag="c")
    assert client.bodies() == [b"small"]
    client.ack(2)
    assert queue_of(world, "c").unacked == 0
    assert client.bodies_in("q") == [b"small"]


def test_a_shortage_loses_nothing(world: World, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection ends, since the delivery cannot go on; the message is delivered again."""
    client.publish(BODY, properties=PERSISTENT)
    again = world.restart()
    reader = again.connect().open()

    def open_to_read(path: str) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(again.disk, "open_to_read", open_to_read)
        reader.consume()
    (close,) = reader.of(commands.Connection.Close)
    assert close.reply_code == 541
    reader.disconnect()
    delivery = again.connect().open().get("q")
    assert delivery is not None
    assert (delivery.body, delivery.method.redelivered) == (BODY, True)


def test_a_segment_goes_while_a_body_leaves(world: World, client: Client) -> None:
    """Acknowledged by the delivery itself, read on from a file that has no name any more."""
    world.journal.segment_bytes = 100
    client.publish(BODY, properties=PERSISTENT)
    reader = world.connect().open()
    world.clients.remove(reader)  # it does not read
    reader.feed(b"")
    reader.session.receive_data(consume_octets(), world.now)
    world.settle()
    for _ in range(3):
        client.publish(b"more", "nowhere", properties=PERSISTENT)
        client.queue("r", durable=True)
        client.call(1, commands.Queue.Delete(queue="r"))
        tidy(world.journal, world.broker)
        world.commit()
    assert not [segment for segment in world.journal.segments if segment.base_lsn == 0]
    reader.pump()
    assert reader.bodies() == [BODY]


def consume_octets() -> bytes:
    return bytes(frame.marshal(commands.Basic.Consume(queue="q", consumer_tag="c", no_ack=True), 1))


def test_one_slow_reader_holds_one_slice(world: World, client: Client) -> None:
    """What waits for a client is on the disk until the client takes it."""
    world.settings.outbox_bytes_max = 5000
    for _ in range(3):
        client.publish(BODY)
    slow = world.connect().open()
    world.clients.remove(slow)
    slow.session.receive_data(consume_octets(), world.now)
    world.broker.flush(world.now)
    outbox = slow.session.outbox
    assert outbox.size > len(BODY)
    assert sum(len(piece) for piece in outbox.pieces) < 200
    while outbox.spooled:
        assert len(slow.session.data_to_send()) < 2 * WHOLE_BYTES_MAX + 12_000
        world.broker.flush(world.now)
    slow.disconnect = None  # type: ignore[assignment, method-assign]
    slow.session.connection_lost(world.now)
    assert scratch_of(world) == []


def test_the_disk_is_given_back_while_nothing_happens(world: World, client: Client) -> None:
    """File by file, so that nobody waits for all of them."""
    for _ in range(20):
        client.publish(BODY)
    files = len([path for path in world.disk.files if "scratch.body" in path])
    assert files > 20
    client.call(1, commands.Queue.Purge(queue="q"))
    left = len([path for path in world.disk.files if "scratch.body" in path])
    assert files // 2 < left < files
    world.advance(1)
    assert not [path for path in world.disk.files if "scratch.body" in path]
