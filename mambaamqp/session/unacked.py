"""The deliveries of one channel that wait for their acknowledgement, by delivery tag.

Tags only grow, so the dictionary's order is the order of the tags. `lowest` is a tag below which nothing
is outstanding: an `ack` of multiple walks from there, so that each tag is walked over once in its life.
"""

from mambaamqp.broker.entry import Entry


class Unacked:
    """Outstanding deliveries; oldest first."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.lowest = 1

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

    def put_back(self, taken: list[tuple[int, Entry]]) -> None:
        """Deliveries that a rolled back transaction had taken are outstanding again, under their tags."""
        for tag, entry in taken:
            self.entries[tag] = entry
        # The dictionary's order must stay the order of the tags.
        self.entries = dict(sorted(self.entries.items()))
        self.lowest = min(self.lowest, *(tag for tag, _ in taken)) if taken else self.lowest
