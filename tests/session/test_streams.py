"""mambaamqp/session/streams.py: the order of refusals is RabbitMQ's."""

import pytest
from pamqp import commands

from tests.support import expect
from tests.support.client import World

WHERE = "queue 's' in vhost '/'"


@pytest.mark.parametrize(
    ("prefetch", "shared", "no_ack", "code", "text"),
    [
        (0, 1, True, 406, f"PRECONDITION_FAILED - consumer prefetch count is not set for stream {WHERE}"),
        (1, 1, True, 540, f"NOT_IMPLEMENTED - automatic acknowledgement not supported by stream {WHERE}"),
        (1, 1, False, 540, f"NOT_IMPLEMENTED - {WHERE} does not support global qos"),
        (1, 0, False, 0, ""),
    ],
)
def test_what_is_asked_first(prefetch: int, shared: int, no_ack: bool, code: int, text: str) -> None:
    """A prefetch, then acknowledgements, then no shared prefetch."""
    client = World().connect().open()
    client.queue("s", durable=True, arguments={"x-queue-type": "stream"})
    client.call(1, commands.Basic.Qos(prefetch_count=prefetch))
    client.call(1, commands.Basic.Qos(prefetch_count=shared, global_=True))
    answer = client.consume("s", no_ack=no_ack)
    if code == 0:
        assert isinstance(answer, commands.Basic.ConsumeOk)
    elif code == 406:
        expect.channel_closed(answer, code, text, commands.Basic.Consume)
    else:
        expect.connection_closed(answer, code, text, commands.Basic.Consume)


def test_other_queues_are_asked_for_nothing() -> None:
    """No prefetch, no offset."""
    client = World().connect().open()
    client.queue("q", durable=True)
    assert isinstance(client.consume("q", no_ack=True), commands.Basic.ConsumeOk)
