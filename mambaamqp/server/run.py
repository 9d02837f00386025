"""Start and stop a broker, in order.

Start: lock and open the store, recover, make sure the journal can be written, listen, say so. Stop: accept
nobody any more, then as `stopping` has it, ending with the record of a clean stop; close, unlock.

Exit codes: 0 after a stop that was asked for, 1 after the store failed or could not be closed cleanly. What
keeps the broker from starting is raised: ConfigError, StoreError, ListenError, OSError, each one clear line.
"""

import gc
import logging
import math
import socket
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import trio

from mambaamqp import __version__
from mambaamqp.access import Access
from mambaamqp.broker.broker import Broker
from mambaamqp.broker.definitions import Import, portions
from mambaamqp.config import Compatibility, Config
from mambaamqp.config.definitions import read_definitions
from mambaamqp.control.desk import Desk
from mambaamqp.errors import ConfigError
from mambaamqp.plugins import exchange_types
from mambaamqp.server import control, descriptors, listeners, memory, stopping
from mambaamqp.server.alarms import Alarms
from mambaamqp.server.banner import banner
from mambaamqp.server.housekeeping import keep_house
from mambaamqp.server.machine import RunningMachine, is_compiled
from mambaamqp.server.node import Node
from mambaamqp.server.ports import Address, Wake
from mambaamqp.server.signals import RELOAD, watch_signals
from mambaamqp.session.connection import Session
from mambaamqp.session.peer import Peer
from mambaamqp.session.settings import SessionSettings
from mambaamqp.store.disk import Disk, OsDisk
from mambaamqp.store.journal import deaf_journal
from mambaamqp.store.recovery import Recovered, open_store

GC_YOUNG_OBJECTS = 50_000
"""Messages come and go without cycles: looking for garbage after every 700 finds none and costs much."""

THREAD_STOP_SECONDS = 1.0

log = logging.getLogger(__name__)

Announce = Callable[[Config, Sequence[Address]], None]


def run(config: Config) -> int:
    """Run a broker until a signal stops it; the process's exit code."""
    return trio.run(serve, config)


def print_banner(config: Config, addresses: Sequence[Address]) -> None:
    """Tell standard output that the broker is ready, and where."""
    text = banner(
        version=__version__,
        compiled=is_compiled(),
        listeners=addresses,
        data_dir=config.server.data_dir,
        sync=config.store.sync,
    )
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def serve(config: Config, announce: Announce = print_banner) -> int:
    """Run a broker until a signal stops it or the store fails; `announce` is called when it is ready."""
    descriptors.raise_limit()
    for plugin in exchange_types.load():
        log.info("exchange type %s", plugin)
    memory.set_up_allocator()
    disk = OsDisk()
    store = open_store(str(config.server.data_dir), disk, on_corruption=config.store.on_corruption)
    try:
        # A million messages are no garbage, and looking through them again and again takes seconds.
        gc.disable()
        broker = recover(config, store, disk)
        gc.enable()
        collect_garbage_rarely()
        sockets = listeners.listen(config.listener.host, config.listener.port, config.listener.backlog)
        path = config.control.socket_path(config.server.data_dir)
        door = None
        try:
            door = None if path is None else control.listen(path)
            clean = await operate(config, broker, disk, sockets, door, announce)
        finally:
            listeners.close(sockets)
            if door is not None and path is not None:
                control.close(door, path)
    finally:
        store.close()
    return 0 if clean else 1


def recover(config: Config, store: Recovered, disk: Disk) -> Broker:
    """The broker as it was, on a journal that goes on behind what was recovered."""
    started = time.perf_counter()
    access = Access.from_config(config)
    journal = deaf_journal(store.directory, disk)
    broker = Broker(
        access,
        journal,
        trio.current_time(),
        time.time(),
        limits=config.limits,
        compatibility=Compatibility(config.compatibility),
    )
    broker.recover(store.records())
    broker.go_on_with(
        store.journal(segment_bytes=config.store.segment_bytes, sync=config.store.sync == "always")
    )
    for vhost in config.vhosts:
        found = broker.put_vhost(vhost.name)
        if vhost.tracing:
            found.trace(True)
    if config.definitions.file:
        take_definitions(broker, config.definitions.file)
    if config.store.sync != "always":
        log.warning("sync = %r: a power cut may lose messages that were confirmed", config.store.sync)
    log.info("recovered in %.3f seconds", time.perf_counter() - started)
    return broker


def take_definitions(broker: Broker, file: str) -> None:
    """Have what a file of definitions says; ConfigError if it is none, a warning for what is of no use."""
    for report in Import(broker).take(read_definitions(Path(file))):
        log.warning("definitions %s: %s", file, report)


async def reload_definitions(file: str, broker: Broker, node: Node) -> None:
    """Take over once more what the file says, while clients are at work; what is wrong is logged."""
    if not file:
        log.warning("%s: there is no file of definitions to read again", RELOAD)
        return
    try:
        document = await trio.to_thread.run_sync(read_definitions, Path(file))
    except ConfigError as error:
        log.error("definitions are as they were: %s", error)
        return
    try:
        for portion in portions(document):
            now = node.now()
            broker.at(now)
            for report in Import(broker).take(portion):
                log.warning("definitions %s: %s", file, report)
            node.finish(now)
            await trio.lowlevel.checkpoint()
        log.info("definitions %s have been read again", file)
    except Exception:
        log.exception("unexpected error while definitions are read again")


async def operate(
    config: Config,
    broker: Broker,
    disk: Disk,
    sockets: list[socket.socket],
    door: socket.socket | None,
    announce: Announce,
) -> bool:
    """Serve clients until it is time to stop, and stop; True for a clean stop."""
    insisted = trio.Event()
    settings = SessionSettings(config.protocol, config.limits, Compatibility(config.compatibility))
    async with trio.open_nursery() as nursery:
        node = Node(
            broker,
            broker.journal,
            disk,
            broker.access,
            partial(_open_session, broker, settings),
            nursery,
            connections_max=descriptors.connections_possible(config.listener.connections_max),
            connections_pre_login_max=config.listener.connections_pre_login_max,
            sync_interval_seconds=_sync_interval_seconds(config),
        )
        node.start()
        try:
            nursery.start_soon(watch_signals, partial(_signalled, config, broker, node, insisted))
            nursery.start_soon(keep_house, broker.journal, broker, node.committer, node)
            available = memory.available_bytes()
            alarms = _alarms(config, node, broker, disk, available)
            nursery.start_soon(alarms.run)
            machine = RunningMachine(config, alarms, available, listeners.addresses(sockets))
            # Whether the journal can be written shows before anybody is let in, not at the first message.
            if await node.committer.drain():
                if door is not None:
                    nursery.start_soon(control.ControlServer(Desk(broker, machine), node).run, door)
                announce(config, listeners.addresses(sockets))
                await listeners.accept_until(node.stop_requested, sockets, node)
            listeners.close(sockets)
            clean = await stopping.stop(
                node,
                shutdown_seconds=config.server.shutdown_seconds,
                insisted=insisted,
                close_books=broker.stop,
            )
        finally:
            ended = node.committer.stop(THREAD_STOP_SECONDS)
            nursery.cancel_scope.cancel()
    if clean and ended:
        broker.journal.writer.close()
    return clean and ended


def collect_garbage_rarely() -> None:
    """What was recovered lives long; what comes and goes has no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_OBJECTS, 20, 100)


def _open_session(
    broker: Broker, settings: SessionSettings, peer: Address, local: Address, wake: Wake, now: float
) -> Session:
    return Session(broker, Peer(peer.host, peer.port, local.host, local.port), settings, wake, now)


def _sync_interval_seconds(config: Config) -> float | None:
    """None: every commit syncs itself."""
    intervals = {"always": None, "interval": config.store.sync_interval_seconds, "never": math.inf}
    return intervals[config.store.sync]


def _signalled(config: Config, broker: Broker, node: Node, insisted: trio.Event, name: str) -> None:
    if name == RELOAD:
        node.spawn(reload_definitions, config.definitions.file, broker, node)
    elif node.stop_requested.is_set():
        log.warning("%s again: stopping without waiting for clients", name)
        insisted.set()
    else:
        log.info("%s: stopping", name)
        node.stop_requested.set()


def _alarms(config: Config, node: Node, broker: Broker, disk: Disk, available_bytes: int) -> Alarms:
    def report(memory_low: bool, disk_low: bool) -> None:
        now = node.now()
        broker.set_alarm(memory_low, disk_low, now)
        node.finish(now)

    def free_bytes() -> int:
        return 0 if node.committer.disk_full else disk.free_bytes(str(config.server.data_dir))

    return Alarms(
        memory_bytes=memory.ResidentMemory().bytes,
        memory_bytes_high=config.limits.memory_high_bytes(available_bytes),
        disk_free_bytes=free_bytes,
        disk_free_bytes_min=config.limits.disk_free_bytes_min,
        report=report,
        relieve=memory.give_back_free_memory,
    )
