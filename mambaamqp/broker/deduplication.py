"""What makes two messages the same, and which are known already.

A message says in a header who it is, `x-deduplication-header` unless an argument names another one: text,
octets, a number or a truth value. Kept of it is a digest, so that what a client makes grow has a bound; text
and numbers that look alike are different. Refuses to know why a key comes and goes: a window
(`broker.window`) remembers what an exchange has routed, `broker.unique` what stands in a queue.
"""

from hashlib import blake2b
from typing import Final

from mambaamqp.wire.table import Table, Value

HEADER: Final = "x-deduplication-header"
TTL: Final = "x-cache-ttl"
"""A header too: how long a message's key counts, in milliseconds; before what the exchange says."""
TTL_MS_MAX: Final = 315_360_000_000
"""Ten years, as for every time span; who asks for more gets so much."""
DIGEST_BYTES: Final = 16
"""Of two different keys the same digest is not met with in this universe: no message is lost by it."""
FOR_EVER: Final = 1 << 62


def digest_of(value: Value) -> bytes:
    """What is kept of a key; empty for what is none (a list, a table, nothing)."""
    if isinstance(value, bool):
        octets = b"b%d" % value
    elif isinstance(value, int):
        octets = b"i%d" % value
    elif isinstance(value, float):
        octets = b"f" + repr(value).encode()
    elif isinstance(value, str):
        octets = b"s" + value.encode()
    elif isinstance(value, bytes):
        octets = b"s" + value
    else:
        return b""
    return blake2b(octets, digest_size=DIGEST_BYTES).digest()


def ttl_ms(headers: Table, default_ms: int) -> int:
    """How long the key of a message with these headers counts; -1 for ever."""
    value = headers.get(TTL) if TTL in headers else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return default_ms
    return min(value, TTL_MS_MAX)


class Keys:
    """Digests, and until when each counts (in milliseconds since 1970)."""

    def __init__(self) -> None:
        self.until: dict[bytes, int] = {}

    def has(self, digest: bytes, now_ms: int) -> bool:
        """Whether a key is known and still counts."""
        return self.until.get(digest, 0) > now_ms

    def put(self, digest: bytes, until_ms: int) -> None:
        """A key counts until then."""
        self.until[digest] = until_ms

    def forget(self, digest: bytes, until_ms: int) -> None:
        """Whoever brought a key until then has gone; a later one may have come meanwhile, which stays."""
        if self.until.get(digest) == until_ms:
            del self.until[digest]
