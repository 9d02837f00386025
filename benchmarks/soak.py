"""`python -m benchmarks.soak`: a steady load for an hour, and how large the directory is meanwhile.

A stream passes through one queue, a backlog rolls through another, and every second a message is left in a
third for ever, so that something old lives everywhere in the log. The directory may be as large as
docs/limits.md says: a round of compaction begins at LOG_PER_LIVE times what lives and SLACK_SEGMENTS, and may
take as long as traffic needs to fill half of what lives. Memory must not grow either. A line a minute; exit
code 1 where a bound was broken.
"""

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import pika
import psutil

from mambaamqp.store.journal import LOG_PER_LIVE, SLACK_SEGMENTS
from tests.support.process import BrokerProcess

SEGMENT_BYTES: Final = 4 << 20
BODY: Final = bytes(1000)
RECORD_BYTES: Final = len(BODY) + 90
"""Of one such message in the journal, about."""
BACKLOG: Final = 20_000
ROLL: Final = 250
"""So much of the backlog is renewed each second."""
STREAM_PER_BURST: Final = 50
BURST_SECONDS: Final = 0.1
DURING_A_ROUND: Final = 0.5
"""Of what lives."""
UNSETTLED_SEGMENTS: Final = 4
"""What was written since housekeeping looked last, and the spare segments that wait to be used again."""
GROWTH_BYTES_MAX: Final = 64 << 20
WARM_UP_SECONDS: Final = 60.0
PERSISTENT: Final = pika.BasicProperties(delivery_mode=2)


class Rolling(threading.Thread):
    """The backlog and what stays for ever; `left` is how many of those there are."""

    def __init__(self, broker: BrokerProcess, seconds: float) -> None:
        super().__init__(daemon=True)
        self.broker = broker
        self.end = time.monotonic() + seconds
        self.left = 0

    def run(self) -> None:
        with self.broker.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for name in ("rolling", "for ever"):
                channel.queue_declare(name, durable=True)
            for _ in range(BACKLOG):
                channel.basic_publish("", "rolling", BODY, PERSISTENT)
            while time.monotonic() < self.end:
                began = time.monotonic()
                self._roll(channel)
                connection.sleep(max(0.0, began + 1 - time.monotonic()))

    def _roll(self, channel: "pika.adapters.blocking_connection.BlockingChannel") -> None:
        for _ in range(ROLL):
            channel.basic_publish("", "rolling", BODY, PERSISTENT)
            method, _, _ = channel.basic_get("rolling")
            channel.basic_ack(method.delivery_tag)
        channel.basic_publish("", "for ever", BODY, PERSISTENT)
        self.left += 1


class Streaming(threading.Thread):
    """What comes and goes at once. Not the load command, which never sleeps between two messages."""

    def __init__(self, broker: BrokerProcess, seconds: float) -> None:
        super().__init__(daemon=True)
        self.broker = broker
        self.end = time.monotonic() + seconds

    def run(self) -> None:
        with self.broker.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("stream", durable=True)
            channel.basic_qos(prefetch_count=2 * STREAM_PER_BURST)
            channel.basic_consume("stream", self._settle)
            while time.monotonic() < self.end:
                for _ in range(STREAM_PER_BURST):
                    channel.basic_publish("", "stream", BODY, PERSISTENT)
                connection.sleep(BURST_SECONDS)

    @staticmethod
    def _settle(channel: "pika.adapters.blocking_connection.BlockingChannel", method: Any, *_: Any) -> None:
        channel.basic_ack(method.delivery_tag)


def directory_bytes(directory: Path) -> int:
    """What the journal's files take."""
    size = 0
    for path in directory.glob("*.journal"):
        try:
            size += path.stat().st_size
        except FileNotFoundError:
            continue  # it went while we looked
    return size


def main() -> int:
    """Exit code 1 when the directory or memory was larger than it may be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    seconds = parser.parse_args().minutes * 60
    environment = {"MAMBAAMQP_STORE_SEGMENT_BYTES": str(SEGMENT_BYTES)}
    with (
        tempfile.TemporaryDirectory() as place,
        BrokerProcess(Path(place) / "data", **environment) as broker,
    ):
        rolling = Rolling(broker, seconds + WARM_UP_SECONDS)
        rolling.start()
        streaming = Streaming(broker, seconds + WARM_UP_SECONDS)
        streaming.start()
        time.sleep(WARM_UP_SECONDS)
        kept = watch(broker, rolling, seconds) and streaming.is_alive()
        rolling.join()
        streaming.join()
        return 0 if kept and broker.terminate() == 0 else 1


def watch(broker: BrokerProcess, rolling: Rolling, seconds: float) -> bool:
    """A line a minute, a look a second; whether every bound was kept."""
    process = psutil.Process(broker.process.pid)
    memory = process.memory_info().rss
    end, kept, worst, worst_ratio = time.monotonic() + seconds, True, 0, 0.0
    print("minute | lives MiB | directory MiB at most | times what lives | of what is allowed | memory MiB")
    for number in range(1, int(seconds) + 1):
        time.sleep(max(0.0, end - seconds + number - time.monotonic()))
        live = (BACKLOG + ROLL + rolling.left) * RECORD_BYTES
        allowed = (LOG_PER_LIVE + DURING_A_ROUND) * live
        allowed += (SLACK_SEGMENTS + UNSETTLED_SEGMENTS) * SEGMENT_BYTES
        size = directory_bytes(broker.data_dir)
        worst, worst_ratio = max(worst, size), max(worst_ratio, size / allowed)
        grown = process.memory_info().rss - memory
        kept = kept and size <= allowed and grown < GROWTH_BYTES_MAX and rolling.is_alive()
        if number % 60 == 0:
            told = f"{number // 60} | {live >> 20} | {worst >> 20} | {worst / live:.2f} | {worst_ratio:.2f}"
            print(f"{told} | {(memory + grown) >> 20}", flush=True)
    return kept


if __name__ == "__main__":
    sys.exit(main())
