"""Bit rot in every region of every segment: found, named, never delivered, and the rest is served."""

import random

import pytest

from tests.faults.rot import (
    Region,
    Store,
    base_in,
    copy_oldest,
    damage,
    judge_damage,
    make_store,
    overwritten,
)
from tests.faults.scale import SEED, replay, scaled, seeds, shrink

STORES = scaled(8, 40)
MORE_STORES = 40
"""So many at most are added until there is everything to damage."""
PER_REGION = scaled(8, 400)
"""Flips of each part of a frame, in all the stores together."""
REGIONS = {
    *(f"batch {name}" for name in ("crc", "length", "lsn", "epoch", "previous crc", "kind", "count")),
    *(f"batch {name}" for name in ("publish", "publish head", "settle", "settle head", "queue declare")),
    *("epoch crc", "epoch lsn", "epoch body", "checkpoint crc", "checkpoint queue declare"),
    *("part crc", "part chunk", "batch bind", "batch requeue", "batch exchange declare"),
    "reservation",
}
"""What the damage must have reached at least."""


@pytest.fixture(scope="module")
def stores() -> list[Store]:
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        made = [make_store(seed) for seed in seeds(STORES)]
        for seed in seeds(STORES + MORE_STORES)[STORES:]:
            if {region.name for store in made for region in store.regions} >= REGIONS:
                break
            made.append(make_store(seed))
        return made


def test_a_flipped_bit_costs_its_frame_and_nothing_else(stores: list[Store]) -> None:
    """One bit in each part of frames of each kind: I12, against a replay of all other frames."""
    rng = random.Random(SEED)
    places: dict[str, list[tuple[Store, Region]]] = {}
    for store in stores:
        for region in store.regions:
            places.setdefault(region.name, []).append((store, region))
    assert set(places) >= REGIONS
    for name in sorted(places):
        for store, region in rng.choices(places[name], k=PER_REGION):
            with replay("test_rot.py", region):
                damage(store, region, rng)


def test_a_bad_sector_costs_its_frames_and_nothing_else(stores: list[Store]) -> None:
    """512 octets of zeros or of noise, anywhere among the frames."""
    rng = random.Random(SEED)
    tried = 0
    for store in stores:
        for run in rng.sample(store.runs, min(len(store.runs), PER_REGION)):
            image, start, end = overwritten(store.image[run.path], rng.randrange(run.start, run.end), rng)
            hit = store.hit(run.path, start, end)
            # Zeros over the end of the log look like a log that ends earlier.
            changed = image != store.image[run.path]
            if changed and not any(store.is_torn(run) for run in hit):
                tried += 1
                with replay("test_rot.py", f"{run.path} from {start}"):
                    judge_damage(store, store.image | {run.path: image}, hit, run.path, start, end)
    assert tried > STORES


def test_a_lost_segment_costs_its_frames_and_nothing_else(stores: list[Store]) -> None:
    """A file in the middle is gone: the gap in the log is named, and both sides of it are served."""
    tried = 0
    for store in stores:
        for place, path in enumerate(store.paths[1:-1], 1):
            if base_in(path) == store.checkpoint_lsn:
                continue  # the topology goes with it, which is another loss
            image = {name: data for name, data in store.image.items() if name != path}
            hit = [run for run in store.runs if run.path == path]
            before = store.paths[place - 1]
            size = max(run.end for run in store.runs if run.path == before)
            tried += 1
            with replay("test_rot.py", f"without {path}"):
                judge_damage(store, image, hit, before, size, size + 1)
    assert tried > STORES // 2


def test_a_segment_that_was_copied_is_not_served_twice(stores: list[Store]) -> None:
    """An old segment under a name behind the last one: refused by its positions, and named."""
    for store in stores:
        with replay("test_rot.py", store.paths[0]):
            copy_oldest(store)
