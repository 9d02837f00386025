"""Direct reply-to: answers go to the channel that asked, without a queue for anybody to declare.

Behind it stands a transient queue that belongs to the asking connection, has a name that nobody can guess,
and goes with its one consumer. Whoever is told the name (in reply_to) publishes to it through the default
exchange like to any other queue. Source: RabbitMQ's documentation of direct reply-to.
"""

from typing import TYPE_CHECKING, Final

from mambaamqp.broker.arguments import QueueArguments
from mambaamqp.broker.queue import Queue
from mambaamqp.errors import AccessRefused, NotFound
from mambaamqp.wire.table import EMPTY

if TYPE_CHECKING:
    from mambaamqp.broker.vhost import VirtualHost

REPLY_TO: Final = "amq.rabbitmq.reply-to"
"""What a requester consumes from, and puts into its requests' reply_to."""
REPLY_TO_PREFIX: Final = REPLY_TO + "."
REPLIES_MAX: Final = 65_536
"""Answers that wait for a requester who does not read; the oldest are dropped for more."""


def is_reply_name(name: str) -> bool:
    """Whether a queue's name is one of direct reply-to."""
    return name == REPLY_TO or name.startswith(REPLY_TO_PREFIX)


def create_reply_queue(vhost: "VirtualHost", owner: object) -> Queue:
    """A new place for answers; it goes when its first consumer does."""
    arguments = QueueArguments()
    arguments.max_length = REPLIES_MAX
    queue = Queue(
        vhost,
        vhost.broker.next_serial(),
        REPLY_TO_PREFIX + vhost.broker.token(),
        durable=False,
        auto_delete=True,
        owner=owner,
        table=EMPTY,
        arguments=arguments,
    )
    vhost.put_queue(queue)
    return queue


def check_alive(vhost: "VirtualHost", name: str) -> None:
    """A declare of a reply name only asks whether the requester is still there: 404 when it is not."""
    if name != REPLY_TO and name not in vhost.queues:
        raise NotFound(f"no queue '{name}' in vhost '{vhost.name}'")


def check_bindable(name: str) -> None:
    """403 for a reply name: answers come by name alone."""
    if is_reply_name(name):
        raise AccessRefused("cannot bind or unbind to a volatile (direct reply-to) queue")
