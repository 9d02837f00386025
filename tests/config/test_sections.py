"""mambaamqp.config.sections: defaults, bounds, and what belongs together."""

from pathlib import Path

import attrs
import pytest

from mambaamqp.config import (
    Config,
    LimitsConfig,
    ListenerConfig,
    PermissionConfig,
    ProtocolConfig,
    Secret,
    ServerConfig,
    UserConfig,
    VhostConfig,
    sections,
)
from mambaamqp.errors import ConfigError


def user(name: str) -> UserConfig:
    return UserConfig(name=name, password=Secret("x"))


def test_defaults_listen_on_this_machine_only() -> None:
    """Without any configuration: loopback, guest/guest, virtual host "/", a confirm means on disk."""
    config = Config()

    assert (config.listener.host, config.listener.port) == ("127.0.0.1", 5672)
    assert [(user.name, user.tags) for user in config.users] == [("guest", ("administrator",))]
    assert config.users[0].password == Secret("guest")
    assert [vhost.name for vhost in config.vhosts] == ["/"]
    assert config.access.loopback_users == ("guest",)
    assert config.store.sync == "always"


def test_default_user_may_do_everything_in_every_virtual_host() -> None:
    """Naming virtual hosts keeps guest's permissions, one row each."""
    config = Config(vhosts=[VhostConfig("a"), VhostConfig("b")])

    assert config.permissions == tuple(
        PermissionConfig(user="guest", vhost=vhost, configure=".*", write=".*", read=".*") for vhost in "ab"
    )


def test_users_of_ones_own_start_without_permissions() -> None:
    """Deny is the default: a user without a row may do nothing, and guest is gone."""
    config = Config(users=[user("kim")])

    assert config.permissions == ()
    assert [one.name for one in config.users] == ["kim"]


def test_changing_guests_password_takes_the_default_rows_away() -> None:
    """The default rows belong to the default user, not to whoever is called guest."""
    assert Config(users=[user("guest")]).permissions == ()


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"users": [user("kim"), user("kim")]}, "[[users]] name = 'kim': given twice"),
        ({"vhosts": [VhostConfig("a"), VhostConfig("a")]}, "[[vhosts]] name = 'a': given twice"),
        (
            {"permissions": [PermissionConfig("kim")]},
            "[[permissions]] user = 'kim': there is no such user in [[users]]",
        ),
        (
            {"permissions": [PermissionConfig("guest", vhost="x")]},
            "[[permissions]] vhost = 'x': there is no such name in [[vhosts]]",
        ),
        (
            {"permissions": [PermissionConfig("guest"), PermissionConfig("guest", read="x")]},
            "[[permissions]] user, vhost = ('guest', '/'): given twice",
        ),
    ],
)
def test_entries_must_fit_together(parts: dict[str, object], text: str) -> None:
    """Repeated names and rows that lead nowhere are refused by name."""
    with pytest.raises(ConfigError) as caught:
        Config(**parts)  # type: ignore[arg-type]

    assert str(caught.value) == text


def test_bounds_are_checked_whoever_builds_a_section() -> None:
    """Both ends are allowed, one beyond is refused with section, key and bounds."""
    assert ListenerConfig(port=0).port == 0
    assert ListenerConfig(port=65_535).port == 65_535
    with pytest.raises(ConfigError, match=r"\[listener\] port = 65536: must be between 0 and 65535"):
        ListenerConfig(port=65_536)
    with pytest.raises(ConfigError, match=r"\[protocol\] frame_bytes_max = 8191: must be between 8192"):
        ProtocolConfig(frame_bytes_max=8191)
    with pytest.raises(ConfigError, match="must be at least"):
        LimitsConfig(memory_high_watermark=float("nan"))


@pytest.mark.parametrize("name", ["", "x" * 256, "é" * 128, "a\nb", "a\0b"])
def test_names_are_short_and_printable(name: str) -> None:
    """A name fits a short string of the protocol and one line of a log."""
    with pytest.raises(ConfigError):
        VhostConfig(name)


def test_a_user_has_exactly_one_kind_of_password() -> None:
    """Neither, both, and a blank one are refused."""
    for passwords in ({}, {"password": Secret("a"), "password_hash": Secret("b")}, {"password": Secret("")}):
        with pytest.raises(ConfigError, match="'kim'"):
            UserConfig(name="kim", **passwords)  # type: ignore[arg-type]


def test_memory_mark_is_a_fraction_or_bytes() -> None:
    """Up to 1.0 it is a part of what there is, above it a number of bytes."""
    assert LimitsConfig(memory_high_watermark=0.5).memory_high_bytes(1000) == 500
    assert LimitsConfig(memory_high_watermark=1.0).memory_high_bytes(1000) == 1000
    assert LimitsConfig(memory_high_watermark=300e6).memory_high_bytes(1000) == 300_000_000


def test_data_dir_follows_the_platforms_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """No path is XDG_STATE_HOME, or the place under the home directory that it stands for."""
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("HOME", "/home/kim")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert ServerConfig().data_dir == Path("/state/mambaamqp")

    monkeypatch.delenv("XDG_STATE_HOME")
    assert ServerConfig(data_dir="").data_dir == Path("/home/kim/.local/state/mambaamqp")
    assert ServerConfig(data_dir="~/mq").data_dir == Path("/home/kim/mq")
    assert ServerConfig(data_dir="mq").data_dir == Path("mq")


def test_every_key_has_help_and_numbers_have_bounds() -> None:
    """Whoever adds a key explains it."""
    for section in (cls for cls in vars(sections).values() if isinstance(cls, type) and attrs.has(cls)):
        if section is not Config:
            for field in attrs.fields(section):
                assert field.metadata.get("help"), f"{section.__name__}.{field.name}"
