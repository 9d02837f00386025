"""Which class a queue of a type is."""

from typing import TYPE_CHECKING

from mambaamqp.broker.arguments import QueueArguments
from mambaamqp.broker.queue import Queue
from mambaamqp.broker.stream import Stream
from mambaamqp.wire.table import Table

if TYPE_CHECKING:
    from mambaamqp.broker.vhost import VirtualHost


def new_queue(
    vhost: "VirtualHost",
    serial: int,
    name: str,
    *,
    durable: bool,
    auto_delete: bool,
    owner: object | None,
    table: Table,
    arguments: QueueArguments,
) -> Queue:
    """A queue of the type that its arguments name; a stream is always durable and nobody's own."""
    if arguments.queue_type == "stream":
        return Stream(vhost, serial, name, table, arguments)
    return Queue(
        vhost,
        serial,
        name,
        durable=durable,
        auto_delete=auto_delete,
        owner=owner,
        table=table,
        arguments=arguments,
    )
