"""Passwords: hash them, verify them in one time whoever asks, remember for a while which were right.

Theory of operation. New hashes are argon2id; RabbitMQ's salted SHA-256 and SHA-512 are verified so that
its users can move here. Argon2 costs about 30 ms of CPU on purpose, so `verify` belongs in a worker
thread, and a thousand clients that reconnect at once must not pay it each: `VerifiedCache` keeps, for five
minutes, an HMAC of what was right under a key that lives only in this process. Every `verify` runs argon2
exactly once, against a dummy if need be, so that the time says nothing about whether a user exists or how
its password is hashed.

Refuses to know users' rights and where a login comes from. Nothing here prints or raises a password.
Sources: RFC 9106 and OWASP's figures (m = 19 MiB, t = 2, p = 1); RabbitMQ "Credentials and Passwords".
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable
from typing import Final

import argon2
import argon2.exceptions

from mambaamqp.access.users import User
from mambaamqp.config.secret import Secret
from mambaamqp.errors import ConfigError

__all__ = ["Secret", "VerifiedCache", "check_hash", "hash_password", "verify"]

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
LANES: Final = 1

MEMORY_KIB_MAX: Final = 1024 * 1024
PASSES_MAX: Final = 64
"""What a hash in the configuration may ask for: a mistyped one must not eat the machine at every login."""

SALT_BYTES: Final = 4
"""RabbitMQ's salt, in front of the digest."""

_HASHER: Final = argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
_DUMMY_HASH: Final = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43
"""Nobody's hash: verified against where there is nothing to verify."""

_SALTED: Final[dict[int, Callable[[bytes], "hashlib._Hash"]]] = {
    SALT_BYTES + 32: hashlib.sha256,
    SALT_BYTES + 64: hashlib.sha512,
}
"""Length of the decoded RabbitMQ hash → its function; its two algorithms differ in length."""


def hash_password(password: Secret) -> str:
    """The argon2id hash to keep, with parameters and salt in it. ValueError for a blank password."""
    if not password:
        raise ValueError("a blank password is refused")
    return _HASHER.hash(password.reveal())


def verify(password: Secret, password_hash: str | None) -> bool:
    """Whether `password` is the one hashed; None (no such user) and a blank password are never right.

    About 30 ms of CPU in every case, safe in any thread.
    """
    if password_hash is None or not password or not password_hash.startswith("$argon2"):
        right = password_hash is not None and bool(password) and _verify_salted(password, password_hash)
        _verify_argon2(password, _DUMMY_HASH)
        return right
    return _verify_argon2(password, password_hash)


def check_hash(password_hash: str) -> str:
    """`password_hash` itself if `verify` can use it; ConfigError, not naming the hash, if not."""
    if password_hash.startswith("$argon2"):
        _check_argon2(password_hash)
    elif len(_decode(password_hash)) not in _SALTED:
        raise ConfigError(
            "must be an argon2id hash, or base64 of RabbitMQ's salted SHA-256 or SHA-512 (MD5 is refused)"
        )
    return password_hash


def _check_argon2(password_hash: str) -> None:
    try:
        parameters = argon2.extract_parameters(password_hash)
    except argon2.exceptions.InvalidHashError:
        raise ConfigError("is not a well-formed argon2 hash") from None
    if parameters.memory_cost > MEMORY_KIB_MAX or parameters.time_cost > PASSES_MAX:
        raise ConfigError(f"asks for more than m={MEMORY_KIB_MAX} KiB or t={PASSES_MAX} passes at each login")


def _verify_argon2(password: Secret, password_hash: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password.reveal())
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def _verify_salted(password: Secret, password_hash: str) -> bool:
    octets = _decode(password_hash)
    function = _SALTED.get(len(octets))
    if function is None:
        return False
    salt, digest = octets[:SALT_BYTES], octets[SALT_BYTES:]
    return hmac.compare_digest(function(salt + password.reveal()).digest(), digest)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


class VerifiedCache:
    """Which (name, password) pairs were right lately: HMAC → user, for `ttl_seconds`.

    `add` may be called from any thread; `find` and `clear` from the main one only. An entry's time starts
    when the main thread first sees it. At most `entries_max` entries; the oldest goes first.
    """

    def __init__(self, *, ttl_seconds: float = 300.0, entries_max: int = 4096) -> None:
        self._ttl_seconds = ttl_seconds
        self._entries_max = entries_max
        self._key = secrets.token_bytes(32)
        self._fresh: deque[tuple[bytes, User]] = deque(maxlen=entries_max)
        self._entries: dict[bytes, tuple[User, float]] = {}

    def add(self, name: str, password: Secret, user: User) -> None:
        """Remember that `password` was right for `name`."""
        self._fresh.append((self._digest(name, password), user))

    def find(self, name: str, password: Secret, now: float) -> User | None:
        """The user this pair was right for; None if unknown or too long ago. `now` in monotonic seconds."""
        self._take_fresh(now)
        digest = self._digest(name, password)
        entry = self._entries.get(digest)
        if entry is None:
            return None
        user, until = entry
        if now >= until:
            del self._entries[digest]
            return None
        return user

    def clear(self) -> None:
        """Forget everything, and make whatever a thread is adding right now worthless."""
        self._key = secrets.token_bytes(32)
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def _take_fresh(self, now: float) -> None:
        while self._fresh:
            digest, user = self._fresh.popleft()
            self._entries.pop(digest, None)
            self._entries[digest] = (user, now + self._ttl_seconds)
        while len(self._entries) > self._entries_max:
            del self._entries[next(iter(self._entries))]

    def _digest(self, name: str, password: Secret) -> bytes:
        octets = name.encode(errors="surrogatepass")
        return hmac.digest(self._key, len(octets).to_bytes(4) + octets + password.reveal(), "sha256")
