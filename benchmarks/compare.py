"""Compare this broker, compiled and pure, with a RabbitMQ, one after another on this machine.

See README.md. A ratio from one run says something; a figure by itself says little.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import record
from brokers import ROOT, Mambaamqp, RabbitMQ, cpu_seconds, find_rabbitmq
from workloads import LATENCY, WORKLOADS, Workload

AMQPLOAD_FLAGS = {"--confirm": "--window", "--ack": "--ack-every", "--auto-ack": "--autoack"}
AMQPLOAD_KNOWS = {"--producers", "--consumers", "--queues", "--size", "--durable", "--persistent"}
AMQPLOAD_KNOWS |= {"--prefetch", "--rate", *AMQPLOAD_FLAGS}
COUNTED_SECONDS = 120
SETTLE_SECONDS = 0.5


def amqpload_command(tool: str, workload: Workload, port: int, seconds: float) -> list[str] | None:
    """The same load by amqpload; None if it has no such flags."""
    flags = shlex.split(workload.flags)
    if any(flag.startswith("--") and flag not in AMQPLOAD_KNOWS for flag in flags):
        return None
    size = [] if "--size" in flags else ["--size", "100"]
    timing = ["--seconds", str(seconds), "--warmup", str(seconds / 10)]
    return [tool, "--port", str(port), *timing, *size, *(AMQPLOAD_FLAGS.get(flag, flag) for flag in flags)]


def load_command(options: argparse.Namespace, workload: Workload, port: int) -> list[str]:
    """The command that puts the load on."""
    tool = os.environ.get("AMQPLOAD")
    command = amqpload_command(tool, workload, port, options.seconds) if tool else None
    if command:
        return command
    seconds = COUNTED_SECONDS if workload.counted else options.seconds
    url = f"amqp://guest:guest@127.0.0.1:{port}/"
    flags = [*shlex.split(workload.flags), "--seconds", str(seconds), "--json"]
    return [*options.bench, "bench", url, *flags]


def shown_command(options: argparse.Namespace, workload: Workload) -> str:
    """The command as somebody else would give it, wherever the tools lie there."""
    command = load_command(options, workload, 5672)
    if command[: len(options.bench)] == options.bench:
        command = ["mambaamqp", *command[len(options.bench) :]]
    return shlex.join([Path(command[0]).name, *command[1:]])


def measure(options: argparse.Namespace, workload: Workload, broker: Any) -> dict[str, Any] | None:
    """One run of one workload; None if it failed, and why on standard error."""
    before = cpu_seconds(broker.pid)
    command = load_command(options, workload, broker.port)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    used = cpu_seconds(broker.pid) - before
    if done.returncode:
        print(f"{workload.name}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    result["cpu_us_per_message"] = used * 1e6 / max(result["consumed"], result["published"], 1)
    return result


def median(workload: Workload, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run whose figure is the (lower) median."""
    wanted = statistics.median_low([record.figure(workload, run) for run in runs])
    return next(run for run in runs if record.figure(workload, run) == wanted)


def run_all(options: argparse.Namespace, broker: Any, figures: dict[str, dict[str, Any]]) -> None:
    """All workloads on one broker, which is started for them and stopped after them."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as directory:
        broker.start(Path(directory))
        try:
            for workload in WORKLOADS:
                if options.only not in workload.name:
                    continue
                time.sleep(SETTLE_SECONDS)
                count = 1 if workload.counted else options.runs
                runs = [run for _ in range(count) if (run := measure(options, workload, broker))]
                if runs:
                    figures.setdefault(workload.name, {})[broker.name] = median(workload, runs)
                    report_line(broker.name, workload, median(workload, runs))
        finally:
            broker.stop()


def report_line(broker: str, workload: Workload, result: dict[str, Any]) -> None:
    """How it goes, on standard output."""
    unit = "µs" if workload.figure == LATENCY else "/s"
    print(f"{broker:20} {workload.name:46} {record.figure(workload, result):>12,.0f} {unit}", flush=True)


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    )
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{os.cpu_count()} × {model[0].partition(': ')[2] if model else platform.machine()}",
        "system": platform.platform(),
        "load before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "revision": revision.stdout.strip(),
        "load generator": os.environ.get("AMQPLOAD", "mambaamqp bench"),
    }


def parse() -> argparse.Namespace:
    """Flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compiled", default=".venv-compiled/bin/mambaamqp", help="compiled mambaamqp")
    parser.add_argument("--pure", default=f"{sys.executable} -m mambaamqp", help="pure mambaamqp")
    parser.add_argument("--rabbitmq", type=Path, default=find_rabbitmq(), help="its rabbitmq-server script")
    parser.add_argument("--brokers", default="compiled,pure,rabbitmq")
    parser.add_argument("--seconds", type=float, default=6, help="of each run")
    parser.add_argument("--runs", type=int, default=3, help="of each workload; the median counts")
    parser.add_argument("--only", default="", help="only workloads with this in their name")
    parser.add_argument("--directory", help="for the stores; its disk is measured")
    parser.add_argument("--name", default="compare", help="of the files in results/")
    return parser.parse_args()


def main() -> None:
    """Measure, then write."""
    options = parse()
    options.bench = shlex.split(options.compiled if "compiled" in options.brokers else options.pure)
    makers = {
        "compiled": lambda: Mambaamqp("mambaamqp compiled", shlex.split(options.compiled)),
        "pure": lambda: Mambaamqp("mambaamqp pure", shlex.split(options.pure)),
        "rabbitmq": lambda: RabbitMQ(options.rabbitmq or sys.exit("apt-get install rabbitmq-server")),
    }
    data: dict[str, Any] = {"machine": machine(), "brokers": {}, "figures": {}}
    data["machine"]["runs"] = f"{options.runs} × {options.seconds:g} s a workload, median"
    data["commands"] = {w.name: shown_command(options, w) for w in WORKLOADS}
    brokers = [makers[name]() for name in options.brokers.split(",")]
    for broker in brokers:
        data["brokers"][broker.name] = broker.version
        run_all(options, broker, data["figures"])
    record.write(ROOT / "benchmarks" / "results", options.name, data)


if __name__ == "__main__":
    main()
