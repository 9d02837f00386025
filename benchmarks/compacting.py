"""`python -m benchmarks.compacting`: latencies while old messages are moved out of sparse segments.

Two loads of the same size take turns on one broker, beside a probe of confirmed messages at a steady rate: a
backlog that rolls, whose segments go by themselves, and the same with messages in between that stay, whose
segments must be emptied. Prints the probe's percentiles for both, and how many segments were emptied although
something in them had stayed. Exit code 1 where nothing was emptied: then the figures compare nothing.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import pika

from tests.support.process import BrokerProcess

SEGMENT_BYTES: Final = 1 << 20
BODY: Final = bytes(1000)
BACKLOG: Final = 2000
PER_SECOND: Final = 1000
STAYS: Final = 10
"""One in so many messages of the second load."""
PROBES_PER_SECOND: Final = 1000
WARM_UP_SECONDS: Final = 3.0
PERSISTENT: Final = pika.BasicProperties(delivery_mode=2)
PERCENTILES: Final = ("p50", "p99")


class Rolling(threading.Thread):
    """Publishes and takes, so many messages a second; with `stays`, some of them are never taken."""

    def __init__(self, broker: BrokerProcess, stays: int) -> None:
        super().__init__(daemon=True)
        self.broker = broker
        self.stays = stays
        self.over = threading.Event()

    def run(self) -> None:
        with self.broker.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("rolling", durable=True)
            channel.queue_declare("stays", durable=True)
            for _ in range(BACKLOG):
                channel.basic_publish("", "rolling", BODY, PERSISTENT)
            while not self.over.is_set():
                began = time.monotonic()
                for number in range(PER_SECOND // 10):
                    self._renew(channel, number)
                connection.sleep(max(0.0, began + 0.1 - time.monotonic()))
            channel.queue_purge("stays")
            channel.queue_purge("rolling")

    def _renew(self, channel: "pika.adapters.blocking_connection.BlockingChannel", number: int) -> None:
        if self.stays and number % self.stays == 0:
            channel.basic_publish("", "stays", BODY, PERSISTENT)
            return
        channel.basic_publish("", "rolling", BODY, PERSISTENT)
        method, _, _ = channel.basic_get("rolling")
        if method is not None:
            channel.basic_ack(method.delivery_tag)


def probe(broker: BrokerProcess, seconds: float) -> dict[str, int]:
    """Percentiles of the time from publish to delivery, in microseconds."""
    url = f"amqp://guest:guest@127.0.0.1:{broker.port}/"
    options = ["--durable", "--persistent", "--confirm", "100", "--prefetch", "100", "--json"]
    rate = ["--rate", str(PROBES_PER_SECOND), "--seconds", str(seconds)]
    command = [sys.executable, "-m", "mambaamqp", "bench", url, *options, *rate]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    latency: dict[str, int] = json.loads(told)["latency_us"]
    return latency


def measure(broker: BrokerProcess, stays: int, seconds: float) -> tuple[dict[str, int], int]:
    """The probe beside one load, and how many of the segments of its first seconds went meanwhile."""
    rolling = Rolling(broker, stays)
    rolling.start()
    time.sleep(WARM_UP_SECONDS)
    before = {path.name for path in broker.data_dir.glob("*.journal")}
    latency = probe(broker, seconds)
    gone = before - {path.name for path in broker.data_dir.glob("*.journal")}
    rolling.over.set()
    rolling.join()
    return latency, len(gone)


def main() -> int:
    """Both loads in turn; medians."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compacting", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    figures: dict[int, list[dict[str, int]]] = {0: [], STAYS: []}
    emptied = 0
    environment = {"MAMBAAMQP_STORE_SEGMENT_BYTES": str(SEGMENT_BYTES)}
    with (
        tempfile.TemporaryDirectory() as place,
        BrokerProcess(Path(place) / "data", **environment) as broker,
    ):
        for _ in range(asked.runs):
            for stays, kept in figures.items():
                latency, gone = measure(broker, stays, asked.seconds)
                kept.append(latency)
                emptied += gone if stays else 0
    for stays, kept in figures.items():
        medians = {name: statistics.median(latency[name] for latency in kept) for name in PERCENTILES}
        told = "  ".join(f"{name} {value:,.0f} µs" for name, value in medians.items())
        print(f"{'segments are emptied' if stays else 'segments go whole':24}{told}")
    print(f"{emptied} segments emptied in which something stayed")
    return 0 if emptied else 1


if __name__ == "__main__":
    sys.exit(main())
