"""A virtual host: its exchanges, queues and bindings, and the ways a message takes through them.

`put_…` and `drop_…` apply a change of topology; live operations (`broker.topology`) and replay after a
start (`broker.replay`) call the same ones. Refuses to know permissions and replies. Every change raises
`generation`, which drops the route caches of all channels.
"""

from typing import TYPE_CHECKING, Final

from mambaamqp.broker import description, events, exchanges, firehose
from mambaamqp.broker.annex import annex_of
from mambaamqp.broker.binding import Binding
from mambaamqp.broker.dead_letter import death_headers, in_cycle
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.emptying import drain
from mambaamqp.broker.entry import GONE, Entry
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.firehose import Firehose
from mambaamqp.broker.message import Message, address_of, names_of
from mambaamqp.broker.parameters import PAUSED
from mambaamqp.broker.policy import EXCHANGE, QUEUES, Policies
from mambaamqp.broker.policy_definition import arguments_under
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.replies import is_reply_name
from mambaamqp.broker.routing import route, sender_selected
from mambaamqp.broker.traits import Traits
from mambaamqp.broker.window import Window
from mambaamqp.store import records
from mambaamqp.wire import properties
from mambaamqp.wire.table import EMPTY, Table

if TYPE_CHECKING:
    from mambaamqp.broker.broker import Broker

WELCOME: Final = 0
REPEATED: Final = 1
REFUSED: Final = 2

SYSTEM_EXCHANGES = (
    ("amq.direct", "direct"),
    ("amq.fanout", "fanout"),
    ("amq.topic", "topic"),
    ("amq.headers", "headers"),
    ("amq.match", "headers"),
    (firehose.EXCHANGE, "topic"),
)
"""Of each virtual host; of these clients may not publish to the last."""


class VirtualHost:
    """One name space of exchanges and queues."""

    def __init__(self, broker: "Broker", name: str) -> None:
        self.broker = broker
        self.name = name
        self.generation = 1
        self.queues: dict[str, Queue] = {}
        self.exchanges: dict[str, Exchange] = {}
        self.policies = Policies()
        self.default_queue_type = ""
        """Of queues that are declared without one, where they can be of it; empty: classic."""
        self.connections_max: int | None = None
        self.queues_max: int | None = None
        self.firehose: Firehose | None = None
        """While the virtual host is traced."""
        self.binding_count = 0
        self.inbound: dict[Destination, dict[Exchange, int]] = {}
        """For each destination, the exchanges that bind to it and how often."""
        self.put_exchange(exchanges.default_exchange(name, self.queues))
        for exchange_name, kind in SYSTEM_EXCHANGES:
            self._put_system_exchange(exchange_name, kind)
        if name == events.VHOST:
            self._put_system_exchange(events.EXCHANGE, "topic")

    def _put_system_exchange(self, name: str, kind: str) -> None:
        internal = name in (firehose.EXCHANGE, events.EXCHANGE)
        exchange = exchanges.create(
            kind, self.name, name, durable=True, auto_delete=False, internal=internal, arguments=EMPTY
        )
        self.put_exchange(exchange)

    # Topology, applied

    def put_exchange(self, exchange: Exchange) -> None:
        """Add an exchange."""
        self.exchanges[exchange.name] = exchange
        self.generation += 1
        if self.broker.events.listening:
            self.broker.events.tell("exchange.created", description.of_exchange(exchange))
        if not self.policies.is_empty:
            self._govern_exchange(exchange)

    def drop_exchange(self, exchange: Exchange) -> None:
        """Remove an exchange, its bindings, and auto-delete exchanges that lose their last binding by it."""
        doomed = [exchange]
        while doomed:
            dying = doomed.pop()
            if self.exchanges.pop(dying.name, None) is None:
                continue
            if self.broker.events.listening:
                self.broker.events.tell("exchange.deleted", description.of_exchange(dying))
            self._drop_annex(dying)
            self._told_unbound(dying.bindings)
            for binding in dying.bindings:
                self._forget_inbound(binding)
            doomed += self._unbind_everywhere(dying)
            if dying is not exchange:
                self._note_exchange_gone(dying)
        self.generation += 1

    def _drop_annex(self, exchange: Exchange) -> None:
        """What waits until it is routed goes with the exchange, and what has been routed is forgotten."""
        annex = annex_of(exchange)
        if annex is not None:
            self.drop_queue(annex)

    def put_queue(self, queue: Queue) -> None:
        """Add a queue."""
        self.queues[queue.name] = queue
        self.generation += 1
        self._tell_of_queue("queue.created", queue)
        if not self.policies.is_empty:
            self._govern_queue(queue)

    def drop_queue(self, queue: Queue) -> int:
        """Delete a queue: its consumers are told, its messages are gone. Returns how many waited."""
        if self.queues.get(queue.name) is not queue:
            return 0
        self._write_deletion(queue)
        count = drain(queue)
        emptied = self.forget_queue(queue)
        for consumer in list(queue.consumers):
            queue.remove_consumer(consumer)
            consumer.cancelled_by_broker()
        for exchange in emptied:
            self.drop_exchange(exchange)
            self._note_exchange_gone(exchange)
        return count

    def _write_deletion(self, queue: Queue) -> None:
        """A queue of the same name must not be paused because this one was."""
        journal = self.broker.journal
        journal.begin_atom()
        if queue.journaled:
            journal.append(records.queue_delete(queue.serial))
        if queue.paused:
            self.broker.parameters.clear(PAUSED, self.name, queue.name)
        journal.end_atom()

    def forget_queue(self, queue: Queue) -> list[Exchange]:
        """Remove a queue and its bindings; returns the auto-delete exchanges left without any."""
        if self.queues.get(queue.name) is queue:
            del self.queues[queue.name]
            self._tell_of_queue("queue.deleted", queue)
        self.broker.agenda.cancel(queue)
        self.generation += 1
        return self._unbind_everywhere(queue)

    def put_binding(self, binding: Binding) -> bool:
        """Add a binding; False when it stands already."""
        if not binding.source.add(binding):
            return False
        inbound = self.inbound.setdefault(binding.destination, {})
        inbound[binding.source] = inbound.get(binding.source, 0) + 1
        if self.broker.events.listening:
            self.broker.events.tell("binding.created", description.of_binding(binding))
        self.binding_count += 1
        self.generation += 1
        return True

    def drop_binding(
        self, source: Exchange, destination: Destination, routing_key: str, arguments: Table
    ) -> bool:
        """Remove a binding; False when there is none. An auto-delete source without bindings goes too."""
        binding = source.remove(destination, routing_key, arguments)
        if binding is None:
            return False
        self._told_unbound([binding])
        self._forget_inbound(binding)
        self.generation += 1
        if source.auto_delete and not source.is_bound:
            self.drop_exchange(source)
            self._note_exchange_gone(source)
        return True

    def is_durable(self, binding: Binding) -> bool:
        """A binding survives a restart when both its ends do."""
        return binding.source.durable and self._survives(binding.destination)

    def _survives(self, destination: Destination) -> bool:
        if isinstance(destination, Queue):
            return destination.journaled
        return isinstance(destination, Exchange) and destination.durable

    def _forget_inbound(self, binding: Binding) -> None:
        inbound = self.inbound.get(binding.destination)
        if inbound is None:
            return
        self.binding_count -= 1
        inbound[binding.source] -= 1
        if not inbound[binding.source]:
            del inbound[binding.source]
        if not inbound:
            del self.inbound[binding.destination]

    def _unbind_everywhere(self, destination: Destination) -> list[Exchange]:
        """Remove all bindings to `destination`; returns the auto-delete exchanges left without any."""
        emptied: list[Exchange] = []
        for source in self.inbound.pop(destination, {}):
            self.binding_count -= self._told_unbound(source.remove_destination(destination))
            if source.auto_delete and not source.is_bound:
                emptied.append(source)
        return emptied

    def _note_exchange_gone(self, exchange: Exchange) -> None:
        """An auto-delete exchange went by itself: the journal must know, since no client asked for it."""
        if exchange.durable:
            self.broker.journal.append(records.exchange_delete(self.name, exchange.name))

    # Who watches

    def _tell_of_queue(self, kind: str, queue: Queue) -> None:
        if self.broker.events.listening and not (queue.hidden or is_reply_name(queue.name)):
            self.broker.events.tell(kind, description.of_queue(queue))

    def _told_unbound(self, bindings: list[Binding]) -> int:
        """Bindings are no more; how many they are."""
        if self.broker.events.listening:
            for binding in bindings:
                self.broker.events.tell("binding.deleted", description.of_binding(binding))
        return len(bindings)

    def trace(self, on: bool) -> None:
        """Let `amq.rabbitmq.trace` have copies of what passes, or no more."""
        if on != (self.firehose is not None):
            self.firehose = Firehose(self) if on else None

    # Policies

    def govern(self) -> None:
        """The policies have changed: lay them over all queues and exchanges anew."""
        for exchange in self.exchanges.values():
            self._govern_exchange(exchange)
        for queue in self.queues.values():
            self._govern_queue(queue)
        self.generation += 1

    def _govern_exchange(self, exchange: Exchange) -> None:
        exchange.govern(self.policies.rule_for(exchange.name, EXCHANGE))

    def _govern_queue(self, queue: Queue) -> None:
        if queue.hidden:
            return
        kind = QUEUES.get(queue.arguments.queue_type, "")
        rule = self.policies.rule_for(queue.name, kind)
        if rule.definition == queue.rule.definition:
            queue.rule = rule
        else:
            queue.rule = rule
            limit = self.broker.strictness.compatibility.quorum_delivery_limit
            queue.govern(arguments_under(queue.table, rule.definition, limit))

    # Messages

    def queues_for(self, exchange: Exchange, routing_keys: list[str], traits: Traits | None) -> list[Queue]:
        """The queues that a message reaches, each once; windows last, and not if nothing else is reached."""
        found: list[Queue] = []
        windows: list[Queue] = []
        for destination in route(exchange, routing_keys, traits, self.exchanges.get):
            if isinstance(destination, Window):
                windows.append(destination)
            elif isinstance(destination, Queue):
                found.append(destination)
        if traits is not None and traits.repeated:
            self.broker.repeated = True
        return found + windows if found else found

    def greet(self, destination: Destination, message: Message) -> None:
        """A destination that was bound just now is given a message of before."""
        again = message.copy()
        again.published_ms = self.broker.wall_ms
        queues = [destination] if isinstance(destination, Queue) else []
        if isinstance(destination, Exchange):
            _, routing_key = names_of(message.address)
            queues = self.queues_for(destination, [routing_key], Traits(message))
        if queues:
            self.enqueue(again, queues)

    def enqueue(self, message: Message, queues: list[Queue]) -> bool:
        """Put a message into its queues, and into the journal where they are durable.

        Returns False when a reject-publish queue refused it; the others took it all the same. A queue without
        duplicates that has one like it drops it, which is no refusal.
        """
        if len(queues) == 1:
            queue = queues[0]
            verdict = self._screen(queue, message) if queue.selective else WELCOME
            if verdict != WELCOME:
                return verdict == REPEATED
            entry = queue.admit(message)
            if queue.journaled and (message.persistent or queue.keeps_all):
                self.broker.keep(message, [entry])
            queue.push(entry)
            return True
        return self._enqueue_many(message, queues)

    def _enqueue_many(self, message: Message, queues: list[Queue]) -> bool:
        accepted = True
        entries: list[Entry] = []
        journaled: list[Entry] = []
        windows: list[Window] = []
        for queue in queues:
            if isinstance(queue, Window):
                windows.append(queue)
                continue
            verdict = self._screen(queue, message) if queue.selective else WELCOME
            if verdict != WELCOME:
                accepted = accepted and verdict == REPEATED
                continue
            entry = queue.admit(message)
            entries.append(entry)
            if queue.keeps(message):
                journaled.append(entry)
        self.broker.journal.begin_atom()
        if journaled:
            self.broker.keep(message, journaled)
        if accepted:
            for window in windows:
                window.remember(message, bool(journaled))
        self.broker.journal.end_atom()
        for entry in entries:
            entry.queue.push(entry)
        return accepted

    def _screen(self, queue: Queue, message: Message) -> int:
        """Whether a queue that is selective takes a message."""
        unique = queue.unique
        if unique is not None and unique.repeats(message):
            self.broker.repeated = True
            return REPEATED
        if queue.refuses(message):
            self._refused(message, queue)
            return REFUSED
        if unique is not None:
            unique.note(message)
        return WELCOME

    def _refused(self, message: Message, queue: Queue) -> None:
        if queue.arguments.overflow == "reject-publish-dlx":
            entry = Entry(message, queue, 0)
            entry.state = GONE
            self.bury(entry, "maxlen")

    def bury(self, entry: Entry, reason: str) -> None:
        """An entry has died; where it goes is settled before the batch ends."""
        self.broker.graves.append((entry, reason))

    def dead_letter(self, entry: Entry, reason: str) -> None:
        """Settle a dead entry and publish it to the dead-letter exchange, as one atom of the journal."""
        queue = entry.queue
        message = self._risen(entry, reason)
        traits = None if message is None else Traits(message)
        targets = [] if traits is None else self._resting_places(traits, queue)
        # What a deduplicating exchange has routed before is where it was to go.
        known = traits is not None and traits.repeated and not targets
        if queue.loses_no_dead and not (queue.deleted or known or self._all_take(message, targets)):
            queue.kept.keep(queue, entry, reason)
            return
        journal = self.broker.journal
        journal.begin_atom()
        if entry.journaled:
            self.broker.release(entry)
            if not queue.deleted:
                journal.append(records.settle(queue.serial, [(entry.position, entry.position)]))
        if message is not None and targets:
            self.enqueue(message, targets)
        journal.end_atom()

    def _all_take(self, message: Message | None, targets: list[Queue]) -> bool:
        """Whether a dead letter has somewhere to go, and nobody there refuses it."""
        if message is None or not targets:
            return False
        refusing = [target for target in targets if target.refuses(message)]
        return not refusing

    def _risen(self, entry: Entry, reason: str) -> Message | None:
        """The message as it goes to the dead-letter exchange; None without one."""
        arguments = entry.queue.arguments
        name = arguments.dead_letter_exchange
        if name is None or name not in self.exchanges:
            return None
        message = entry.message
        exchange_name, routing_key = names_of(message.address)
        header = message.header()
        keys = [routing_key, *_carbon_copies(header, blind=False)]
        time_seconds = self.broker.wall_ms // 1000
        ours = message.dead_lettered or self.broker.strictness.compatibility.honours_client_deaths
        new_header = death_headers(header, entry.queue.name, reason, exchange_name, keys, time_seconds, ours)
        risen = message.with_header(new_header)
        new_key = arguments.dead_letter_routing_key
        risen.address = address_of(name, routing_key if new_key is None else new_key)
        risen.expiration_ms = -1
        risen.dead_lettered = True
        risen.published_ms = self.broker.wall_ms
        return risen

    def _resting_places(self, traits: Traits, origin: Queue) -> list[Queue]:
        """Where a dead letter goes; a queue that it would only circle through is left out."""
        name, routing_key = names_of(traits.message.address)
        header = traits.message.header()
        keys = [routing_key]
        if origin.arguments.dead_letter_routing_key is None:
            keys += _carbon_copies(header, blind=False)
        queues = self.queues_for(self.exchanges[name], keys, traits)
        places = [queue for queue in queues if not in_cycle(header, queue.name, True)]
        # Windows are last, and none remembers what has reached nobody.
        return [] if places and isinstance(places[0], Window) else places


def _carbon_copies(header: bytes, *, blind: bool) -> list[str]:
    """The CC keys of a stored message; BCC has been removed before it was stored."""
    headers = properties.summarise(header).headers
    if headers is None or b"CC" not in headers:
        return []
    return sender_selected(Table(headers))[0]
