"""mambaamqp/broker/queue_types.py: a queue is what its arguments say."""

import pytest

from mambaamqp.broker.arguments import stored_queue_arguments
from mambaamqp.broker.queue_types import new_queue
from mambaamqp.broker.stream import Stream
from mambaamqp.wire.table import Table, encode_entries
from tests.support.client import World


@pytest.mark.parametrize(
    ("queue_type", "is_stream", "keeps_all"),
    [("classic", False, False), ("quorum", False, True), ("stream", True, True)],
)
def test_a_type_has_its_class(queue_type: str, is_stream: bool, keeps_all: bool) -> None:
    """A stream and a quorum queue keep transient messages too."""
    vhost = World().broker.vhosts["/"]
    table = Table(encode_entries({"x-queue-type": queue_type}))
    queue = new_queue(
        vhost,
        7,
        "q",
        durable=True,
        auto_delete=False,
        owner=None,
        table=table,
        arguments=stored_queue_arguments(table),
    )
    assert (isinstance(queue, Stream), queue.keeps_all, queue.journaled) == (is_stream, keeps_all, True)
    assert (queue.name, queue.serial, queue.vhost) == ("q", 7, vhost)
