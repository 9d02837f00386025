"""A broker without sessions, and the short words that its tests are written in."""

from collections.abc import Callable
from typing import Any

import pytest

from mambaamqp.broker import queue as broker_queue
from mambaamqp.broker.arguments import stored_queue_arguments
from mambaamqp.broker.broker import Broker
from mambaamqp.broker.consumers import Consumer
from mambaamqp.broker.entry import Entry
from mambaamqp.broker.message import Message, address_of
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.topology import create_queue
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.wire import fast, properties
from mambaamqp.wire.table import Table, encode_entries
from tests.support.client import World

COMPILED = not str(broker_queue.__file__).endswith(".py")

# Fakes that stand in for a native class are refused by compiled code; flows and simulations cover it there.
UNIT_TESTS_WITH_FAKES = (
    "broker",
    "consumers",
    "entry",
    "expiry",
    "pace",
    "queue",
    "ready",
    "topology",
    "vhost",
)
collect_ignore = [f"test_{name}.py" for name in UNIT_TESTS_WITH_FAKES] if COMPILED else []


def table(**values: Any) -> Table:
    """A field table; `x_max_length` stands for x-max-length."""
    return Table(encode_entries({key.replace("_", "-"): value for key, value in values.items()}))


def message(body: bytes = b"", *, exchange: str = "", key: str = "q", **props: Any) -> Message:
    """A persistent message, unless told otherwise, as a session would build it."""
    props.setdefault("delivery_mode", 2)
    header = properties.encode(props, len(body))
    summary = properties.summarise(header)
    made = Message(
        address_of(exchange, key), fast.content_frames(header, body), len(body), summary.persistent
    )
    made.priority = summary.priority
    if summary.expiration is not None:
        made.expiration_ms = int(summary.expiration)
    return made


class Taker(Consumer):
    """A consumer that keeps what it is given."""

    def __init__(self, queue: Queue, tag: str = "c", *, priority: int = 0, no_ack: bool = False) -> None:
        super().__init__(queue, tag, no_ack=no_ack, exclusive=False, priority=priority)
        self.taken: list[Entry] = []
        self.cancelled = False

    def deliver(self, entry: Entry) -> None:
        self.taken.append(entry)

    def cancelled_by_broker(self) -> None:
        self.cancelled = True

    @property
    def bodies(self) -> list[bytes]:
        """What was delivered, in order."""
        return [entry.message.body() for entry in self.taken]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def broker(world: World) -> Broker:
    return world.broker


@pytest.fixture
def vhost(broker: Broker) -> VirtualHost:
    return broker.vhosts["/"]


@pytest.fixture
def make(vhost: VirtualHost) -> Callable[..., Queue]:
    """Make a queue: `make("q", durable=False, x_max_length=3)`."""

    def make_queue(name: str = "q", *, durable: bool = True, **arguments: Any) -> Queue:
        given = table(**arguments)
        return create_queue(vhost, name, durable, False, None, given, stored_queue_arguments(given))

    return make_queue


def bodies(queue: Queue) -> list[bytes]:
    """What waits in a queue, in order."""
    return [entry.message.body() for entry in queue.ready.entries()]
