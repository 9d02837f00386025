"""The history of a world of queues as moments: what a broker that lost its power may be found as.

After each step that the journal keeps whole (a publish, a transaction, a dead letter, a declaration) the
model notes what the world would be, queue by queue and message by message. The next broker must find exactly
one of these moments, and none that is older than the last promise (confirm, commit-ok, declare-ok …). That is
the whole specification: nothing confirmed is lost, nothing is invented, torn, doubled or out of order, and
what is settled stays settled once anything later was promised.
"""

from typing import Any

from tests.support.client import World
from tests.support.violation import Violation

QUEUES: dict[str, dict[str, Any]] = {
    "plain": {},
    "deadly": {"x-dead-letter-exchange": "graveyard"},
    "dead": {},
    "short": {"x-max-length": 3},
    "quorum": {"x-queue-type": "quorum", "x-delivery-limit": -1},
    "passing": {},
    "log": {"x-queue-type": "stream"},
}
PASSING = "passing"
"""The one queue that is not durable: it shares messages with the others and is gone after a crash."""
STREAM = "log"
"""Nothing is taken from it; it is emptied by age, and its offsets count on."""
STREAM_NEXT = "log next"
"""Where a moment has the position that the stream has come to."""
KEEPING = ("quorum", STREAM)
"""Queues that keep transient messages."""
CONSUMED = ("plain", "deadly", "dead", "quorum", PASSING)
"""Queues that have consumers; of the short one it is then known what is its head."""
EXCHANGES = {"hall": "fanout", "desk": "direct", "tree": "topic", "graveyard": "fanout"}
KEYS = ("", "plain", "deadly", "a.b")

Moment = tuple[frozenset[Any], tuple[tuple[str, tuple[bytes, ...]], ...]]
"""Everything that there is: topology, and the journaled messages of each queue in order."""


class Model:
    """What the world must be, and every moment since the last promise."""

    def __init__(self) -> None:
        self.queues: dict[str, list[bytes]] = {}
        self.exchanges: dict[str, str] = {}
        self.bindings: set[tuple[str, str, str]] = set()
        self.stream_next = 1
        self.moments: list[Moment] = [self.moment()]
        self.promised = 0

    def moment(self) -> Moment:
        queues = tuple(
            (name, tuple(bodies)) for name, bodies in sorted(self.queues.items()) if name != PASSING
        )
        if STREAM in self.queues:
            queues += ((STREAM_NEXT, (b"%d" % self.stream_next,)),)
        bindings = frozenset(binding for binding in self.bindings if binding[2] != PASSING)
        return frozenset(name for name, _ in queues) | frozenset(self.exchanges.items()) | bindings, queues

    def note(self) -> int:
        """One step is complete, as far as a crash can tell; returns its number."""
        moment = self.moment()
        if moment != self.moments[-1]:
            self.moments.append(moment)
        return len(self.moments) - 1

    def promise(self, number: int) -> None:
        """Somebody was told that this moment is safe."""
        self.promised = max(self.promised, number)

    def restart(self, found: Moment) -> None:
        """A power cut left this moment."""
        topology, queues = found
        self.queues = {name: list(bodies) for name, bodies in queues if name != STREAM_NEXT}
        self.stream_next = int(dict(queues).get(STREAM_NEXT, (b"1",))[0])
        self.exchanges = {item[0]: item[1] for item in topology if isinstance(item, tuple) and len(item) == 2}
        self.bindings = {item for item in topology if isinstance(item, tuple) and len(item) == 3}
        self.moments = [found]
        self.promised = 0

    def routes(self, exchange: str, key: str) -> list[str]:
        """The queues that a publish reaches, in no particular order."""
        if not exchange:
            return [key] if key in self.queues else []
        kind = self.exchanges[exchange]
        bound = [(bound_key, queue) for source, bound_key, queue in self.bindings if source == exchange]
        return sorted(
            {queue for bound_key, queue in bound if kind == "fanout" or _fits(kind, bound_key, key)}
        )

    def put(self, body: bytes, queues: list[str]) -> None:
        """A message reaches its queues: one step."""
        for name in queues:
            self.queues[name].append(body)
        self.stream_next += STREAM in queues

    def shorten(self, queues: list[str]) -> bool:
        """The heads that a length limit pushes out; whether there were any."""
        over = "short" in queues and len(self.queues["short"]) > 3
        if over:
            del self.queues["short"][:-3]
        return over

    def remove(self, queue: str, body: bytes) -> None:
        """A message is settled; one that is gone with its queue, or was never journaled, changes nothing."""
        if body in self.queues.get(queue, []):
            self.queues[queue].remove(body)


def judge(model: Model, found: Moment, promised: int | None = None) -> None:
    """Violation unless `found` may be, after everything up to moment `promised` was promised."""
    since = model.promised if promised is None else promised
    allowed = model.moments[since:]
    if found not in allowed:
        lines = [f"promised {since} of {len(model.moments) - 1}", f"found {shown(found)}"]
        how = "\n".join([*lines, *(f"allowed {shown(moment)}" for moment in allowed)])
        raise Violation(*_named(model, found, allowed, how))


def _named(model: Model, found: Moment, allowed: list[Moment], how: str) -> tuple[str, str]:
    """Which promise a wrong moment breaks, the plainest first."""
    queues, ever = dict(found[1]), {body for moment in model.moments for _, q in moment[1] for body in q}
    bodies = [body for held in queues.values() for body in held]
    if not set(bodies) <= ever:
        return "I2", how
    if any(len(set(held)) < len(held) for held in queues.values()):
        return "I3", how
    if all(found[0] != moment[0] for moment in allowed):
        return "I7", how
    kept = set.intersection(*({(name, b) for name, q in moment[1] for b in q} for moment in allowed))
    possible = {(name, body) for moment in allowed for name, held in moment[1] for body in held}
    there = {(name, body) for name, held in queues.items() for body in held}
    if not kept <= there:
        return "I1", how
    if not there <= possible:
        return "I5", how
    if any(
        {name: set(held) for name, held in moment[1]} == {n: set(h) for n, h in queues.items()}
        for moment in allowed
    ):
        return "I4", how
    return "I9", how


def _fits(kind: str, bound_key: str, key: str) -> bool:
    return bound_key == key or (kind == "topic" and bound_key == "#")


def shown(moment: Moment) -> str:
    """A moment with the numbers of its messages."""
    topology, queues = moment
    numbers = {name: [int(body.split(b":")[0]) for body in bodies] for name, bodies in queues}
    return f"{numbers} {sorted(map(str, topology))}"


def moment_of(world: World) -> Moment:
    """What a broker that has just started holds."""
    vhost = world.broker.vhosts["/"]
    exchanges = {(name, exchange.kind) for name, exchange in vhost.exchanges.items() if name in EXCHANGES}
    bindings = {
        (exchange.name, binding.routing_key, binding.destination.name)
        for exchange in vhost.exchanges.values()
        for binding in exchange.bindings
    }
    queues = tuple(
        (name, tuple(entry.message.body() for entry in queue.ready.entries()))
        for name, queue in sorted(vhost.queues.items())
    )
    if STREAM in vhost.queues:
        queues += ((STREAM_NEXT, (b"%d" % vhost.queues[STREAM].next_position,)),)
    return frozenset(name for name, _ in queues) | frozenset(exchanges) | frozenset(bindings), queues
