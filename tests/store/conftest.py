"""A store on a disk in memory, and the short words that its tests are written in."""

from collections.abc import Callable

import pytest

from mambaamqp.store import records
from mambaamqp.store.journal import Journal
from mambaamqp.store.recovery import Recovered, open_store
from tests.support.disk import MemoryDisk

DIRECTORY = "/store"
SEGMENT_BYTES = 8192


class Store:
    """An opened store: what was found in it, and a journal that goes on."""

    def __init__(self, disk: MemoryDisk, *, on_corruption: str = "quarantine", sync: bool = True) -> None:
        self.disk = disk
        self.recovered: Recovered = open_store(DIRECTORY, disk, on_corruption=on_corruption)
        self.found = list(self.recovered.records())
        self.journal: Journal = self.recovered.journal(segment_bytes=SEGMENT_BYTES, sync=sync)

    def commit(self) -> None:
        """What the committer does."""
        commit = self.journal.seal()
        if commit is not None:
            commit.execute(self.disk)
            self.journal.committed(commit)

    def put(self, *numbers: int) -> None:
        """One commit with a record for each number."""
        for number in numbers:
            self.journal.append(fact(number))
        self.commit()

    def close(self) -> None:
        """Stop in order."""
        self.journal.append(records.clean_stop())
        self.commit()
        self.journal.writer.close()
        self.recovered.close()

    @property
    def numbers(self) -> list[int]:
        """The numbers of the records that were found, in order."""
        return numbers_of(self.found)


def fact(number: int, size: int = 0) -> bytes:
    """A record that bears a number, and `size` octets of content."""
    return records.publish_one(False, 0, 1, number, 0, False, b"\0\1q", bytes([number % 251 + 1]) * size)


def numbers_of(found: list) -> list[int]:
    """The numbers of facts among recovered records; their content must be as it was."""
    numbers = []
    for _, _, record in found:
        if isinstance(record, records.Publish):
            number = record.targets[0].position
            content = b"".join(record.content)
            assert content == bytes([number % 251 + 1]) * len(content), "a message came back changed"
            numbers.append(number)
    return numbers


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


@pytest.fixture
def reopen() -> Callable[..., Store]:
    return Store
