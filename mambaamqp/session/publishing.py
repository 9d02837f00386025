"""What a channel does with a publish: check it, resolve its route once, hand it to the queues.

The route cache: the octets of basic.publish after the ticket (exchange, routing key, flags) are the key,
so that a publisher that repeats itself costs one look-up. A change of the virtual host's topology raises its
generation and empties the cache; so does a change of rights, at the next read. Order of the checks and texts
as in RabbitMQ: size, permission, exchange, internal, expiration, user-id, route.
"""

from typing import TYPE_CHECKING, Final

from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.message import Message, names_of
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.routing import reads_message, sender_selected
from mambaamqp.broker.topology import check_topic, writable_exchange
from mambaamqp.broker.traits import Traits
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.broker.window import Window
from mambaamqp.errors import FrameFault, NotImplementedFault, PreconditionFailed
from mambaamqp.session import replies
from mambaamqp.wire import fast, properties
from mambaamqp.wire.properties import Summary
from mambaamqp.wire.table import Table

if TYPE_CHECKING:
    from mambaamqp.session.channel import Channel

ROUTES_MAX: Final = 4096
"""Cached routes of a channel; when a publisher uses more keys, the cache starts anew."""

NO_ROUTE: Final = 312
NO_ROUTE_TEXT: Final = b"NO_ROUTE"


class Route:
    """Where publishes with the same exchange, routing key and flags go."""

    def __init__(self, address: bytes, exchange: Exchange, routing_key: str, mandatory: bool) -> None:
        self.address = address
        self.exchange = exchange
        self.routing_key = routing_key
        self.mandatory = mandatory
        self.reads_message = False
        self.queues: list[Queue] = []


class Plan:
    """What a publish shares with the next one if that repeats it but for the body's octets.

    `octets` is everything in front of the body: method frame, header frame, and the body frame's prefix. A
    publisher that sends messages of one size to one place is recognised by comparing these octets, and all
    parsing, checking and routing is saved. The session drops its plan when the channel closes, becomes
    transactional or begins a content in pieces; a change of topology shows in `generation`.
    """

    def __init__(
        self,
        channel: "Channel",
        octets: bytes,
        header_at: int,
        route: Route,
        persistent: bool,
        body_bytes: int,
    ) -> None:
        self.channel = channel
        self.octets = octets
        self.octets_size = len(octets)
        self.header_at = header_at
        """Where in `octets` the content (its header frame) begins."""
        self.size = len(octets) + body_bytes + 1 if body_bytes else len(octets)
        self.route = route
        self.persistent = persistent
        self.body_bytes = body_bytes
        self.vhost = channel.vhost
        self.generation = channel.routes_generation


class Publication:
    """A checked publish: the message and where it goes. `mandatory` ones come back when nobody takes them.

    `keys` are those by which it is routed again at tx.commit, where a deduplicating exchange was asked: what
    that has routed by then counts.
    """

    def __init__(self, message: Message, queues: list[Queue], mandatory: bool) -> None:
        self.message = message
        self.queues = queues
        self.mandatory = mandatory
        self.keys: list[str] = []
        self.exchange: Exchange | None = None

    def route_again(self, vhost: VirtualHost) -> None:
        """Find out where it goes now."""
        if self.exchange is not None:
            traits = Traits(self.message)
            self.queues = vhost.queues_for(self.exchange, self.keys, traits)
            self.mandatory = self.mandatory and not traits.repeated


def resolve(channel: "Channel", key: bytes) -> Route:
    """Check and route a publish whose exchange, routing key and flags have not been seen yet."""
    vhost = channel.vhost
    if channel.routes_generation != vhost.generation or len(channel.routes) >= ROUTES_MAX:
        channel.routes.clear()
        channel.routes_generation = vhost.generation
    flags = key[len(key) - 1]
    address = key[: len(key) - 1]
    try:
        exchange_name, routing_key = names_of(address)
    except UnicodeDecodeError:
        raise FrameFault("Malformed UTF-8 in shortstr") from None
    if flags & fast.IMMEDIATE:
        raise NotImplementedFault("immediate=true")
    exchange = writable_exchange(vhost, channel.actor, exchange_name)
    check_topic(exchange, channel.actor, routing_key)
    route = Route(address, exchange, routing_key, bool(flags & fast.MANDATORY))
    route.reads_message = reads_message(exchange, vhost.exchanges.get)
    if not route.reads_message:
        route.queues = vhost.queues_for(exchange, [routing_key], None)
    channel.routes[key] = route
    return route


def publication(
    channel: "Channel", route: Route, message: Message, header: bytes, summary: Summary
) -> Publication:
    """A publish whose properties ask for more than the cached route: expiration, user-id, headers."""
    if summary.expiration is not None:
        message.expiration_ms = expiration_ms(summary.expiration)
    if summary.user_id is not None:
        _check_user_id(channel, summary.user_id)
    if summary.reply_to == properties.DIRECT_REPLY_TO:
        message = replies.address_request(channel, message, header)
        header = message.header()
    message.priority = summary.priority
    if summary.headers is None:
        if route.reads_message:
            return _routed(channel, route, message, [route.routing_key], Traits(message))
        return Publication(message, route.queues, route.mandatory)
    return _with_headers(channel, route, message, header, Table(summary.headers))


def _with_headers(
    channel: "Channel", route: Route, message: Message, header: bytes, headers: Table
) -> Publication:
    """A publish with a header table: CC and BCC add routing keys, headers exchanges read it."""
    keys = [route.routing_key]
    if b"CC" in headers.raw:
        selected, blind = sender_selected(headers)
        for key in selected:
            check_topic(route.exchange, channel.actor, key)
        keys += selected
        if blind:
            message = message.with_header(properties.with_headers(header, {}, frozenset({"BCC"})))
    if len(keys) == 1 and not route.reads_message:
        return Publication(message, route.queues, route.mandatory)
    return _routed(channel, route, message, keys, Traits(message, headers))


def _routed(
    channel: "Channel", route: Route, message: Message, keys: list[str], traits: Traits
) -> Publication:
    queues = channel.vhost.queues_for(route.exchange, keys, traits)
    # What is dropped as known already comes back to nobody.
    found = Publication(message, queues, route.mandatory and not traits.repeated)
    if traits.repeated or (queues and isinstance(queues[len(queues) - 1], Window)):
        found.exchange = route.exchange
        found.keys = keys
        if channel.transaction is not None:
            found.mandatory = route.mandatory
    return found


def expiration_ms(text: bytes) -> int:
    """A message's expiration property in milliseconds; 406 in RabbitMQ's words when it is not one."""
    shown = text.decode(errors="replace")
    digits = len(text) - len(text.lstrip(b"0123456789"))
    negative = text.startswith(b"-") and text[1:].isdigit()
    if negative and len(text) <= EXPIRATION_DIGITS_MAX:
        raise PreconditionFailed(f"invalid expiration '{shown}': {{value_negative,{int(text)}}}")
    if digits == 0:
        raise PreconditionFailed(f"invalid expiration '{shown}': no_integer")
    if digits < len(text):
        raise PreconditionFailed(f"invalid expiration '{shown}': {{leftover_string,\"{shown[digits:]}\"}}")
    if digits > EXPIRATION_DIGITS_MAX or int(text) > EXPIRATION_MS_MAX:
        raise PreconditionFailed(f"invalid expiration '{shown}': {{value_too_large,{shown}}}")
    return int(text)


EXPIRATION_MS_MAX: Final = 315_360_000_000
"""Ten years, RabbitMQ's bound for every time span."""
EXPIRATION_DIGITS_MAX: Final = 20
"""Longer numbers are refused unread: turning a long text into a number is quadratic."""


def _check_user_id(channel: "Channel", user_id: bytes) -> None:
    name = channel.actor.user.name
    if user_id.decode() != name and "impersonator" not in channel.actor.user.tags:
        raise PreconditionFailed(
            f"user_id property set to '{user_id.decode()}' but authenticated user was '{name}'"
        )
