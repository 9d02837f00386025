"""What is fuzzed: functions of octets that return for whatever may be, and raise for what may not.

Refused is what raises one of our own errors; any other exception is a find, and so is a disagreement between
two readers of the same octets.
"""

import contextlib
from collections.abc import Callable
from typing import Final

from mambaamqp.access.patterns import compile_pattern
from mambaamqp.broker.selectors.expression import DEPTH_MAX
from mambaamqp.broker.selectors.reading import read
from mambaamqp.broker.selectors.values import kind_of
from mambaamqp.broker.topic import TopicTrie
from mambaamqp.errors import ConfigError, PreconditionFailed, StoreError
from mambaamqp.session.connection import CLOSED, CLOSING, OPEN, Session
from mambaamqp.session.peer import Peer
from mambaamqp.store.decoding import BodyDecoder
from mambaamqp.store.log_format import (
    EPOCH,
    HEADER_BYTES,
    STORE_ID_BYTES,
    epoch_body,
    pack_frame,
    segment_name,
)
from mambaamqp.store.recovery import open_store
from mambaamqp.store.segment import Segment
from tests.broker.test_topic import matching, naive, trie_of
from tests.support.client import World
from tests.support.disk import MemoryDisk
from tests.wire import test_methods, test_properties, test_table

INTERNAL_ERROR: Final = b"\x00\x0a\x00\x32\x02\x1d"
"""connection.close with code 541."""
STORE_ID: Final = b"i" * STORE_ID_BYTES
HEADERS: Final[tuple[dict[str, object], ...]] = (
    {},
    {"a": 1, "b": "a%_", "c": True, "": 0.0},
    {"a": -1e308, "b": 10**18, "c": [], "": "a"},
)
"""Of messages that selectors are asked about."""
TEXTS: Final = 12
"""Longer patterns and keys are of the same kind, and the naive matcher is not fast."""


def table(data: bytes) -> None:
    """A field table: all its readers agree."""
    test_table.accepted(data)


def method(data: bytes) -> None:
    """A method's payload: what is read is written back."""
    test_methods.check(data)


def properties(data: bytes) -> None:
    """A content header."""
    test_properties.accepted(data)


def topic(data: bytes) -> None:
    """Patterns and, last, a key: the trie agrees with the definition."""
    *patterns, key = [text.decode("latin-1")[:TEXTS] for text in data.split(b"\n")[:4]]
    trie: TopicTrie = trie_of(*patterns)
    expected = sorted({pattern for pattern in patterns if naive(pattern, key)})
    assert sorted(set(matching(trie, key))) == expected
    for pattern in patterns:
        trie.remove(pattern, _destination(trie, pattern))


def _destination(trie: TopicTrie, pattern: str) -> object:
    node = trie.root
    for destination in node.destinations:
        if destination.name == pattern:
            return destination
    return None


def pattern(data: bytes) -> None:
    """A permission pattern is compiled within bounds or refused."""
    with contextlib.suppress(ConfigError):
        compile_pattern(data.decode("latin-1"))


def selector(data: bytes) -> None:
    """A JMS selector is read within bounds or refused; what is read has a value for any headers."""
    with contextlib.suppress(PreconditionFailed):
        condition = read(data.decode("latin-1"))
        assert condition.depth <= DEPTH_MAX
        for headers in HEADERS:
            value = condition.evaluate(headers)
            assert value is None or kind_of(value) & condition.kinds


def body(data: bytes) -> None:
    """The body of a frame, as if its checksum had been right."""
    with contextlib.suppress(StoreError):
        BodyDecoder().decode(data, HEADER_BYTES, Segment(0))


def segment(data: bytes) -> None:
    """A store of one segment that starts as it should and goes on as it likes."""
    first, _ = pack_frame(EPOCH, 0, 1, 0, 0, 1 + STORE_ID_BYTES, [epoch_body(STORE_ID)])
    _recover(first + epoch_body(STORE_ID) + data)


def frames(data: bytes) -> None:
    """A store whose frames have right checksums, and any kinds, places and contents."""
    octets, crc = pack_frame(EPOCH, 0, 1, 0, 0, 1 + STORE_ID_BYTES, [epoch_body(STORE_ID)])
    octets += epoch_body(STORE_ID)
    while len(data) > 4:
        kind, flags, size, shift = data[0] % 7, data[1], data[2], data[3]
        content, data = data[4 : 4 + size], data[4 + size :]
        lsn = len(octets) + (shift if shift < 4 else 0)
        head, crc = pack_frame(kind | (flags & 0xC0) << 8, lsn, 1, crc, flags & 7, len(content), [content])
        octets += head + content
    _recover(octets)


def _recover(octets: bytes) -> None:
    """A start over the segment finds what it finds, and a second start finds the same."""
    disk = MemoryDisk.of({f"/store/{segment_name(0)}": octets})
    try:
        first = open_store("/store", disk)
        found = [(lsn, type(record)) for lsn, _, record in first.records()]
        first.journal(segment_bytes=1000)
        second = [(lsn, type(record)) for lsn, _, record in open_store("/store", disk).records()]
    except StoreError:
        return
    assert found == second


class _Listening:
    """One broker for many sessions: to make it anew for each would be most of the work."""

    world: World | None = None


def _session() -> Session:
    if _Listening.world is None or len(_Listening.world.broker.vhosts["/"].queues) > 50:
        _Listening.world = World()
    world = _Listening.world
    world.disk = MemoryDisk()
    peer = Peer("127.0.0.1", 50_000, "127.0.0.1", 5672)
    return Session(world.broker, peer, world.settings, lambda session: None, world.now)


def _feed(session: Session, data: bytes) -> None:
    """Octets, what follows from them, and the end; nothing may be an internal error."""
    world = _Listening.world
    assert world is not None
    session.receive_data(data, world.now)
    if session.login is not None:
        session.login_verified(world.verify(session.login), world.now)
    world.broker.flush(world.now)
    said = bytearray()
    while part := session.data_to_send():
        said += part
    assert INTERNAL_ERROR not in said
    assert session.state in (OPEN, CLOSING, CLOSED) or len(session.pending) <= 65_536 + len(data)
    session.connection_lost(world.now)
    world.broker.flush(world.now)
    while (commit := world.journal.seal()) is not None:
        world.journal.committed(commit)
        world.broker.durable(world.journal.durable, world.now)


def stranger(data: bytes) -> None:
    """Octets of somebody who has not logged in; the protocol header comes first."""
    session = _session()
    _feed(session, b"AMQP\x00\x00\x09\x01" + data)
    assert session.vhost is None or b"guest" in data


def customer(data: bytes) -> None:
    """Octets of a client with an open channel."""
    from tests.support.universe.client import HELLO

    session = _session()
    _feed(session, HELLO + data)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (
        table,
        method,
        properties,
        topic,
        pattern,
        selector,
        body,
        segment,
        frames,
        stranger,
        customer,
    )
}
