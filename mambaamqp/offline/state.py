"""The state that a broker would start with, out of a store that nothing is done to."""

from collections.abc import Callable, Iterator
from typing import Any

from mambaamqp.access import Access
from mambaamqp.broker.broker import Broker
from mambaamqp.config import Config
from mambaamqp.errors import StoreError
from mambaamqp.plugins import exchange_types
from mambaamqp.store.disk import Disk
from mambaamqp.store.journal import deaf_journal
from mambaamqp.store.log_format import segment_name
from mambaamqp.store.read_only import ReadOnlyDisk
from mambaamqp.store.recovery import Finding, open_store, segment_bases

Progress = Callable[[int], None]
"""Told how many octets more of the log have been read."""


def unheard(_: int) -> None:
    """Progress that nobody watches."""


class State:
    """A broker as it would start, and what of its store did not count."""

    def __init__(self, broker: Broker, findings: list[Finding], warnings: list[str]) -> None:
        self.broker = broker
        self.findings = findings
        self.warnings = warnings


def log_bytes(directory: str, disk: Disk) -> int:
    """The size of a log on disk; StoreError where there is none."""
    try:
        bases = segment_bases(disk, directory)
        if not bases:
            raise StoreError(f"{directory} holds no store")
        last = disk.open_to_read(f"{directory}/{segment_name(bases[-1])}")
        size = disk.size(last)
        disk.close(last)
    except OSError as failure:
        raise StoreError(f"cannot read the store {directory}: {failure}") from failure
    return bases[-1] - bases[0] + size


def read(directory: str, disk: Disk, progress: Progress = unheard, access: Access | None = None) -> State:
    """Recover a store in memory and leave it as it is. StoreError when it cannot be read at all."""
    log_bytes(directory, disk)
    exchange_types.load()
    looking = ReadOnlyDisk(disk)
    store = open_store(directory, looking)
    access = Access.from_config(Config()) if access is None else access
    broker = Broker(access, deaf_journal(directory, looking), 0.0, 0.0)
    broker.pager.spills = False
    broker.recover(_watched(store.records(), progress))
    return State(broker, store.findings, store.warnings)


def _watched(stored: Iterator[Any], progress: Progress) -> Iterator[Any]:
    last = 0
    for place, found in enumerate(stored):
        if place % 1000 == 0 and found[0] > last:
            progress(found[0] - last if last else 0)
            last = found[0]
        yield found
