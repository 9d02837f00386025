"""Which RabbitMQ the broker is like where RabbitMQs differ: a profile, and switches that override it.

Source of the profiles: RabbitMQ 3.13.7, 4.2.0 and 4.3.0; docs/compatibility.md has them as a table.
"""

from typing import Any, ClassVar, Final, Literal

import attrs

from mambaamqp.config.fields import choice, refuse, text

PERMISSIVE: Final = "permissive"
PROFILES: Final = (PERMISSIVE, "rabbitmq-3.13", "rabbitmq-4.2", "rabbitmq-4.3")

PROFILE: Final = "profile"
"""What a switch says that leaves it to the profile."""
ALLOW: Final = "allow"
REFUSE: Final = "refuse"
SHARED: Final = "shared"
PER_CONSUMER: Final = "per-consumer"
CANCEL: Final = "cancel"
CLOSE: Final = "close"
QUORUM_ONLY: Final = "quorum-only"
IGNORE: Final = "ignore"
HONOUR: Final = "honour"
COUNT: Final = "count"
NONE: Final = "none"

MIB: Final = 1024 * 1024
VERSION_DEFAULT: Final = "4.2.0"
"""Of [protocol]: it is what another profile replaces."""
MESSAGE_BYTES_MAX_DEFAULT: Final = 16 * MIB
"""Of [limits], likewise."""

ProfileName = Literal["permissive", "rabbitmq-3.13", "rabbitmq-4.2", "rabbitmq-4.3"]


def _delivery_limit(instance: Any, attribute: "attrs.Attribute[Any]", value: str) -> None:
    if value not in (PROFILE, NONE) and not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise refuse(instance, attribute, f"must be {PROFILE}, {NONE} or a number")


def _switch(help: str, *choices: str) -> Any:
    return choice(PROFILE, help, (PROFILE, *choices))


@attrs.frozen
class CompatibilityConfig:
    """Which RabbitMQ to be like, where they differ."""

    SECTION: ClassVar[str] = "compatibility"

    profile: ProfileName = choice(
        PERMISSIVE,
        '"permissive" refuses least; "rabbitmq-3.13", "rabbitmq-4.2" and "rabbitmq-4.3" do as those do. It '
        "sets protocol.version and limits.message_bytes_max too, where these have their defaults. Each key "
        'below overrides it, and is "profile" otherwise.',
        PROFILES,
    )
    transient_queues: str = _switch(
        'Shared queues that are not durable: "allow", or "refuse" with 541 as 4.3 does.', ALLOW, REFUSE
    )
    global_prefetch: str = _switch(
        'basic.qos with global: "shared" by the channel, or "per-consumer" as 4.3 takes it.',
        SHARED,
        PER_CONSUMER,
    )
    unknown_exchange_type: str = _switch(
        'The code for a type of exchange that does not exist: "406", or "503" as before 3.13.7.', "406", "503"
    )
    consumer_timeout: str = _switch(
        'What ends a delivery that nobody acknowledges in time: "cancel" its consumer, "close" its channel, '
        'or "quorum-only": cancel consumers of quorum queues, and leave others alone.',
        CANCEL,
        CLOSE,
        QUORUM_ONLY,
    )
    queue_version_1: str = _switch('x-queue-version = 1: "allow", or "refuse" with 406.', ALLOW, REFUSE)
    queue_master_locator: str = _switch(
        'x-queue-master-locator of classic queues: "allow", or "refuse" with 541.', ALLOW, REFUSE
    )
    frame_bytes_min: str = _switch('The least frame_max a client may want: "4096" or "8192".', "4096", "8192")
    client_x_death: str = _switch(
        'An x-death that a client sends: "ignore" it, or "honour" it as history of a dead letter.',
        IGNORE,
        HONOUR,
    )
    nacks: str = _switch(
        'Requeues by basic.nack: "count" towards the delivery limit, or "ignore" them there.', COUNT, IGNORE
    )
    quorum_delivery_limit: str = text(
        PROFILE, 'Of quorum queues that ask for none: a number, or "none".', validator=_delivery_limit
    )


COLUMNS: Final[dict[str, tuple[str, str, str, str]]] = {
    "transient_queues": (ALLOW, ALLOW, ALLOW, REFUSE),
    "global_prefetch": (SHARED, SHARED, SHARED, PER_CONSUMER),
    "unknown_exchange_type": ("406", "406", "406", "406"),
    "consumer_timeout": (CANCEL, CLOSE, CLOSE, QUORUM_ONLY),
    "queue_version_1": (ALLOW, ALLOW, ALLOW, REFUSE),
    "queue_master_locator": (ALLOW, ALLOW, ALLOW, REFUSE),
    "frame_bytes_min": ("4096", "4096", "8192", "8192"),
    "client_x_death": (IGNORE, HONOUR, IGNORE, IGNORE),
    "nacks": (IGNORE, COUNT, COUNT, IGNORE),
    "quorum_delivery_limit": ("20", NONE, "20", "20"),
}
"""Switch → what each profile says, in the order of PROFILES."""

_VERSIONS: Final = (VERSION_DEFAULT, "3.13.7", "4.2.0", "4.3.0")
_MESSAGE_BYTES_MAX: Final = (MESSAGE_BYTES_MAX_DEFAULT, 128 * MIB, 16 * MIB, 16 * MIB)


class Compatibility:
    """The profile with its overrides, as plain attributes that compiled code reads quickly."""

    def __init__(self, config: CompatibilityConfig | None = None) -> None:
        config = CompatibilityConfig() if config is None else config
        place = PROFILES.index(config.profile)
        self.profile: str = config.profile
        self.refuses_transient_queues = _chosen("transient_queues", config.transient_queues, place) == REFUSE
        self.shares_prefetch = _chosen("global_prefetch", config.global_prefetch, place) == SHARED
        code = _chosen("unknown_exchange_type", config.unknown_exchange_type, place)
        self.unknown_exchange_type_code = int(code)
        self.consumer_timeout = _chosen("consumer_timeout", config.consumer_timeout, place)
        self.refuses_version_1 = _chosen("queue_version_1", config.queue_version_1, place) == REFUSE
        locator = _chosen("queue_master_locator", config.queue_master_locator, place)
        self.refuses_master_locator = locator == REFUSE
        self.frame_bytes_min = int(_chosen("frame_bytes_min", config.frame_bytes_min, place))
        self.honours_client_deaths = _chosen("client_x_death", config.client_x_death, place) == HONOUR
        self.counts_nacks = _chosen("nacks", config.nacks, place) == COUNT
        limit = _chosen("quorum_delivery_limit", config.quorum_delivery_limit, place)
        self.quorum_delivery_limit: int | None = None if limit == NONE else int(limit)
        self._version: str = _VERSIONS[place]
        self._message_bytes_max: int = _MESSAGE_BYTES_MAX[place]

    def version(self, configured: str) -> str:
        """What is announced: a version of [protocol] that is not the default goes before the profile's."""
        return self._version if configured == VERSION_DEFAULT else configured

    def message_bytes_max(self, configured: int) -> int:
        """The largest message: a limit of [limits] that is not the default goes before the profile's."""
        return self._message_bytes_max if configured == MESSAGE_BYTES_MAX_DEFAULT else configured


def _chosen(switch: str, value: str, place: int) -> str:
    return COLUMNS[switch][place] if value == PROFILE else value
