"""What a session needs of the configuration, as plain attributes that compiled code reads quickly."""

from mambaamqp.config import Compatibility, LimitsConfig, ProtocolConfig


class SessionSettings:
    """The [protocol] and [limits] values of a session, as the profile has them; names and units as there."""

    def __init__(
        self, protocol: ProtocolConfig, limits: LimitsConfig, compatibility: Compatibility | None = None
    ) -> None:
        ways = Compatibility() if compatibility is None else compatibility
        self.frame_bytes_max = protocol.frame_bytes_max
        self.channel_max = protocol.channel_max
        self.heartbeat_seconds = protocol.heartbeat_seconds
        self.handshake_seconds = protocol.handshake_seconds
        self.login_failure_delay_seconds = protocol.login_failure_delay_seconds
        self.pre_login_bytes_max = protocol.pre_login_bytes_max
        self.pre_login_frame_bytes_max = protocol.pre_login_frame_bytes_max
        self.product = protocol.product
        self.version = ways.version(protocol.version)
        self.cluster_name = protocol.cluster_name
        self.information = protocol.information
        self.message_bytes_max = ways.message_bytes_max(limits.message_bytes_max)
        self.outbox_bytes_max = limits.outbox_bytes_max
        self.journal_pending_bytes_max = limits.journal_pending_bytes_max
        self.consumers_per_channel_max = limits.consumers_per_channel_max
        self.consumer_timeout_seconds = limits.consumer_timeout_seconds
        self.tx_operations_max = limits.tx_operations_max
        self.tx_bytes_max = limits.tx_bytes_max
        self.unconfirmed_max = limits.unconfirmed_max
        self.frame_bytes_min = ways.frame_bytes_min
        self.shares_prefetch = ways.shares_prefetch
        self.consumer_timeout = ways.consumer_timeout
        self.counts_nacks = ways.counts_nacks
