"""Octets that are right, for each target: what the changes and the guided search start from."""

from typing import Final

from pamqp import commands, frame

from mambaamqp.store import records
from mambaamqp.store.log_format import BATCH, EPOCH_BYTES, pack_frame
from mambaamqp.wire import properties
from mambaamqp.wire.table import encode_entries
from tests.broker.selectors import terms
from tests.support.client import publish_octets

TABLE: Final = encode_entries(
    {"n": -1, "text": "é", "raw": b"\x00", "list": [True, None, {"deep": 1.5}], "table": {"a": [2**40]}}
)
RECORDS: Final = (
    records.queue_declare(1, "/", "q", False, TABLE, 1)
    + records.publish_one(False, 0, 1, 1, 0, False, b"\0\1q", b"content")
    + records.settle(1, [(1, 1)])
)
FRAME: Final = pack_frame(BATCH, EPOCH_BYTES, 1, 0, 1, len(RECORDS), [RECORDS])[0] + RECORDS
METHODS: Final = (
    commands.Queue.Declare(queue="q", durable=True, arguments={"x-max-length": 5}),
    commands.Basic.Consume(queue="q", consumer_tag="c", arguments={"x-priority": 3}),
    commands.Basic.Qos(prefetch_count=3),
    commands.Connection.StartOk(mechanism="PLAIN", response="\0guest\0guest"),
)
A: Final = ("ident", "a")
SELECTORS: Final = (
    ("and", ("=", A, 1.5), ("not", ("or", ("is_null", A), True))),
    ("like", ("ident", "b"), "a!%_%", "!"),
    ("not_between", ("/", ("-", A), 0), 1, ("*", A, ("ident", "b"))),
    ("in", ("ident", "b"), ["a", 'b"\\']),
)
START: Final = frame.marshal(METHODS[3], 0) + frame.marshal(commands.Connection.TuneOk(10, 8192, 0), 0)
SEEDS: Final[dict[str, tuple[bytes, ...]]] = {
    "table": (TABLE,),
    "method": tuple(frame.marshal(method, 1)[7:-1] for method in METHODS),
    "properties": (
        properties.encode({"headers": {"a": [1, {"b": "c"}]}, "priority": 3, "expiration": "10"}, 5),
        properties.encode({"delivery_mode": 2, "message_id": "m", "timestamp": 1, "user_id": "guest"}, 0),
    ),
    "topic": (b"a.*.#\n#.b\n*\na.b.c", b"#.#.#\n.\n\na..b"),
    "pattern": (b"^(a|b)*[c-d]{2,3}$", b"amq\\..*"),
    "selector": tuple(terms.text(term).encode("latin-1") for term in SELECTORS),
    "body": (RECORDS,),
    "segment": (FRAME, FRAME * 2),
    "frames": (bytes((0, 0, len(RECORDS), 0)) + RECORDS,),
    "stranger": (START + frame.marshal(commands.Connection.Open("/"), 0),),
    "customer": (
        frame.marshal(METHODS[0], 1) + publish_octets(b"body", "q") + frame.marshal(METHODS[1], 1),
        frame.marshal(commands.Tx.Select(), 1)
        + publish_octets(b"", "q")
        + frame.marshal(commands.Tx.Commit(), 1),
    ),
}
