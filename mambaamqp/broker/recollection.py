"""One queue's messages while the log is replayed: found by position, and asleep when there are too many.

Settlements name positions, so what waits stands in a dictionary by position. Of a deep backlog only the
youngest stand there; older ones sleep (`broker.asleep`) in chunks, each slot at a place that its position
gives, until they are settled or `finish` makes them the queue's line.
"""

from collections import deque
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from mambaamqp.broker.asleep import (
    MARKED,
    SLOT,
    SLOT_BYTES,
    Slot,
    awake_bytes_of,
    fit,
    may_be_kept,
    may_be_spilled,
    slot_of,
)
from mambaamqp.broker.entry import NEVER, Entry
from mambaamqp.broker.ready import BLOCK_BYTES

if TYPE_CHECKING:
    from mambaamqp.broker.pager import Pager
    from mambaamqp.broker.queue import Queue

CHUNK: Final = 256
"""Positions of a chunk."""
LAST_LSN: Final = (1 << 62) - 1
"""All of the log is durable while it is replayed."""

UNKNOWN_MS: Final = 1 << 62
"""Later than anything was published."""
BODY_BYTES_OF: Final = itemgetter(4)
SIZE_AT: Final = 16
"""Where in a slot the lowest octet of the record's size is. No record is empty; where this octet is zero all
the same, the slots are looked at one by one."""

MARK: Final = bytes([flags | MARKED for flags in range(256)])
"""Flags → the same flags, marked."""

Chunks = dict[int, bytearray]
"""Position // CHUNK → its slots; those of nobody are zeros."""


class Recollection:
    """What waits in one queue, as far as the log has been read."""

    def __init__(self, queue: "Queue", pager: "Pager") -> None:
        self.queue = queue
        self.pager = pager
        self.awake: dict[int, Entry] = {}
        self.levels: dict[int, Chunks] = {}
        """What sleeps, by level of priority."""
        self.deadlines: dict[tuple[int, int], float] = {}
        """By level and number of a chunk: nothing that sleeps there expires earlier."""
        self.oldest: dict[tuple[int, int], int] = {}
        """Nothing that sleeps there was published earlier, in ms since 1970."""
        self._order: deque[int] = deque()
        """Positions that are awake, the oldest first; some are settled by now."""

    def put(self, entry: Entry) -> None:
        """A message of the log; a later copy of the same counts instead of the one before."""
        self.remove(entry.position)
        self._keep_awake(entry)

    def _keep_awake(self, entry: Entry) -> None:
        self.awake[entry.position] = entry
        self._order.append(entry.position)
        self.pager.recalled_bytes += awake_bytes_of(entry)

    def remove(self, position: int) -> None:
        """The message at a position, if there is one, is needed no more."""
        entry = self.awake.pop(position, None)
        if entry is not None:
            self.pager.recalled_bytes -= awake_bytes_of(entry)
            entry.message.release()
            return
        found = self._find(position) if self.levels else None
        if found is not None:
            chunk, at = found
            slot: Slot = SLOT.unpack_from(chunk, at)
            self.pager.release_slot(slot)
            chunk[at : at + SLOT_BYTES] = bytes(SLOT_BYTES)

    def mark(self, position: int, delivery_count: int) -> None:
        """It came back to the queue, after so many deliveries that count."""
        entry = self.awake.get(position)
        if entry is None and (found := self._find(position)) is not None:
            chunk, at = found
            entry = self.pager.entry(SLOT.unpack_from(chunk, at), self.queue)
            chunk[at : at + SLOT_BYTES] = bytes(SLOT_BYTES)
            if entry is not None:
                self._keep_awake(entry)
        if entry is not None:
            entry.redelivered = True
            entry.delivery_count = delivery_count

    def forget(self) -> None:
        """The queue is gone, and all that waits in it."""
        for position in list(self.awake):
            self.remove(position)
        for chunks in self.levels.values():
            for chunk in chunks.values():
                for slot in _slots_of(chunk):
                    self.pager.release_slot(slot)
        self.levels = {}

    def _find(self, position: int) -> tuple[bytearray, int] | None:
        """Where the slot of a position stands, if it is somebody's."""
        for chunks in self.levels.values():
            chunk = chunks.get(position // CHUNK)
            if chunk is not None:
                at = position % CHUNK * SLOT_BYTES
                if any(chunk[at : at + SLOT_BYTES]):
                    return chunk, at
        return None

    def doze(self) -> None:
        """Let the oldest messages sleep if too many are awake."""
        pager = self.pager
        while self._order and pager.recalled_bytes > pager.budget_bytes:
            entry = self.awake.get(self._order.popleft())
            slot = b"" if entry is None else self._slot_of(entry)
            if entry is not None and slot:
                self._sleep(entry, slot)
                del self.awake[entry.position]
                pager.recalled_bytes -= awake_bytes_of(entry)

    def _slot_of(self, entry: Entry) -> bytes:
        """Empty for what must stay awake."""
        if fit(entry, LAST_LSN):
            return slot_of(entry)
        if may_be_kept(entry):
            return self.pager.keep(entry)
        return self.pager.spill([entry]).get(entry, b"") if may_be_spilled(entry) else b""

    def _sleep(self, entry: Entry, slot: bytes) -> None:
        level = self.queue.ready.level_of(entry)
        chunks = self.levels.setdefault(level, {})
        number = entry.position // CHUNK
        self._note_deadline((level, number), entry)
        chunk = chunks.get(number)
        if chunk is None:
            chunk = chunks[number] = bytearray(CHUNK * SLOT_BYTES)
        _place(chunk, entry.position, slot)

    def _note_deadline(self, chunk: tuple[int, int], entry: Entry) -> None:
        self.queue.resume_clock(entry)
        if entry.deadline < NEVER and entry.deadline < self.deadlines.get(chunk, NEVER):
            self.deadlines[chunk] = entry.deadline
        published_ms = entry.message.published_ms
        if published_ms < self.oldest.get(chunk, UNKNOWN_MS):
            self.oldest[chunk] = published_ms

    # The end

    def finish(self, clean: bool, let_stand: Callable[["Queue", Entry], None]) -> None:
        """Make it the queue's line, in the order of positions; everything is marked unless `clean`."""
        levels: dict[int, dict[int, list[Entry]]] = {}
        for position, entry in sorted(self.awake.items()):
            if not clean:
                entry.redelivered = True
            level = self.queue.ready.level_of(entry)
            levels.setdefault(level, {}).setdefault(position // CHUNK, []).append(entry)
        for level in sorted(levels.keys() | self.levels.keys()):
            self._finish_level(level, levels.get(level, {}), clean, let_stand)
        for entry in self.awake.values():
            self.pager.recalled_bytes -= awake_bytes_of(entry)
        self.awake = {}
        self.levels = {}

    def _finish_level(
        self,
        level: int,
        awake: dict[int, list[Entry]],
        clean: bool,
        let_stand: Callable[["Queue", Entry], None],
    ) -> None:
        chunks = self.levels.pop(level, {})
        for number in sorted(awake.keys() | chunks.keys()):
            chunk = chunks.pop(number, None)
            entries = awake.get(number, [])
            if chunk is not None:
                entries = self._lull(chunk, (level, number), entries)
            packed = _packed(chunk, clean)
            deadline = self.deadlines.pop((level, number), NEVER)
            if packed and not entries:
                oldest_ms = self.oldest[level, number]
                # A policy may have come after them.
                deadline = min(deadline, self.queue.moment_of(oldest_ms))
                for slots in _cut(packed):
                    asleep = self.pager.asleep(slots, deadline, oldest_ms)
                    self.queue.ready.push_asleep(asleep, level)
                continue
            if packed:
                entries += self._woken(packed)
                entries.sort(key=_position)
            for entry in entries:
                let_stand(self.queue, entry)

    def _lull(self, chunk: bytearray, key: tuple[int, int], entries: list[Entry]) -> list[Entry]:
        """Let awake entries of a chunk that sleeps for the most part sleep too; those that cannot."""
        awake: list[Entry] = []
        for entry in entries:
            slot = self._slot_of(entry)
            if not slot:
                awake.append(entry)
                continue
            self._note_deadline(key, entry)
            _place(chunk, entry.position, slot)
        return awake

    def _woken(self, packed: bytes) -> list[Entry]:
        slots: list[Slot] = list(SLOT.iter_unpack(packed))
        entries = [self.pager.entry(slot, self.queue) for slot in slots]
        return [entry for entry in entries if entry is not None]


def _position(entry: Entry) -> i64:
    return entry.position


def _place(chunk: bytearray, position: int, slot: bytes) -> None:
    at = position % CHUNK * SLOT_BYTES
    chunk[at : at + SLOT_BYTES] = slot


def _cut(packed: bytes) -> list[bytes]:
    """Slots with about as many octets of bodies as a block of a line has: it is woken in one go."""
    if sum(map(BODY_BYTES_OF, SLOT.iter_unpack(packed))) < BLOCK_BYTES:
        return [packed]
    parts, begin, body_bytes = [], 0, 0
    for at in range(0, len(packed), SLOT_BYTES):
        slot: Slot = SLOT.unpack_from(packed, at)
        if body_bytes >= BLOCK_BYTES:
            parts.append(packed[begin:at])
            begin, body_bytes = at, 0
        body_bytes += slot[4]
    return [*parts, packed[begin:]]


def _slots_of(chunk: bytearray) -> list[Slot]:
    return [slot for slot in SLOT.iter_unpack(chunk) if slot[2]]


def _packed(chunk: bytearray | None, clean: bool) -> bytes:
    """The slots of a chunk that are somebody's, one behind the other."""
    if chunk is None:
        return b""
    if not clean:
        chunk[SLOT_BYTES - 1 :: SLOT_BYTES] = chunk[SLOT_BYTES - 1 :: SLOT_BYTES].translate(MARK)
    if 0 not in chunk[SIZE_AT::SLOT_BYTES]:
        return bytes(chunk)
    parts = []
    for at in range(0, len(chunk), SLOT_BYTES):
        if any(chunk[at : at + SLOT_BYTES - 1]):
            parts.append(bytes(chunk[at : at + SLOT_BYTES]))
    return b"".join(parts)
