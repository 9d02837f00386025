"""Settings are copies of the configuration."""

import attrs

from mambaamqp.config import LimitsConfig, ProtocolConfig
from mambaamqp.session.settings import SessionSettings


def test_every_setting_is_a_key_of_the_configuration() -> None:
    """Same names, same units, same values: nothing is converted on the way."""
    protocol = ProtocolConfig(heartbeat_seconds=7, product="Other")
    limits = LimitsConfig(message_bytes_max=1234)

    settings = SessionSettings(protocol, limits)

    for section in (protocol, limits):
        for field in attrs.fields(type(section)):
            if hasattr(settings, field.name):
                assert getattr(settings, field.name) == getattr(section, field.name), field.name
    assert (settings.heartbeat_seconds, settings.product) == (7, "Other")
    assert settings.message_bytes_max == 1234
