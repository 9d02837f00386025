"""Every state that a power cut may leave of the disk under a living broker, each recovered and judged.

A life (`tests.support.lives`) goes on over a disk that knows what has been synced, and beside it stands
what clients have been told. Before each operation reaches stable storage, every disk that may then be left is
worked out: prefixes of what was written since the last sync, one write lost, torn and missing sectors, sizes
without octets, several files at once, names that did or did not arrive. A broker starts on each of them, and
what it finds must be a moment that was and is not older than the last promise. Recovery is cut likewise.

States are told apart by what they hold: recovery is a function of the disk, so the same disk is recovered
once and judged as often as it comes up, each time against what had been promised by then.
"""

import random
from hashlib import blake2b

from mambaamqp.store.spool import WHOLE_BYTES_MAX
from tests.support.client import World
from tests.support.disk import Image, MemoryDisk
from tests.support.lives import PowerCut, Simulation
from tests.support.moments import Moment, judge, moment_of
from tests.support.violation import Violation

SEGMENT_BYTES = 1500
"""Small: a life begins, cuts and drops many segments."""
KILLED_WITHIN = 100
"""Operations: in every other life the process is killed, and what was not synced is the system's to keep."""
NESTED_SHARE = 0.02
"""Of the states: so many are recovered under power cuts of their own."""
NESTED_STATES_MAX = 12


class Enumeration(Simulation):
    """One disk with several lives, looked at between any two operations.

    `states_per_moment` bounds how many states of one moment are tried, chosen at random; None tries all.
    """

    def __init__(
        self,
        seed: int,
        *,
        lives: int = 2,
        steps: int = 60,
        tidiness: int = 1,
        states_per_moment: int | None = None,
        sync: bool = True,
        spools: bool = True,
    ) -> None:
        """`spools`: bodies may be large, which makes very many states of each moment."""
        super().__init__(seed, lives=lives, steps=steps, tidiness=tidiness)
        if not spools:
            self.whole_bytes_max = WHOLE_BYTES_MAX
        self.states_per_moment = states_per_moment
        self.sync = sync
        self.choices = random.Random(seed)
        """Beside the life's own, so that a life is the same however many of its states are tried."""
        self.states: dict[bytes, Moment] = {}
        """Digest of each state → what was found in it."""
        self.nested = 0
        """So many of them are those of a recovery that was cut short."""
        self.operations: set[str] = set()
        """The kinds of operation that the power went at."""

    def open(self, disk: MemoryDisk) -> World:
        world = World(
            disk,
            segment_bytes=SEGMENT_BYTES,
            sync=self.sync,
            drowsy=self.drowsy,
            whole_bytes_max=self.whole_bytes_max,
        )
        world.journal.segment_bytes = SEGMENT_BYTES
        return world

    def begin_life(self) -> None:
        super().begin_life()
        self.world.journal.segment_bytes = SEGMENT_BYTES
        self.countdown = self.rng.choice((0, self.rng.randint(1, KILLED_WITHIN)))
        self.disk.before = self.look

    def look(self, operation: str) -> None:
        """The power may go now."""
        self.operations.add(operation)
        self.countdown -= 1
        if self.countdown == 0:
            raise PowerCut(self.disk)
        for seat in self.seats:
            seat.client.pump()
        self.listen()
        images = list(self.disk.crash_images(self.choices))
        if self.states_per_moment is not None and len(images) > self.states_per_moment:
            images = self.choices.sample(images, self.states_per_moment)
        for image in images:
            self.check(image)

    def check(self, image: Image) -> None:
        """Recover a state, unless that has been done, and judge what is found."""
        known = len(self.states)
        found = self.found_in(image)
        judge(self.model, found, None if self.sync else 0)
        if len(self.states) > known and self.choices.random() < NESTED_SHARE:
            self.cut_recovery(image, found)

    def found_in(self, image: Image) -> Moment:
        """What a broker finds in a state, the second time from memory."""
        digest = digest_of(image)
        if digest not in self.states:
            self.states[digest] = self.recover(image)
        return self.states[digest]

    def recover(self, image: Image) -> Moment:
        """What a broker finds; it starts, finds no damage, and has changed no message."""
        world = started(self, MemoryDisk.of(image))
        damage = [finding for finding in world.store.findings if not finding.torn]
        if damage:
            raise Violation("I11", f"a power cut is no damage: {damage[0]}")
        self.check_octets(world)
        self.check_marks(world)
        self.check_offsets(world)
        return moment_of(world)

    def cut_recovery(self, image: Image, expected: Moment) -> None:
        """Cut the power again at every operation of the recovery; the starts after that find the same."""
        disk = MemoryDisk.of(image)
        left: list[Image] = []
        disk.before = lambda _: left.extend(disk.crash_images(self.choices))
        started(self, disk)
        disk.before = None
        left = self.choices.sample(left, min(len(left), NESTED_STATES_MAX))
        for state in [*left, disk.image]:
            self.nested += 1
            if (found := self.found_in(state)) != expected:
                raise Violation("I11", f"a second start finds {found} instead of {expected}")

    def compare(self) -> None:
        """The end of a life: whoever waits is answered, and the next life begins in one of the states."""
        if self.cut is None:
            self.world.hold = False
            self.guarded(self.world.settle)
            self.listen()
        if self.cut is None:
            for seat in self.seats:
                if seat.unconfirmed or seat.awaited:
                    raise Violation("I10", f"not answered: {sorted(seat.unconfirmed)} {seat.awaited}")
        if not self.sync:
            self.model.promised = 0
        super().compare()

    def after_crashes(self) -> MemoryDisk:
        """One of the states, or, where only the process died, the disk as it would see it."""
        return super().after_crashes() if self.cut is None else self.disk


def started(lives: Simulation, disk: MemoryDisk) -> World:
    """A broker on a disk; that it does not start is a violation, whatever the reason."""
    try:
        return lives.open(disk)
    except Exception as failure:
        raise Violation("I11", f"the broker does not start: {failure!r}") from failure


def digest_of(image: Image) -> bytes:
    """The same for the same files with the same octets."""
    digest = blake2b(digest_size=16)
    for path, data in sorted(image.items()):
        digest.update(b"%d %d %s" % (len(path), len(data), path.encode()))
        digest.update(data)
    return digest.digest()
