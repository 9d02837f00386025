"""mambaamqp/config/compatibility.py: what a profile says, and what overrides it."""

import pytest

from mambaamqp.config import Compatibility, CompatibilityConfig, Config, parse
from mambaamqp.config.compatibility import (
    MESSAGE_BYTES_MAX_DEFAULT,
    PROFILES,
    VERSION_DEFAULT,
)
from mambaamqp.errors import ConfigError


def test_permissive_is_the_default() -> None:
    """So that nobody who configures nothing is refused anything."""
    ways = Compatibility(Config().compatibility)
    assert ways.profile == "permissive"
    assert ways.shares_prefetch
    assert not ways.refuses_transient_queues


@pytest.mark.parametrize("profile", PROFILES)
def test_a_switch_goes_before_the_profile(profile: str) -> None:
    """Each by itself."""
    given = {
        "profile": profile,
        "transient_queues": "refuse",
        "global_prefetch": "per-consumer",
        "unknown_exchange_type": "503",
        "consumer_timeout": "close",
        "queue_version_1": "refuse",
        "queue_master_locator": "refuse",
        "frame_bytes_min": "8192",
        "client_x_death": "honour",
        "nacks": "count",
        "quorum_delivery_limit": "7",
    }
    ways = Compatibility(parse({"compatibility": given}, "test").compatibility)
    assert (ways.refuses_transient_queues, ways.shares_prefetch) == (True, False)
    assert (ways.unknown_exchange_type_code, ways.consumer_timeout) == (503, "close")
    assert (ways.refuses_version_1, ways.refuses_master_locator) == (True, True)
    assert (ways.frame_bytes_min, ways.quorum_delivery_limit) == (8192, 7)
    assert (ways.honours_client_deaths, ways.counts_nacks) == (True, True)


@pytest.mark.parametrize("key", ["profile", "transient_queues", "frame_bytes_min", "quorum_delivery_limit"])
def test_a_value_that_is_none_is_refused(key: str) -> None:
    """With the key's name."""
    with pytest.raises(ConfigError, match=rf"\[compatibility\] {key} = 'nonsense': must be"):
        parse({"compatibility": {key: "nonsense"}}, "test")


def test_what_somebody_has_chosen_stays() -> None:
    """A version or a limit of one's own goes before the profile's."""
    ways = Compatibility(CompatibilityConfig(profile="rabbitmq-3.13"))
    assert (ways.version(VERSION_DEFAULT), ways.version("3.12.0")) == ("3.13.7", "3.12.0")
    assert ways.message_bytes_max(MESSAGE_BYTES_MAX_DEFAULT) == 128 * 1024 * 1024
    assert ways.message_bytes_max(1000) == 1000
