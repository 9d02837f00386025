"""mambaamqp.access.passwords: hashes of both worlds, one time for all, a cache that forgets."""

import base64
import hashlib

import pytest

from mambaamqp.access import passwords
from mambaamqp.access.passwords import VerifiedCache, check_hash, hash_password, verify
from mambaamqp.access.users import User
from mambaamqp.config import Secret
from mambaamqp.errors import ConfigError

RABBITMQ_SHA256 = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
"""Salt 908DC60A, password test12: the example of RabbitMQ's documentation."""
RABBITMQ_SHA512 = base64.b64encode(b"salt" + hashlib.sha512(b"salttest12").digest()).decode()
RABBITMQ_MD5 = base64.b64encode(b"salt" + hashlib.md5(b"salttest12").digest()).decode()


@pytest.fixture(scope="module")
def argon2_hash() -> str:
    return hash_password(Secret("test12"))


def test_new_hashes_are_argon2id_with_our_parameters(argon2_hash: str) -> None:
    """OWASP's figures: 19 MiB, two passes, one lane; two hashes of one password differ."""
    assert argon2_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_password(Secret("test12")) != argon2_hash


def test_verify_knows_three_kinds_of_hash(argon2_hash: str) -> None:
    """argon2id, and RabbitMQ's salted SHA-256 and SHA-512."""
    for password_hash in (argon2_hash, RABBITMQ_SHA256, RABBITMQ_SHA512):
        assert verify(Secret("test12"), password_hash) is True
        assert verify(Secret("test13"), password_hash) is False


def test_verify_refuses_blank_passwords_and_absent_users(argon2_hash: str) -> None:
    """CVE-2014-3612 and its like: an empty password is never right, whatever the hash says."""
    blank = base64.b64encode(b"salt" + hashlib.sha256(b"salt").digest()).decode()

    assert verify(Secret(""), blank) is False
    assert verify(Secret(""), argon2_hash) is False
    assert verify(Secret("test12"), None) is False


def test_verify_of_a_broken_hash_is_false() -> None:
    """What cannot be read lets nobody in, and raises nothing."""
    for broken in ("", "x", "$argon2id$", "$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA", RABBITMQ_MD5):
        assert verify(Secret("test12"), broken) is False


@pytest.mark.parametrize("password_hash", [None, RABBITMQ_SHA256, "argon2", "broken"])
def test_every_verify_costs_one_argon2(
    monkeypatch: pytest.MonkeyPatch, argon2_hash: str, password_hash: str | None
) -> None:
    """The time of an answer says nothing about whether the user exists or how it is hashed."""
    costs = []
    real = passwords._verify_argon2
    monkeypatch.setattr(passwords, "_verify_argon2", lambda *parts: costs.append(1) or real(*parts))

    verify(Secret("test12"), argon2_hash if password_hash == "argon2" else password_hash)

    assert costs == [1]


def test_the_dummy_costs_what_a_real_hash_costs(argon2_hash: str) -> None:
    """The dummy has the parameters of today's hashes and is readable, or it would return at once."""
    assert passwords._DUMMY_HASH.split("$")[:4] == argon2_hash.split("$")[:4]
    assert check_hash(passwords._DUMMY_HASH) == passwords._DUMMY_HASH
    with pytest.raises(passwords.argon2.exceptions.VerifyMismatchError):
        passwords._HASHER.verify(passwords._DUMMY_HASH, b"x")


@pytest.mark.parametrize(
    ("password_hash", "text"),
    [
        (RABBITMQ_MD5, "MD5 is refused"),
        ("hunter2", "must be an argon2id hash"),
        ("$argon2id$v=19$nonsense", "not a well-formed argon2 hash"),
        ("$argon2id$v=19$m=9999999,t=2,p=1$" + "A" * 22 + "$" + "A" * 43, "asks for more than"),
        ("$argon2id$v=19$m=19456,t=9999,p=1$" + "A" * 22 + "$" + "A" * 43, "asks for more than"),
    ],
)
def test_unusable_hashes_are_refused_without_being_repeated(password_hash: str, text: str) -> None:
    """A hash that could never be verified, or only at a ruinous price, is a mistake in the configuration."""
    with pytest.raises(ConfigError, match=text) as caught:
        check_hash(password_hash)

    assert password_hash not in str(caught.value)


def test_blank_passwords_are_not_hashed() -> None:
    """There is no hash of nothing."""
    with pytest.raises(ValueError, match="blank"):
        hash_password(Secret(""))


KIM = User("kim", "h")


def test_cache_finds_what_was_right() -> None:
    """The pair that was added is found; another password or name is not."""
    cache = VerifiedCache()
    cache.add("kim", Secret("a"), KIM)

    assert cache.find("kim", Secret("a"), 0.0) is KIM
    assert cache.find("kim", Secret("b"), 0.0) is None
    assert cache.find("ki", Secret("ma"), 0.0) is None


def test_cache_forgets_after_its_time() -> None:
    """Five minutes after the first look the password is hashed again."""
    cache = VerifiedCache(ttl_seconds=300)
    cache.add("kim", Secret("a"), KIM)

    assert cache.find("kim", Secret("a"), 1000.0) is KIM
    assert cache.find("kim", Secret("a"), 1299.9) is KIM
    assert cache.find("kim", Secret("a"), 1300.0) is None
    assert len(cache) == 0


def test_cache_is_bounded_and_drops_the_oldest() -> None:
    """As many entries as said, never more."""
    cache = VerifiedCache(entries_max=2)
    for password in "abc":
        cache.add("kim", Secret(password), KIM)
        cache.find("kim", Secret("x"), 0.0)

    assert len(cache) == 2
    assert cache.find("kim", Secret("a"), 0.0) is None
    assert cache.find("kim", Secret("c"), 0.0) is KIM


def test_clear_outdates_what_a_thread_adds_meanwhile() -> None:
    """A password verified before a change does not count after it."""
    cache = VerifiedCache()
    cache.add("kim", Secret("a"), KIM)
    cache.clear()

    assert cache.find("kim", Secret("a"), 0.0) is None


def test_cache_holds_no_password() -> None:
    """A dump of the cache shows digests, each under this process's own key."""
    one, other = VerifiedCache(), VerifiedCache()
    for cache in (one, other):
        cache.add("kim", Secret("swordfish"), KIM)
        cache.find("kim", Secret("x"), 0.0)

    assert b"swordfish" not in b"".join(one._entries)
    assert set(one._entries) != set(other._entries)
