"""`python -m tests.fuzz.guided`: the targets searched by a fuzzer that sees which code its octets reach.

One process a target, each from the corpus and the seeds, so many at a time as there are processors. A find
makes the exit code 1; its octets are shown with the line that replays them. `--keep` writes what reached new
code into the corpus.

    python -m tests.fuzz.guided --runs 5000000           in all, shared out by SHARES
    python -m tests.fuzz.guided --target table --replay 0161
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.fuzz import kept
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

RUNS: Final = 5_000_000
OCTETS_MAX: Final = 4096
EDGES_MIN: Final = 20
"""Less is what the fuzzer itself has: the code was not watched."""
SHARES: Final = {
    "method": 640,
    "customer": 5,
    "body": 200,
    "table": 35,
    "properties": 35,
    "topic": 30,
    "selector": 15,
    "frames": 12,
    "pattern": 10,
    "segment": 10,
    "stranger": 8,
}
"""Per mille of all runs. What is quick gets the most, and no search is done in a moment: a method is read
80 times as fast as a session, and each has about the same time. They begin in this order, longest first."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="executions in all (default %(default)s)")
    parser.add_argument("--target", choices=SHARES, help="only this one, with all the runs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1, help="of the fuzzer's own chance")
    parser.add_argument("--keep", action="store_true", help="write what reached new code into the corpus")
    parser.add_argument("--replay", type=bytes.fromhex, metavar="HEX", help="run the target on these octets")
    given = parser.parse_args(arguments)
    if given.replay is not None:
        return _replay(given.target, given.replay)
    return _all(given)


def _replay(name: str, octets: bytes) -> int:
    TARGETS[name](octets)
    return 0


def _all(given: argparse.Namespace) -> int:
    names = [given.target] if given.target else list(SHARES)
    runs = {name: given.runs if given.target else given.runs * SHARES[name] // 1000 for name in names}
    with ThreadPoolExecutor(given.jobs) as pool:
        found = list(pool.map(lambda name: _one(name, runs[name], given.seed, given.keep), names))
    print(f"{sum(runs.values()):,} executions, {sum(found)} finds")
    return 1 if any(found) else 0


def _one(name: str, runs: int, seed: int, keep: bool) -> bool:
    """Whether something was found."""
    with tempfile.TemporaryDirectory() as place:
        entries, finds = Path(place) / "entries", Path(place) / "finds"
        entries.mkdir()
        finds.mkdir()
        _lay_out(name, entries)
        began = time.monotonic()
        # fmt: off
        done = _fuzzer(name, f"-runs={runs}", f"-seed={seed}", f"-max_len={OCTETS_MAX}",
                       f"-artifact_prefix={finds}/", "-print_final_stats=1", "-timeout=20", str(entries))
        # fmt: on
        whole = _ran(name, runs, time.monotonic() - began, done)
        if whole and keep:
            kept.keep(name, (path.read_bytes() for path in entries.iterdir()))
        return _show(name, finds, done) or not whole


def _lay_out(name: str, folder: Path) -> None:
    for octets in (*kept.corpus(name), *SEEDS[name]):
        (folder / hashlib.sha256(octets).hexdigest()).write_bytes(octets)


def _fuzzer(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.search", name, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")


def _ran(name: str, runs: int, seconds: float, done: subprocess.CompletedProcess[str]) -> bool:
    """Tell what was done; a search that saw no code, or did less than asked, has not been one."""
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", done.stderr)
    executed = re.findall(r"number_of_executed_units: (\d+)", done.stderr)
    edges, _, entries = covered[-1] if covered else (0, 0, 0)
    count = int(executed[-1]) if executed else 0
    print(
        f"{name:10} {count:9,} executions in {seconds:5.0f} s, {edges} edges, {entries} entries", flush=True
    )
    return int(edges) > EDGES_MIN and count >= runs


def _show(name: str, finds: Path, done: subprocess.CompletedProcess[str]) -> bool:
    for path in finds.iterdir():
        print(f"found by {path.name.split('-')[0]}; again: python -m tests.fuzz.guided --target {name}"
              f" --replay {path.read_bytes().hex()}")  # fmt: skip
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:])
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
