"""conf/: every example is a configuration that works, and says what it promises to."""

import os
from pathlib import Path

import pytest

from mambaamqp.access import Access, Credentials, User, authorize
from mambaamqp.config import Compatibility, Config, Secret, load
from mambaamqp.errors import AccessRefused

CONF = Path(__file__).parents[1] / "conf"
EXAMPLES = sorted(CONF.glob("*.toml"))


def example(name: str) -> tuple[Config, Access]:
    config = load(CONF / name)
    return config, Access.from_config(config)


def user(access: Access, name: str) -> User:
    found = access.users.get(name)
    assert found is not None
    return found


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_loads(path: Path) -> None:
    """Keys, values, patterns and hashes are all good, and the file says in a comment what it is for."""
    Access.check_config(load(path))

    assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_no_example_opens_the_default_user_to_the_network(path: Path) -> None:
    """Where guest is left, guest comes from this machine only."""
    config = load(path)

    if any(user.name == "guest" for user in config.users):
        assert "guest" in config.access.loopback_users


def test_the_passwords_in_the_examples_are_the_ones_they_name() -> None:
    """Both kinds of hash verify."""
    for name, users in {"strict.toml": ("gateway",), "many-users.toml": ("orders", "stock", "watch")}.items():
        _, access = example(name)
        for one in users:
            assert access.authenticate(Credentials(one, Secret("change-me")), False) is not None


def test_like_rabbitmq_4_3_is_strict_but_for_celery() -> None:
    """Its one switch goes before the profile."""
    config, _ = example("like-rabbitmq-4.3.toml")
    ways = Compatibility(config.compatibility)

    assert (ways.version(config.protocol.version), ways.refuses_version_1) == ("4.3.0", True)
    assert not ways.refuses_transient_queues


def test_strict_lets_each_user_do_its_own_thing_only() -> None:
    """The gateway publishes payments; the ledger consumes them; neither does the other's work."""
    config, access = example("strict.toml")
    gateway = access.actor(user(access, "gateway"), "payments")
    ledger = access.actor(user(access, "ledger"), "payments")

    authorize(gateway, "write", "exchange", "payments")
    authorize(ledger, "read", "queue", "payments.booking")
    authorize(ledger, "write", "exchange", "payments.failed")
    for actor, right, name in (
        (gateway, "read", "payments.booking"),
        (gateway, "configure", "payments.booking"),
        (ledger, "write", "payments"),
        (ledger, "configure", "payments.booking"),
    ):
        with pytest.raises(AccessRefused):
            authorize(actor, right, "queue", name)
    assert (config.store.sync, config.store.on_corruption) == ("always", "refuse")


def test_low_memory_stays_low() -> None:
    """What it allows at once fits the machine it is for."""
    limits = load(CONF / "low-memory.toml").limits

    assert limits.memory_high_bytes(128 * 1024 * 1024) == 80 * 1024 * 1024
    assert limits.message_bytes_max <= 1024 * 1024


def test_the_examples_are_text_without_surprises() -> None:
    """UTF-8, Unix line ends, no tabs, a line end at the end."""
    for path in EXAMPLES:
        content = path.read_bytes()
        assert content.decode()
        assert not set(content) & {0x09, 0x0D}
        assert content.endswith(b"\n")
        assert not os.access(path, os.X_OK)
