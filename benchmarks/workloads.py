"""What is compared: each workload is a name, the flags of `mambaamqp bench`, and the figure that counts."""

from typing import Final, NamedTuple

CONSUMED: Final = "consumed_per_s"
PUBLISHED: Final = "published_per_s"
LATENCY: Final = "latency_us"

DURABLE: Final = "--durable --persistent"
WINDOW: Final = f"{DURABLE} --confirm 1000 --prefetch 1000 --ack 100"
BACKLOG: Final = 200_000
AUTO: Final = "--auto-ack"
TOPIC: Final = "--exchange-type topic --auto-ack"


class Workload(NamedTuple):
    """One row. `counted` ends by number of messages, `latency` counts microseconds: less is better."""

    name: str
    flags: str
    figure: str = CONSUMED
    counted: bool = False


WORKLOADS: Final = (
    Workload("auto-ack, transient", AUTO),
    Workload("ack each 100, prefetch 1000", "--prefetch 1000 --ack 100"),
    Workload("ack each, prefetch 300", "--prefetch 300 --ack 1"),
    Workload("transient, confirms, window 1000", f"--confirm 1000 {AUTO}"),
    Workload("durable, confirms, window 1000, ack/100", WINDOW),
    Workload("durable, confirms, window 10, ack each", f"{DURABLE} --confirm 10 --prefetch 10 --ack 1"),
    Workload(
        "4 producers, 4 consumers, 4 queues, durable", f"--producers 4 --consumers 4 --queues 4 {WINDOW}"
    ),
    Workload("latency at 1,000/s, transient", f"--rate 1000 {AUTO}", LATENCY),
    Workload("latency at 1,000/s, durable", f"--rate 1000 {DURABLE} --confirm 1000 --prefetch 100", LATENCY),
    Workload("fan-out to 10 queues", f"--exchange-type fanout --queues 10 --consumers 10 {AUTO}"),
    Workload("topic, 10 bindings, one key", f"{TOPIC} --bindings 10"),
    Workload("topic, 10 bindings, 10,000 keys", f"{TOPIC} --bindings 10 --keys 10000"),
    Workload("topic, 10,000 bindings, one key", f"{TOPIC} --bindings 10000"),
    Workload("topic, 10,000 bindings, 10,000 keys", f"{TOPIC} --bindings 10000 --keys 10000"),
    Workload("bodies of 100 KiB", f"--size 102400 {AUTO}"),
    Workload("100 producers, 1 consumer", f"--producers 100 {AUTO}"),
    Workload("1 producer, 100 consumers", f"--consumers 100 {AUTO}"),
    Workload("transactions of 100, durable", f"{DURABLE} --tx 100 {AUTO}"),
    Workload("polling with get", f"--rate 20000 --get {AUTO}"),
    Workload(
        f"backlog of {BACKLOG:,}: publish, durable",
        f"{DURABLE} --confirm 1000 --consumers 0 --count {BACKLOG} --name backlog --keep",
        PUBLISHED,
        True,
    ),
    Workload(
        f"backlog of {BACKLOG:,}: drain, ack/100",
        f"--durable --producers 0 --count {BACKLOG} --name backlog --prefetch 1000 --ack 100",
        CONSUMED,
        True,
    ),
)
