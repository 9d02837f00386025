"""The exchange types, one small sibling each, and the table that knows them.

`create` makes an exchange of a type by name; a new type is one class, and one row here or a `register` by
whoever brings it (docs/plugins.md).
"""

from collections.abc import Mapping
from typing import Final

from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.consistent_hash import ConsistentHashExchange
from mambaamqp.broker.exchanges.deduplication import DeduplicationExchange, deduplicates
from mambaamqp.broker.exchanges.delayed import DelayedExchange
from mambaamqp.broker.exchanges.direct import DirectExchange
from mambaamqp.broker.exchanges.exchange import Exchange, check_equivalent
from mambaamqp.broker.exchanges.fanout import FanoutExchange
from mambaamqp.broker.exchanges.headers import HeadersExchange
from mambaamqp.broker.exchanges.jms_topic import JmsTopicExchange
from mambaamqp.broker.exchanges.modulus_hash import ModulusHashExchange
from mambaamqp.broker.exchanges.queues import QueuesExchange
from mambaamqp.broker.exchanges.random import RandomExchange
from mambaamqp.broker.exchanges.recent_history import RecentHistoryExchange
from mambaamqp.broker.exchanges.topic import TopicExchange
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import Table

TYPES: Final[dict[str, type[Exchange]]] = {
    "direct": DirectExchange,
    "fanout": FanoutExchange,
    "topic": TopicExchange,
    "headers": HeadersExchange,
    "x-consistent-hash": ConsistentHashExchange,
    "x-delayed-message": DelayedExchange,
    "x-jms-topic": JmsTopicExchange,
    "x-local-random": RandomExchange,
    "x-message-deduplication": DeduplicationExchange,
    "x-modulus-hash": ModulusHashExchange,
    "x-random": RandomExchange,
    "x-recent-history": RecentHistoryExchange,
}


def register(kind: str, exchange_type: type[Exchange]) -> None:
    """Have one more exchange type; ValueError where there is one of this name already."""
    if kind in TYPES:
        raise ValueError(f"there is an exchange type '{kind}' already")
    if not kind.startswith("x-"):
        raise ValueError(f"the name of an exchange type begins with 'x-', which '{kind}' does not")
    TYPES[kind] = exchange_type


def check_type(kind: str) -> None:
    """406 for an exchange type that does not exist."""
    if kind not in TYPES:
        raise PreconditionFailed(f"unknown exchange type '{kind}'")


def create(
    kind: str,
    vhost: str,
    name: str,
    *,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    arguments: Table,
) -> Exchange:
    """An exchange of type `kind`; 406 for an unknown type or a malformed argument."""
    check_type(kind)
    exchange_type = DeduplicationExchange if deduplicates(arguments) else TYPES[kind]
    return exchange_type(
        kind, vhost, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments
    )


def default_exchange(vhost: str, queues: Mapping[str, Destination]) -> Exchange:
    """The exchange without a name: every queue is bound to it by its own name."""
    return QueuesExchange(vhost, queues)


__all__ = ["TYPES", "Exchange", "check_equivalent", "check_type", "create", "default_exchange", "register"]
