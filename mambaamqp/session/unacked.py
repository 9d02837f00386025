"""The deliveries of one channel that wait for their acknowledgement, by delivery tag.

Tags only grow, so the dictionary's order is the order of the tags. `lowest` is a tag below which nothing
is outstanding: an `ack` of multiple walks from there, so that each tag is walked over once in its life.

Nobody notes when a delivery was made: now and then `mark` notes how far the tags have come, and what is not
beyond such a mark is at least as old as the mark.
"""

from typing import Final

from mambaamqp.broker.entry import Entry

MARKS_MAX: Final = 256
"""With more, every second one is dropped: some deliveries then seem younger than they are."""


class Unacked:
    """Outstanding deliveries; oldest first."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.lowest = 1
        self.marks: list[tuple[float, int]] = []
        """(moment, tag): the delivery with this tag, and all before it, had been made by then."""
        self.reclaimed = 0
        """Up to this tag deliveries have been taken away from the client, which need not know it yet."""

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, tag: int, entry: Entry) -> None:
        """Remember a delivery; `tag` is larger than all before."""
        self.entries[tag] = entry

    def take(self, tag: int) -> Entry | None:
        """The delivery with this tag, taken out; None when it is not outstanding."""
        return self.entries.pop(tag, None)

    def take_up_to(self, tag: int) -> list[tuple[int, Entry]]:
        """All deliveries with this tag or a smaller one, taken out, oldest first."""
        entries = self.entries
        taken: list[tuple[int, Entry]] = []
        if tag - self.lowest > 2 * len(entries):
            # Tags that were never outstanding here (automatic acknowledgements) are not walked over.
            for candidate in [known for known in entries if known <= tag]:
                taken.append((candidate, entries.pop(candidate)))
        else:
            for candidate in range(self.lowest, tag + 1):
                entry = entries.pop(candidate, None)
                if entry is not None:
                    taken.append((candidate, entry))
        self.lowest = tag + 1
        return taken

    def take_all(self) -> list[tuple[int, Entry]]:
        """Everything outstanding, taken out, oldest first."""
        taken = list(self.entries.items())
        self.entries.clear()
        return taken

    def mark(self, tag: int, now: float) -> None:
        """The tags have come so far. Marks that nothing outstanding needs are dropped."""
        marks = self.marks
        oldest = next(iter(self.entries), tag + 1)
        gone = 0
        while gone < len(marks) and marks[gone][1] < oldest:
            gone += 1
        del marks[:gone]
        if oldest <= tag and (not marks or marks[-1][1] < tag):
            marks.append((now, tag))
        if len(marks) > MARKS_MAX:
            del marks[1:-1:2]

    def older(self, moment: float) -> list[tuple[int, Entry, float]]:
        """(tag, delivery, when it was made at the latest) of all that were made by `moment`; oldest first."""
        found: list[tuple[int, Entry, float]] = []
        if not self.marks or self.marks[0][0] > moment:
            return found
        at = 0
        for tag, entry in self.entries.items():
            while at < len(self.marks) and self.marks[at][1] < tag:
                at += 1
            if at == len(self.marks) or self.marks[at][0] > moment:
                break
            found.append((tag, entry, self.marks[at][0]))
        return found

    def reclaim(self, tags: list[int]) -> list[Entry]:
        """Take deliveries away from the client; from now on it may speak of tags that are not outstanding."""
        self.reclaimed = max(self.reclaimed, *tags)
        return [self.entries.pop(tag) for tag in tags]

    def put_back(self, taken: list[tuple[int, Entry]]) -> None:
        """Deliveries that a rolled back transaction had taken are outstanding again, under their tags."""
        for tag, entry in taken:
            self.entries[tag] = entry
        # The dictionary's order must stay the order of the tags.
        self.entries = dict(sorted(self.entries.items()))
        self.lowest = min(self.lowest, *(tag for tag, _ in taken)) if taken else self.lowest
