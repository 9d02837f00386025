"""The broker as a whole: how it is, and the marks of its alarms."""

from mambaamqp.access.permissions import authorize_tag
from mambaamqp.access.users import ADMINISTRATOR
from mambaamqp.broker.broker import Broker
from mambaamqp.control.counter import Counter
from mambaamqp.control.requests import Reply, Request, Row


def status(counter: Counter, request: Request) -> Reply:
    """What it is, how it is, and how much there is in it."""
    request.check_all_read()
    return Reply(
        done={**counter.machine.facts(), "alarms": alarms(counter.broker), "totals": totals(counter)}
    )


def alarms(broker: Broker) -> list[str]:
    """Which of memory and disk are low."""
    return [name for name in ("memory", "disk") if name in broker.alarm]


def totals(counter: Counter) -> Row:
    """How much there is of everything."""
    broker = counter.broker
    queues = [
        queue for vhost in broker.vhosts.values() for queue in vhost.queues.values() if not queue.hidden
    ]
    return {
        "connections": len(broker.holders),
        "channels": sum(broker.admission.channels_of_users.values()),
        "vhosts": len(broker.vhosts),
        "exchanges": sum(len(vhost.exchanges) for vhost in broker.vhosts.values()),
        "queues": len(queues),
        "consumers": sum(len(queue.consumers) for queue in queues),
        "messages_ready": sum(queue.ready.count for queue in queues),
        "messages_unacknowledged": sum(queue.unacked for queue in queues),
    }


def set_memory(counter: Counter, request: Request) -> Reply:
    """The mark of the memory alarm until the next start."""
    authorize_tag(counter.actor, ADMINISTRATOR)
    value = request.number("value")
    request.check_all_read()
    return Reply(done={"vm_memory_high_watermark": counter.machine.set_memory_mark(value)})


def set_disk(counter: Counter, request: Request) -> Reply:
    """The mark of the disk alarm until the next start."""
    authorize_tag(counter.actor, ADMINISTRATOR)
    value = request.number("value")
    request.check_all_read()
    return Reply(
        done={"disk_free_limit": counter.machine.set_disk_mark(None if value is None else int(value))}
    )


OPERATIONS = {
    "status": status,
    "alarm memory": set_memory,
    "alarm disk": set_disk,
}
