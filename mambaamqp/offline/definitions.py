"""Definitions into and out of the store of a broker that does not run, under its lock.

A running broker is not asked: StoreInUse says that it holds the directory. What is imported is on disk when
`take` returns, and stands at the next start.
"""

from pathlib import Path
from typing import Any

from mambaamqp.access import Access
from mambaamqp.broker.broker import Broker
from mambaamqp.broker.definitions import Import, exported
from mambaamqp.broker.description import plain
from mambaamqp.config import Compatibility, Config
from mambaamqp.config.definitions import read_definitions
from mambaamqp.offline import state
from mambaamqp.store.disk import Disk
from mambaamqp.store.journal import deaf_journal
from mambaamqp.store.recovery import open_store


def take(config: Config, file: Path, disk: Disk, wall_seconds: float) -> list[str]:
    """Write what `file` says into the store; returns a line for each entry that was not taken over.

    ConfigError when the file is no JSON object, StoreError when the store is in use or cannot be written.
    """
    document = read_definitions(file)
    store = open_store(str(config.server.data_dir), disk, on_corruption=config.store.on_corruption)
    try:
        broker = Broker(
            Access.from_config(config),
            deaf_journal(store.directory, disk),
            0.0,
            wall_seconds,
            limits=config.limits,
        )
        broker.recover(store.records())
        journal = broker.journal = store.journal(segment_bytes=config.store.segment_bytes)
        for vhost in config.vhosts:
            broker.put_vhost(vhost.name)
        reports = Import(broker).take(document)
        broker.stop(0.0)
        while (commit := journal.seal()) is not None:
            commit.execute(disk)
            journal.committed(commit)
        journal.writer.close()
    finally:
        store.close()
    return reports


def give(config: Config, disk: Disk) -> dict[str, Any]:
    """The definitions of what a broker would start with; the store is not changed. StoreError without one."""
    broker = state.read(str(config.server.data_dir), disk, access=Access.from_config(config)).broker
    for vhost in config.vhosts:
        broker.put_vhost(vhost.name)
    found: dict[str, Any] = plain(
        exported(broker, Compatibility(config.compatibility).version(config.protocol.version))
    )
    return found
