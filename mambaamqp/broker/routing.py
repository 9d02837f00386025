"""Where a message goes: through exchanges bound to exchanges, alternates, and the keys of CC and BCC.

Each exchange is visited once, so that cycles end; each queue is found once, so that it gets one copy. An
alternate exchange is asked only when the exchange itself leads nowhere.
"""

from collections.abc import Callable

from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges.exchange import Exchange
from mambaamqp.broker.traits import Traits
from mambaamqp.errors import PreconditionFailed
from mambaamqp.wire.table import Table

Lookup = Callable[[str], Exchange | None]


def route(
    exchange: Exchange, routing_keys: list[str], traits: Traits | None, lookup: Lookup
) -> list[Destination]:
    """The queues that a message with these keys and traits reaches from `exchange`, in a stable order."""
    queues: dict[Destination, None] = {}
    if len(routing_keys) > 1:
        routing_keys = list(dict.fromkeys(routing_keys))
    seen = {exchange}
    pending = [exchange]
    while pending:
        source = pending.pop()
        for destination in _step(source, routing_keys, traits, lookup):
            if isinstance(destination, Exchange):
                if destination not in seen:
                    seen.add(destination)
                    pending.append(destination)
            else:
                queues[destination] = None
    return list(queues)


def _step(
    source: Exchange, routing_keys: list[str], traits: Traits | None, lookup: Lookup
) -> list[Destination]:
    """One exchange's destinations, or its alternate when there are none."""
    found: dict[Destination, None] = {}
    for key in routing_keys:
        source.match(key, traits, found)
    if found or source.alternate is None:
        return list(found)
    alternate = lookup(source.alternate)
    return [] if alternate is None else [alternate]


def reads_message(exchange: Exchange, lookup: Lookup) -> bool:
    """Whether more than the key decides on any way from `exchange`; if not, a route is known by its key."""
    seen = {exchange}
    pending = [exchange]
    while pending:
        source = pending.pop()
        if source.reads_message:
            return True
        for following in _onwards(source, lookup):
            if following not in seen:
                seen.add(following)
                pending.append(following)
    return False


def _onwards(source: Exchange, lookup: Lookup) -> list[Exchange]:
    found = [destination for destination in source.destinations() if isinstance(destination, Exchange)]
    if source.alternate is not None:
        alternate = lookup(source.alternate)
        if alternate is not None:
            found.append(alternate)
    return found


def sender_selected(headers: Table) -> tuple[list[str], bool]:
    """The routing keys of CC and BCC, and whether there is a BCC (to be removed before delivery).

    406 when one of them is not an array of text.
    """
    keys = _keys(headers, "CC") + _keys(headers, "BCC")
    return keys, "BCC" in headers


def _keys(headers: Table, name: str) -> list[str]:
    if name not in headers:
        return []
    value = headers.get(name)
    if not isinstance(value, list):
        raise PreconditionFailed(
            f'invalid message: {{unacceptable_type_in_header,"{name}",{headers.kind(name)}}}'
        )
    for item in value:
        if not isinstance(item, str):
            raise PreconditionFailed(f'invalid message: {{unacceptable_type_in_header,"{name}",non-longstr}}')
    return [str(item) for item in value]
