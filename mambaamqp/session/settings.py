"""What a session needs of the configuration, as plain attributes that compiled code reads quickly."""

from mambaamqp.config import LimitsConfig, ProtocolConfig


class SessionSettings:
    """The [protocol] and [limits] values of a session; names and units as in the configuration."""

    def __init__(self, protocol: ProtocolConfig, limits: LimitsConfig) -> None:
        self.frame_bytes_max = protocol.frame_bytes_max
        self.channel_max = protocol.channel_max
        self.heartbeat_seconds = protocol.heartbeat_seconds
        self.handshake_seconds = protocol.handshake_seconds
        self.login_failure_delay_seconds = protocol.login_failure_delay_seconds
        self.pre_login_bytes_max = protocol.pre_login_bytes_max
        self.pre_login_frame_bytes_max = protocol.pre_login_frame_bytes_max
        self.product = protocol.product
        self.version = protocol.version
        self.cluster_name = protocol.cluster_name
        self.information = protocol.information
        self.message_bytes_max = limits.message_bytes_max
        self.outbox_bytes_max = limits.outbox_bytes_max
        self.journal_pending_bytes_max = limits.journal_pending_bytes_max
        self.consumers_per_channel_max = limits.consumers_per_channel_max
        self.consumer_timeout_seconds = limits.consumer_timeout_seconds
        self.tx_operations_max = limits.tx_operations_max
        self.tx_bytes_max = limits.tx_bytes_max
        self.unconfirmed_max = limits.unconfirmed_max
