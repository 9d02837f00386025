"""The hot pieces of the broker, each by itself, in numbers that noise does not move.

By default each piece is timed against a calibration loop and given as a multiple of it, the best of several
tries. `--count` gives instructions for one operation: the difference between a long and a short run of one
piece, counted by `perf stat` or by valgrind, so that start and imports cancel out.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # behind the installed package: a compiled one must win

from mambaamqp.bench.flow import Arrivals  # noqa: E402
from mambaamqp.bench.histogram import Histogram  # noqa: E402
from mambaamqp.broker.destination import Destination  # noqa: E402
from mambaamqp.broker.entry import Entry  # noqa: E402
from mambaamqp.broker.ready import Ready  # noqa: E402
from mambaamqp.broker.topic import TopicTrie  # noqa: E402
from mambaamqp.cli import core_kind  # noqa: E402
from mambaamqp.session.unacked import Unacked  # noqa: E402
from mambaamqp.wire import properties  # noqa: E402
from mambaamqp.wire.fast import ack, content_frames, deliver_head, tag_octets  # noqa: E402
from tests.support.client import Client, World, publish_octets  # noqa: E402

TRIES = 5
TRY_SECONDS = 0.1
BATCH = 1000
SHORT, LONG = 2, 12
"""Batches of the two runs that are subtracted."""

Step = Callable[[], Any]


def calibration() -> Step:
    """Plain Python that nobody changes."""
    numbers = list(range(BATCH))

    def step() -> None:
        table: dict[int, int] = {}
        for number in numbers:
            table[number & 63] = table.get(number & 63, 0) + number

    return step


def client_with_queue() -> Client:
    """A client of a broker in memory, with a queue that keeps one message."""
    client = World().connect().open()
    client.queue("q", arguments={"x-max-length": 1})
    return client


def frames() -> Step:
    """Split 1,000 publishes that go nowhere: what reading costs."""
    client = client_with_queue()
    octets = publish_octets(bytes(100), "nowhere") * BATCH
    session = client.session
    return lambda: session.receive_data(octets, 1000.0)


def route_hit() -> Step:
    """1,000 publishes with one key into a queue of one: look-up, enqueue, drop."""
    client = client_with_queue()
    octets = publish_octets(bytes(100)) * BATCH
    session = client.session
    return lambda: session.receive_data(octets, 1000.0)


def route_miss() -> Step:
    """1,000 publishes, each with a key that was not seen before, through a topic exchange."""
    client = client_with_queue()
    client.exchange("x", "topic")
    client.bind("q", "x", "a.*.event")
    keys = numbers()
    session = client.session

    def step() -> None:
        parts = [publish_head(next(keys)) for _ in range(BATCH)]
        session.receive_data(b"".join(parts), 1000.0)

    return step


def numbers() -> Iterator[int]:
    """0, 1, 2 …"""
    number = 0
    while True:
        yield number
        number += 1


TEMPLATE = publish_octets(bytes(100), "a.00000000.event", "x")


def publish_head(number: int) -> bytes:
    """A publish whose key bears the number."""
    return TEMPLATE.replace(b"00000000", b"%08d" % number, 1)


def topic_trie() -> Step:
    """1,000 keys against 10,000 patterns."""
    trie = TopicTrie()
    for number in range(10_000):
        trie.add(f"bench.{number:06}.*.event", Destination(str(number), True))
    keys = [f"bench.{number * 7:06}.x.event" for number in range(BATCH)]

    def step() -> None:
        for key in keys:
            trie.match(key, {})

    return step


def ready_queue() -> Step:
    """1,000 entries in and out."""
    ready = Ready()
    made = an_entry()
    entries = [Entry(made.message, made.queue, position) for position in range(BATCH)]

    def step() -> None:
        for entry in entries:
            ready.push(entry)
        for _ in entries:
            ready.pop()

    return step


def an_entry() -> Entry:
    """What a queue has after one publish."""
    client = client_with_queue()
    client.publish(bytes(100))
    queue = client.world.broker.vhosts["/"].queues["q"]
    entry = queue.ready.pop()
    assert entry is not None
    return entry


def journal_append() -> Step:
    """1,000 records into the journal, sealed and written to memory."""
    world = World()
    record = bytes(180)

    def step() -> None:
        for _ in range(BATCH):
            world.journal.append(record)
        world.commit()

    return step


def ack_multiple() -> Step:
    """1,000 deliveries remembered, and settled by one acknowledgement of several."""
    unacked = Unacked()
    entry = an_entry()
    tags = numbers()
    next(tags)

    def step() -> None:
        tag = 0
        for _ in range(BATCH):
            tag = next(tags)
            unacked.add(tag, entry)
        unacked.take_up_to(tag)

    return step


def whole_way() -> Step:
    """1,000 messages published, delivered and acknowledged together: transient, in memory."""
    return from_publish_to_ack(publish_octets(bytes(100)), lambda tags: ack_octets(tags[-1], True))


def whole_way_each() -> Step:
    """The same, each acknowledged by itself."""
    return from_publish_to_ack(publish_octets(bytes(100)), acks_of_each)


def whole_way_durable() -> Step:
    """Persistent messages, each acknowledged by itself, through the journal into memory."""
    octets = publish_octets(bytes(100), properties={"delivery_mode": 2})
    return from_publish_to_ack(octets, acks_of_each, durable=True)


def from_publish_to_ack(publish: bytes, acks: Callable[[list[int]], bytes], durable: bool = False) -> Step:
    """A batch of that publish, confirmed, delivered, and acknowledged with what `acks` makes of the tags."""
    world = World()
    publisher, consumer = world.connect().open().confirm(), world.connect().open()
    consumer.queue("q", durable=durable)
    consumer.consume("q")
    octets = publish * BATCH
    tags = numbers()
    next(tags)

    def step() -> None:
        publisher.session.receive_data(octets, 1000.0)
        world.broker.flush(1000.0)
        if durable:
            world.commit()
        while consumer.session.data_to_send():
            pass
        while publisher.session.data_to_send():
            pass
        consumer.session.receive_data(acks([next(tags) for _ in range(BATCH)]), 1000.0)
        if durable:
            world.commit()

    return step


def acks_of_each(tags: list[int]) -> bytes:
    """basic.ack of each tag."""
    return b"".join([ack_octets(tag, False) for tag in tags])


def ack_octets(tag: int, multiple: bool) -> bytes:
    """basic.ack of one tag, or of all up to it."""
    return ack(1, tag, multiple)


def load_generator() -> Step:
    """1,000 deliveries at a consumer of `mambaamqp bench`: what the load generator itself costs."""
    head = deliver_head(1, b"c", 3)
    content = content_frames(properties.encode({}, 100), bytes(100)).replace(
        b"\x02\x00\x00", b"\x02\x00\x01", 1
    )
    octets = b"".join(
        head + tag_octets(tag, False) + b"\x00\x01q\xce" + content for tag in range(1, BATCH + 1)
    )
    arrivals = Arrivals(100, True, Histogram())

    def step() -> None:
        arrivals.take(octets, 1_000_000)
        arrivals.take_acks()

    return step


PIECES: dict[str, Callable[[], Step]] = {
    "calibration": calibration,
    "frame split, unroutable": frames,
    "route hit and enqueue": route_hit,
    "route miss, topic": route_miss,
    "topic trie, 10,000 patterns": topic_trie,
    "ready queue, in and out": ready_queue,
    "journal append": journal_append,
    "ack of multiple": ack_multiple,
    "publish to ack, transient": whole_way,
    "publish to ack, each": whole_way_each,
    "publish to ack, each, durable": whole_way_durable,
    "bench, arrival": load_generator,
}


def seconds_of(step: Step) -> float:
    """Seconds of one operation, the best of some tries."""
    best = float("inf")
    step()
    for _ in range(TRIES):
        batches = 0
        start = time.process_time()
        while (taken := time.process_time() - start) < TRY_SECONDS:
            step()
            batches += 1
        best = min(best, taken / batches / BATCH)
    return best


def show_ratios(names: list[str]) -> None:
    """A line for each piece, the calibration measured again beside it."""
    print(f"{'piece':30}{'ns':>10}{'× calibration':>16}")
    for name in names:
        unit = seconds_of(calibration())
        took = seconds_of(PIECES[name]())
        unit = min(unit, seconds_of(calibration()))
        print(f"{name:30}{took * 1e9:>10,.0f}{took / unit:>16.2f}")


def has_counters() -> bool:
    """Whether perf can count instructions here; virtual machines often have no counters."""
    if not shutil.which("perf"):
        return False
    done = subprocess.run(
        ["perf", "stat", "-x,", "-e", "instructions:u", "true"], capture_output=True, text=True
    )
    return done.stderr[:1].isdigit()


def instructions(name: str, batches: int, perf: bool) -> int:
    """Instructions of a process that runs the piece so often."""
    command = [sys.executable, __file__, "--piece", name, "--batches", str(batches)]
    if perf:
        counter = ["perf", "stat", "-x,", "-e", "instructions:u", *command]
        done = subprocess.run(counter, capture_output=True, text=True, check=True)
        return int(done.stderr.split(",")[0])
    with tempfile.TemporaryDirectory() as directory:
        counter = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out", *command]
        fixed = {"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(counter, capture_output=True, text=True, check=True, env=fixed)
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found, done.stderr
    return int(found.group(1))


def show_counts(names: list[str]) -> None:
    """A line for each piece."""
    perf = has_counters()
    if not perf and not shutil.which("valgrind"):
        raise SystemExit("--count needs hardware counters (perf) or valgrind")
    print(f"{'piece':30}{'instructions':>14}   ({'perf' if perf else 'callgrind'})")
    instructions(names[0], SHORT, perf)  # whatever is compiled or cached at the first run is, now
    for name in names:
        difference = instructions(name, LONG, perf) - instructions(name, SHORT, perf)
        print(f"{name:30}{difference / (LONG - SHORT) / BATCH:>14,.0f}", flush=True)


def main() -> None:
    """Flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", action="store_true", help="count instructions")
    parser.add_argument("--only", default="", help="only pieces with this in their name")
    parser.add_argument("--piece", help=argparse.SUPPRESS)
    parser.add_argument("--batches", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.piece:
        step = PIECES[options.piece]()
        for _ in range(options.batches):
            step()
        return
    print(f"core: {core_kind()}, {BATCH} operations a batch")
    names = [name for name in PIECES if options.only in name]
    (show_counts if options.count else show_ratios)(names)


if __name__ == "__main__":
    main()
