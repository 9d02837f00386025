"""A disk that fills up and empties again: publishers wait, consumers do not, nothing is lost."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import pytest

from tests.faults.actors import Publisher, declare, drain
from tests.faults.history import History
from tests.faults.powercut import why_not
from tests.faults.scale import SEED, replay
from tests.support.process import BrokerProcess

DISK_BYTES = 24 << 20
MARK_BYTES = 8 << 20
STOCK = 300
MORE = 100
WAIT_SECONDS = 60
QUEUES = ("north", "south")

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not().replace("real power cuts", "small disks"))


class SmallDisk:
    """A tmpfs of a few megabytes, and ballast in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ballast = path / "ballast"

    def fill(self, leave_bytes: int) -> None:
        """Take all the room but this."""
        with self.ballast.open("wb", buffering=0) as ballast:
            block = bytes(4096)
            size = self._free() - leave_bytes
            try:
                for _ in range(max(0, size) // len(block)):
                    ballast.write(block)
            except OSError:
                pass  # the broker took some of it meanwhile: there is no room left, as was asked for

    def empty(self) -> None:
        """Give it back."""
        self.ballast.unlink()

    def _free(self) -> int:
        return int(subprocess.check_output(["df", "--output=avail", "-B1", str(self.path)]).split()[-1])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)], check=True)
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", str(path)], check=True)


def fill_up(disk: SmallDisk, broker: BrokerProcess) -> None:
    """Not an octet is left."""
    disk.fill(0)
    broker.until_it_says("nothing is confirmed until there is room")


def fill_beyond_the_mark(disk: SmallDisk, broker: BrokerProcess) -> None:
    """Less is left than the broker wants to keep free."""
    disk.fill(MARK_BYTES // 2)
    broker.until_it_says("disk alarm")


@pytest.mark.parametrize(
    ("mark_bytes", "fill"), [(0, fill_up), (MARK_BYTES, fill_beyond_the_mark)], ids=["full", "below the mark"]
)
def test_a_full_disk_is_not_fatal(
    small_disk: SmallDisk, mark_bytes: int, fill: Callable[[SmallDisk, BrokerProcess], None]
) -> None:
    """Publishers stand still, a consumer gets all that there was, and with room again everything goes on."""
    history = History()
    history.begin_life()
    environment = {
        "MAMBAAMQP_STORE_SEGMENT_BYTES": str(1 << 20),
        "MAMBAAMQP_LIMITS_DISK_FREE_BYTES_MIN": str(mark_bytes),
    }
    with (
        replay("test_full_disk.py", f"seed {SEED}"),
        BrokerProcess(small_disk.path / "data", **environment) as broker,
    ):
        declare(broker.port, QUEUES)
        with broker.connect() as connection:
            stock(connection)
            publisher = Publisher(history, broker.port, "publisher", SEED, QUEUES)
            publisher.start()
            assert history.wait_for(MORE, WAIT_SECONDS)
            fill(small_disk, broker)
            stood = len(history.confirmed)
            assert taken(connection) == [b"%d" % number for number in range(STOCK)]
            small_disk.empty()
            assert history.wait_for(stood + MORE, WAIT_SECONDS)
        broker.kill()
        publisher.join()
        assert publisher.fault is None
    history.begin_life()
    with BrokerProcess(small_disk.path / "data", **environment) as broker:
        history.check(drain(broker.port, history, QUEUES))


def stock(connection: pika.BlockingConnection) -> None:
    """Messages that wait for a consumer."""
    channel = connection.channel()
    channel.queue_declare("stock", durable=True)
    channel.confirm_delivery()
    for number in range(STOCK):
        channel.basic_publish("", "stock", b"%d" % number, pika.BasicProperties(delivery_mode=2))


def taken(connection: pika.BlockingConnection) -> list[bytes]:
    """They come, one by one, acknowledged."""
    channel = connection.channel()
    channel.basic_qos(prefetch_count=10)
    bodies = []
    for method, _, body in channel.consume("stock"):
        channel.basic_ack(method.delivery_tag)
        bodies.append(body)
        if len(bodies) == STOCK:
            return bodies
    raise AssertionError("the consumer was cancelled")
