"""Stop a node, in order: say good-bye, wait for the clients until the deadline, drop them, commit the rest.

Refuses to know why it stops, and what the last record says. Whoever calls has closed the listeners already.
"""

import logging
from collections.abc import Callable

import trio

from mambaamqp.server.node import Node

SHUTDOWN_TEXT = "broker forced connection closure with reason 'shutdown'"

FAILURE_SECONDS = 0.5
"""After the store has failed, clients get this long to read why."""

FINAL_SYNC_SECONDS = 30.0
"""A disk that takes longer for the last commit counts as failed."""

log = logging.getLogger(__name__)


async def stop(
    node: Node, *, shutdown_seconds: float, insisted: trio.Event, close_books: Callable[[float], None]
) -> bool:
    """Stop; True when everything, the last record included, is on stable storage.

    `insisted` ends the waiting for clients. `close_books(now)` appends the last records.
    """
    failed = node.store_error is not None
    node.shut_down(None if failed else SHUTDOWN_TEXT)
    await _wait_for_clients(node, FAILURE_SECONDS if failed else shutdown_seconds, insisted)
    if node.connections:
        log.warning("dropping %d connections that did not close in time", len(node.connections))
    node.drop_connections()
    return not failed and await _commit_the_rest(node, close_books)


async def _wait_for_clients(node: Node, seconds: float, insisted: trio.Event) -> None:
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when_set, insisted, nursery.cancel_scope)
            await node.wait_until_empty()
            nursery.cancel_scope.cancel()


async def _cancel_when_set(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def _commit_the_rest(node: Node, close_books: Callable[[float], None]) -> bool:
    try:
        close_books(node.now())
    except Exception:
        log.exception("unexpected error while stopping; the next start will be a recovery")
        return False
    with trio.move_on_after(FINAL_SYNC_SECONDS) as waiting:
        return await node.committer.drain()
    if waiting.cancelled_caught:
        log.error("the last commit did not finish within %g seconds", FINAL_SYNC_SECONDS)
    return False
