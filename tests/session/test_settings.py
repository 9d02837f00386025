"""Settings are copies of the configuration."""

from mambaamqp.config import LimitsConfig, ProtocolConfig
from mambaamqp.session.settings import SessionSettings


def test_every_setting_is_a_key_of_the_configuration() -> None:
    """Same names, same units, same values: nothing is converted on the way."""
    protocol = ProtocolConfig(heartbeat_seconds=7, product="Other")
    limits = LimitsConfig(message_bytes_max=1234)

    for name, value in vars(SessionSettings(protocol, limits)).items():
        source = protocol if hasattr(protocol, name) else limits
        assert value == getattr(source, name), name
