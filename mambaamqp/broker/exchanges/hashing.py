"""A number out of octets that is the same on every machine and after every start."""

from hashlib import blake2b
from typing import Final

DIGEST_BYTES: Final = 8
END: Final = 1 << 8 * DIGEST_BYTES
"""All numbers are below it."""


def number(octets: bytes, salt: bytes = b"") -> int:
    """0 to END - 1, evenly; another one for each salt."""
    return int.from_bytes(blake2b(octets, digest_size=DIGEST_BYTES, key=salt).digest(), "big")
