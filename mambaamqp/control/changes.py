"""Requests that change something and have nothing to tell: what of a request is handed to which operation.

A change is a line of a table: the operation, and what reads its arguments out of the request, in their order.
Operations of a virtual host have that of the request and the operator there before the others, operations of
the broker the broker and the operator. Nothing is done before all of a request has been understood.
"""

from collections.abc import Callable
from typing import Any, Final

from mambaamqp.control.counter import Counter
from mambaamqp.control.requests import Reply, Request

Reader = Callable[[Request], Any]
Change = Callable[[Counter, Request], Reply]


def of_broker(operation: Callable[..., None], *readers: Reader) -> Change:
    """A change of the broker as a whole."""

    def change(counter: Counter, request: Request) -> Reply:
        values = _read(request, readers)
        operation(counter.broker, counter.actor, *values)
        return Reply()

    return change


def of_vhost(operation: Callable[..., None], *readers: Reader) -> Change:
    """A change in a virtual host."""

    def change(counter: Counter, request: Request) -> Reply:
        vhost = counter.vhost(request)
        values = _read(request, readers)
        operation(vhost, counter.actor_in(vhost), *values)
        return Reply()

    return change


def _read(request: Request, readers: tuple[Reader, ...]) -> list[Any]:
    values = [read(request) for read in readers]
    request.check_all_read()
    return values


# What is read


def text(key: str, default: str | None = None) -> Reader:
    """Text, which must be there if there is no default."""
    return lambda request: request.text(key, default)


def texts(key: str) -> Reader:
    """A list of texts, or none of them."""
    return lambda request: request.texts(key)


def an_object(key: str) -> Reader:
    """An object, which must be there."""
    return lambda request: request.object(key)


def flag(key: str) -> Reader:
    """True, or false."""
    return lambda request: request.flag(key)


def together(*keys: str) -> Reader:
    """Several texts as one object; all must be there."""
    return lambda request: {key: request.text(key) for key in keys}


def whatever_of(*keys: str) -> Reader:
    """Those of several texts that are there and not empty, as one object."""
    return lambda request: {key: value for key in keys if (value := request.text(key, ""))}


NAME: Final = text("name")
