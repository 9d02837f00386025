"""Damage to what was safe, in every region of a store, and what must come of it.

The oracle knows nothing of how damage is found: it takes the records of the whole store, leaves out those of
the run of frames that was hit, and replays the rest; where nothing behind the run says that it was safe, it
is a torn tail, and the oracle is the store without it. A broker that starts on the damaged store must hold
exactly that, and name the damage.
"""

import random
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from mambaamqp.errors import StoreError
from mambaamqp.store import inspect
from mambaamqp.store.log_format import (
    BATCH,
    CHECKPOINT,
    CONTINUED,
    EPOCH,
    HEADER_BYTES,
    PART,
    SPACE,
    SYNCED,
    base_of,
    segment_name,
)
from mambaamqp.store.reader import SegmentReader
from mambaamqp.store.recovery import open_store
from tests.faults.enumeration import SEGMENT_BYTES
from tests.support.client import World
from tests.support.disk import SECTOR_BYTES, Image, MemoryDisk
from tests.support.lives import Simulation
from tests.support.moments import STREAM, Moment, moment_of
from tests.support.violation import Violation

HEADER_FIELDS: Final = {"crc": (0, 4), "length": (4, 8), "lsn": (8, 16), "epoch": (16, 24)} | {
    "previous crc": (24, 28),
    "kind": (28, 30),
    "count": (30, 32),
}
KIND_NAMES: Final = {BATCH: "batch", EPOCH: "epoch", CHECKPOINT: "checkpoint", PART: "part", SPACE: "space"}


class Region(NamedTuple):
    """Octets of one meaning: from `start` up to and without `end` in the file `path`."""

    name: str
    path: str
    start: int
    end: int


class Run(NamedTuple):
    """Frames that count together: where they stand in the file, and in the log."""

    path: str
    start: int
    end: int
    lsn: int
    kind: int
    synced: bool
    """It says that everything before it was safe."""


class Store:
    """An undamaged store: its runs, its regions, and its records."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.runs: list[Run] = []
        self.regions: list[Region] = []
        self.paths = sorted(path for path in image if path.endswith(".journal"))
        for place, path in enumerate(self.paths):
            self._read(path, self.paths[place + 1] if place + 1 < len(self.paths) else None)
        opened = open_store("/store", MemoryDisk.of(image))
        self.records = list(opened.records())
        self.checkpoint_lsn = opened.checkpoint_lsn

    def _read(self, path: str, successor: str | None) -> None:
        base, disk = base_in(path), MemoryDisk.of(self.image)
        file = disk.open(path)
        end = None if successor is None else base_in(successor) - base
        start, synced = 0, False
        reader = SegmentReader(disk, file, base, end=end)
        for frame in reader.frames():
            if not frame.flags & CONTINUED:
                start, synced = frame.offset, bool(frame.flags & SYNCED)
            if frame.kind != PART:
                self.runs.append(Run(path, start, frame.end, base + start, frame.kind, synced))
            kind = KIND_NAMES[frame.kind]
            for name, (first, last) in HEADER_FIELDS.items():
                self.regions.append(Region(f"{kind} {name}", path, frame.offset + first, frame.offset + last))
            self.regions += record_regions(kind, path, frame.offset + HEADER_BYTES, frame.body)
        assert not reader.gaps, "the store is damaged before it is damaged"
        if len(self.image[path]) > reader.end:
            self.regions.append(Region("reservation", path, reader.end, len(self.image[path])))

    def hit(self, path: str, start: int, end: int) -> list[Run]:
        """The runs that have octets in a range."""
        return [run for run in self.runs if run.path == path and run.start < end and start < run.end]

    def is_torn(self, run: Run) -> bool:
        """Whether nothing behind a run says that it was safe: it might never have been."""
        return run.path == self.paths[-1] and not any(
            later.synced and later.start > run.start for later in self.runs if later.path == run.path
        )

    def without(self, hit: list[Run]) -> Moment:
        """What is left when runs do not count."""
        torn = [run.start for run in hit if self.is_torn(run)]
        if torn:
            last = self.paths[-1]
            cut = self.image | {last: self.image[last][: min(torn)]}
            return moment_of(World(MemoryDisk.of(cut), segment_bytes=SEGMENT_BYTES))
        spans = [(run.lsn, run.lsn + run.end - run.start) for run in hit if run.kind != CHECKPOINT]
        # The topology of the checkpoint is replayed first and stands in it twice.
        kept = [
            stored
            for place, stored in enumerate(self.records)
            if place < self._topology_count or not any(first <= stored[0] < last for first, last in spans)
        ]
        world = World(MemoryDisk())
        world.broker.recover(kept)
        return moment_of(world)

    @property
    def _topology_count(self) -> int:
        """How many records come from the checkpoint: those that stand before the oldest segment's."""
        lsns = [lsn for lsn, _, _ in self.records]
        return next((place for place in range(1, len(lsns)) if lsns[place] < lsns[place - 1]), 0)


def base_in(path: str) -> int:
    """The position at which a segment file begins."""
    base = base_of(path.rpartition("/")[2])
    assert base is not None
    return base


def record_regions(kind: str, path: str, at: int, body: bytes) -> Iterator[Region]:
    """The parts of a frame's body: each record's head and payload, or all of an epoch."""
    if kind in ("epoch", "space"):
        yield Region(f"{kind} body", path, at, at + len(body))
        return
    offset = 0
    for name in inspect.record_names(body):
        size = 4 + int.from_bytes(body[offset + 1 : offset + 4], "big")
        yield Region(f"{kind} {name} head", path, at + offset, at + offset + 4)
        yield Region(f"{kind} {name}", path, at + offset + 4, at + offset + size)
        offset += size


def make_store(seed: int, steps: int = 250) -> Store:
    """A store that random clients have filled, with what is worth damaging in it."""
    life = Simulation(seed, lives=1, steps=steps)
    life.open = lambda disk: World(disk, segment_bytes=SEGMENT_BYTES)  # type: ignore[method-assign]
    life.begin_life()
    life.disk.before = None
    life.world.journal.segment_bytes = SEGMENT_BYTES
    for _ in range(steps):
        life.step()
    life.world.hold = False
    life.world.settle()
    return Store(life.disk.image)


# Damage


def flipped(data: bytes, at: int, bit: int) -> bytes:
    """One bit has turned."""
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def overwritten(data: bytes, at: int, rng: random.Random) -> tuple[bytes, int, int]:
    """The sector around an offset holds zeros or noise; with its first and last octet."""
    start = at - at % SECTOR_BYTES
    end = min(start + SECTOR_BYTES, len(data))
    sector = rng.choice((bytes(end - start), rng.randbytes(end - start)))
    return data[:start] + sector + data[end:], start, end


def damage(store: Store, region: Region, rng: random.Random) -> None:
    """One bit of a region has turned: judged."""
    data = store.image[region.path]
    at = rng.randrange(region.start, region.end)
    image = store.image | {region.path: flipped(data, at, rng.randrange(8))}
    judge_damage(store, image, store.hit(region.path, at, at + 1), region.path, at, at + 1)


def copy_oldest(store: Store) -> None:
    """The oldest segment lies there again, under a name behind the last one: judged."""
    last = store.paths[-1]
    stray = f"/store/{segment_name(base_in(last) + len(store.image[last]))}"
    judge_damage(store, store.image | {stray: store.image[store.paths[0]]}, [], stray, 0, 1)


def judge_damage(store: Store, image: Image, hit: list[Run], path: str, start: int, end: int) -> None:
    """A broker that starts on the damaged image holds all the rest and nothing else, and names the damage."""
    try:
        world = World(MemoryDisk.of(image), segment_bytes=SEGMENT_BYTES)
    except Exception as failure:
        raise Violation("I12", f"the broker does not start: {failure!r}") from failure
    if hit:
        # A frame is the smallest thing that can be found to be damaged.
        start, end = min(start, hit[0].start), max(end, hit[-1].end)
    found, expected = moment_of(world), store.without(hit)
    if found != expected:
        raise Violation("I12", f"found {found}\nexpected {expected}")
    _judge_naming(world.store.findings, path, start, end)
    for queue in world.broker.vhosts["/"].queues.values():
        if queue.name != STREAM and not all(entry.redelivered for entry in queue.ready.entries()):
            raise Violation("I6", "what was recovered from a damaged store is not marked")
    report = inspect.check("/store", MemoryDisk.of(image))
    _judge_naming([*report.damage, *report.torn], path, start, end)
    if not all(store.is_torn(run) for run in hit):
        _judge_refusal(image)


def _judge_naming(findings: list[Any], path: str, start: int, end: int) -> None:
    if not any(found.file == path and found.start < end and start < found.end for found in findings):
        named = [str(found) for found in findings]
        raise Violation("I12", f"damage to {path} from {start} to {end} is not named, but {named}")


def _judge_refusal(image: Image) -> None:
    """Who asked for it is refused a start."""
    store = open_store("/store", MemoryDisk.of(image), on_corruption="refuse")
    try:
        list(store.records())
    except StoreError:
        return
    raise Violation("I12", "a damaged store is not refused")
