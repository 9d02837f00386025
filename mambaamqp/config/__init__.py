"""The configuration: what can be set, from where it comes, and what is refused.

`sections` declares every key once, with default, bounds and help; `load` brings file, environment and
flags together; `describe` prints the declaration back. Refuses to know what any key does: it is a leaf
that every room may read.
"""

from mambaamqp.config.compatibility import Compatibility, CompatibilityConfig
from mambaamqp.config.load import ENVIRONMENT_PREFIX, load, parse
from mambaamqp.config.secret import Secret
from mambaamqp.config.sections import (
    AccessConfig,
    Config,
    LimitsConfig,
    ListenerConfig,
    LogConfig,
    PermissionConfig,
    ProtocolConfig,
    ServerConfig,
    StoreConfig,
    UserConfig,
    VhostConfig,
)

__all__ = [
    "ENVIRONMENT_PREFIX",
    "AccessConfig",
    "Compatibility",
    "CompatibilityConfig",
    "Config",
    "LimitsConfig",
    "ListenerConfig",
    "LogConfig",
    "PermissionConfig",
    "ProtocolConfig",
    "Secret",
    "ServerConfig",
    "StoreConfig",
    "UserConfig",
    "VhostConfig",
    "load",
    "parse",
]
