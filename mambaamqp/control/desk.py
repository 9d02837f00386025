"""The desk where requests arrive: each goes to its operation, in the operator's name, and gets a reply.

Every operation asks for its rights itself, as it does for any other caller. Nothing that a request says can
raise here. Refuses to know where requests come from.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Final

from mambaamqp.access.operator import NAME
from mambaamqp.broker.broker import Broker
from mambaamqp.broker.events import INTERNAL
from mambaamqp.control import accounts, connections, listings, node, policies, queues
from mambaamqp.control.counter import Counter
from mambaamqp.control.machine import Machine
from mambaamqp.control.requests import Reply, Request, parse, refusal
from mambaamqp.errors import InternalFault, MambaError, NotFound

log = logging.getLogger("mambaamqp.control")

Operation = Callable[[Counter, Request], Reply]

OPERATIONS: Final[Mapping[str, Operation]] = {
    **node.OPERATIONS,
    **listings.OPERATIONS,
    **queues.OPERATIONS,
    **connections.OPERATIONS,
    **accounts.OPERATIONS,
    **policies.OPERATIONS,
}
"""Command → what it does."""


class Desk:
    """One broker's."""

    def __init__(self, broker: Broker, machine: Machine) -> None:
        self._broker = broker
        self._counter = Counter(broker, machine)

    def answer(self, line: bytes, now: float) -> Reply:
        """Do what a request says; what it asks about is told by the reply as its rows are read."""
        broker = self._broker
        broker.at(now)
        broker.events.acting = NAME
        try:
            reply = self._answer(parse(line))
        except MambaError as error:
            reply = refusal(error)
        except Exception:
            log.exception("unexpected error in a request")
            reply = refusal(InternalFault("an unexpected error occurred in the broker"))
        finally:
            broker.events.acting = INTERNAL
        reply.position = broker.journal.position
        return reply

    def _answer(self, request: Request) -> Reply:
        operation = OPERATIONS.get(request.command)
        if operation is None:
            raise NotFound(f"no command '{request.command[:64]}'")
        reply = operation(self._counter, request)
        # Dead letters and settlements that follow are part of what was asked for.
        self._broker.catch_up()
        self._broker.write_settlements()
        return reply
