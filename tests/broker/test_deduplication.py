"""mambaamqp/broker/deduplication.py: keys, and until when they count."""

from typing import Any

import pytest

from mambaamqp.broker.deduplication import DIGEST_BYTES, TTL_MS_MAX, Keys, digest_of, ttl_ms
from mambaamqp.wire.table import EMPTY, Table, Timestamp, encode_entries


def test_digests_are_small_and_different() -> None:
    """Whatever the key; octets are text without a name for it."""
    keys: list[Any] = ["", "1", "a", "a" * 100_000, 1, -1, 2**63, True, False, 1.0]
    digests = {digest_of(key) for key in keys}
    assert len(digests) == len(keys)
    assert {len(digest) for digest in digests} == {DIGEST_BYTES}
    assert digest_of(b"a") == digest_of("a")


@pytest.mark.parametrize("value", [None, ["a"], {"a": 1}, Timestamp(1)])
def test_what_is_no_key(value: Any) -> None:
    """Nothing that says who a message is."""
    assert digest_of(value) == b""


@pytest.mark.parametrize(
    ("value", "expected"), [(5, 5), (0, 0), (-1, 7), ("5", 7), (True, 7), (5.0, 7), (2**62, TTL_MS_MAX)]
)
def test_how_long_a_key_counts(value: Any, expected: int) -> None:
    """The message says it, if it says it well."""
    assert ttl_ms(Table(encode_entries({"x-cache-ttl": value})), 7) == expected
    assert ttl_ms(EMPTY, 7) == 7


def test_a_key_counts_until_its_time() -> None:
    """And the end of an earlier one does not end a later one."""
    keys = Keys()
    keys.put(b"a", 10)
    assert keys.has(b"a", 9)
    assert not keys.has(b"a", 10)
    assert not keys.has(b"b", 0)
    keys.put(b"a", 20)
    keys.forget(b"a", 10)
    assert keys.has(b"a", 19)
    keys.forget(b"a", 20)
    assert not keys.has(b"a", 0)
