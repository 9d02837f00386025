"""mambaamqp/broker/routing.py: exchanges in rows and rings, alternates, CC and BCC."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.broker import exchanges
from mambaamqp.broker.binding import Binding
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.routing import reads_message, route, sender_selected
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import EMPTY, Table, encode_entries
from tests.broker.exchanges.conftest import traits


class Map:
    """Exchanges and queues by name."""

    def __init__(self) -> None:
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Destination] = {}

    def exchange(self, name: str, kind: str = "fanout", **arguments: Any) -> Exchange:
        given = {key.replace("_", "-"): value for key, value in arguments.items()}
        made = exchanges.create(
            kind,
            "/",
            name,
            durable=True,
            auto_delete=False,
            internal=False,
            arguments=Table(encode_entries(given)),
        )
        self.exchanges[name] = made
        return made

    def bind(self, source: str, destination: str, key: str = "", arguments: Table = EMPTY) -> None:
        found = self.exchanges.get(destination) or self.queues.setdefault(
            destination, Destination(destination, True)
        )
        self.exchanges[source].add(Binding(self.exchanges[source], found, key, arguments))

    def route(self, name: str, *keys: str, headers: Table | None = None) -> list[str]:
        """Names of the queues reached."""
        found = route(self.exchanges[name], list(keys) or [""], traits(headers), self.exchanges.get)
        return sorted(queue.name for queue in found)


def test_a_row_of_exchanges_is_walked() -> None:
    """Each matches with the message's own key."""
    world = Map()
    for name, kind in (("a", "fanout"), ("b", "topic"), ("c", "direct")):
        world.exchange(name, kind)
    world.bind("a", "b")
    world.bind("b", "c", "x.#")
    world.bind("c", "q", "x.y")
    assert world.route("a", "x.y") == ["q"]
    assert world.route("a", "x.z") == []


def test_a_ring_of_exchanges_ends() -> None:
    """Every exchange is visited once, every queue found once."""
    world = Map()
    names = [f"x{number}" for number in range(5)]
    for name in names:
        world.exchange(name)
    for name, following in zip(names, names[1:] + names[:1], strict=True):
        world.bind(name, following)
        world.bind(name, name)
        world.bind(name, "q")
    assert world.route("x2") == ["q"]


def test_a_complete_graph_of_exchanges_ends() -> None:
    """No way is walked twice, however many there are."""
    world = Map()
    names = [f"x{number}" for number in range(30)]
    for name in names:
        world.exchange(name)
    for name in names:
        for other in names:
            world.bind(name, other)
    world.bind("x29", "q")
    assert world.route("x0") == ["q"]


def test_one_copy_for_a_queue_that_is_reached_in_many_ways() -> None:
    """By several keys, several bindings and several exchanges."""
    world = Map()
    world.exchange("a", "direct")
    world.exchange("b")
    for key in ("1", "2"):
        world.bind("a", "q", key)
        world.bind("a", "b", key)
    world.bind("b", "q")
    assert world.route("a", "1", "2") == ["q"]


def test_an_alternate_takes_what_goes_nowhere() -> None:
    """And only that."""
    world = Map()
    world.exchange("a", "direct", alternate_exchange="rest")
    world.exchange("rest")
    world.bind("a", "q", "known")
    world.bind("rest", "dump")
    assert world.route("a", "known") == ["q"]
    assert world.route("a", "unknown") == ["dump"]


def test_alternates_in_a_ring_and_missing_ones_lead_nowhere() -> None:
    """Neither is an error."""
    world = Map()
    world.exchange("a", alternate_exchange="b")
    world.exchange("b", alternate_exchange="a")
    world.exchange("c", alternate_exchange="nowhere")
    assert world.route("a") == []
    assert world.route("c") == []


def test_headers_are_looked_for_on_every_way() -> None:
    """A route may be cached by its key only if no headers exchange stands anywhere on it."""
    world = Map()
    for name, kind in (("a", "fanout"), ("b", "direct"), ("h", "headers"), ("z", "fanout")):
        world.exchange(name, kind)
    assert not reads_message(world.exchanges["a"], world.exchanges.get)
    world.bind("a", "b")
    world.bind("b", "a")
    world.bind("b", "h", "rare")
    assert reads_message(world.exchanges["a"], world.exchanges.get)
    assert not reads_message(world.exchanges["z"], world.exchanges.get)
    world.exchange("y", alternate_exchange="h")
    assert reads_message(world.exchanges["y"], world.exchanges.get)


def headers(**values: Any) -> Table:
    return Table(encode_entries(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ([], False)),
        ({"CC": ["a", "b"]}, (["a", "b"], False)),
        ({"BCC": ["c"]}, (["c"], True)),
        ({"CC": ["a"], "BCC": ["b"]}, (["a", "b"], True)),
        ({"CC": []}, ([], False)),
        ({"cc": ["a"]}, ([], False)),
    ],
)
def test_copies_are_addressed_by_headers(values: dict[str, Any], expected: tuple[list[str], bool]) -> None:
    """CC and BCC add routing keys; that there is a BCC must be known."""
    assert sender_selected(headers(**values)) == expected


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"CC": "a"}, 'invalid message: {unacceptable_type_in_header,"CC",longstr}'),
        ({"BCC": 1}, 'invalid message: {unacceptable_type_in_header,"BCC",long}'),
        ({"CC": None}, 'invalid message: {unacceptable_type_in_header,"CC",void}'),
        ({"CC": ["a", 1]}, 'invalid message: {unacceptable_type_in_header,"CC",non-longstr}'),
    ],
)
def test_copies_must_be_lists_of_text(values: dict[str, Any], text: str) -> None:
    """406 in RabbitMQ's words."""
    with pytest.raises(PreconditionFailed) as failure:
        sender_selected(headers(**values))
    assert str(failure.value) == text


class Asked(dict[str, Destination]):
    """Queues by name that remember what they were asked for."""

    def __init__(self, *names: str) -> None:
        super().__init__({name: Destination(name, True) for name in names})
        self.names: list[str] = []

    def get(self, name: str, default: Any = None) -> Any:
        self.names.append(name)
        return super().get(name, default)


def test_equal_keys_are_matched_once() -> None:
    """Ten thousand carbon copies to one key are one key."""
    queues = Asked("k")
    found = route(exchanges.default_exchange("/", queues), ["k"] * 10_000 + ["l"], None, {}.get)
    assert ([queue.name for queue in found], queues.names) == (["k"], ["k", "l"])


# Against a model that anyone can read

NAMES = st.sampled_from("abcd")
BINDINGS = st.lists(
    st.tuples(NAMES, NAMES | st.sampled_from("xyz"), st.sampled_from(["k", "l"])), max_size=12
)
ALTERNATES = st.dictionaries(NAMES, NAMES | st.just("nowhere"))


def model(
    bindings: list[tuple[str, str, str]], alternates: dict[str, str], start: str, keys: set[str]
) -> set[str]:
    """Every name that can be reached, an alternate only from where nothing matches."""
    reached, pending = {start}, [start]
    while pending:
        source = pending.pop()
        onwards = {to for origin, to, key in bindings if origin == source and key in keys}
        if not onwards and source in alternates:
            onwards = {alternates[source]}
        pending += onwards - reached - set("xyz")
        reached |= onwards
    return reached & set("xyz")


@given(BINDINGS, ALTERNATES, NAMES, st.sets(st.sampled_from(["k", "l", "m"]), min_size=1))
def test_any_map_agrees_with_the_model(
    bindings: list[tuple[str, str, str]], alternates: dict[str, str], start: str, keys: set[str]
) -> None:
    """Rings, rows, alternates of alternates, missing ones: each queue once, and it ends."""
    world = Map()
    for name in "abcd":
        given_alternate = {"alternate_exchange": alternates[name]} if name in alternates else {}
        world.exchange(name, "direct", **given_alternate)
    for source, destination, key in bindings:
        world.bind(source, destination, key)
    assert world.route(start, *sorted(keys)) == sorted(model(bindings, alternates, start, keys))
