"""Every key of the configuration, declared once: type, default, bounds, help; the unit ends its name.

One attrs class per section of the file; the class attribute `SECTION` is the section's name there. Refuses
to know where values come from (`config.load`) and what they do. A value out of bounds raises ConfigError
naming section and key, whoever builds the section.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import attrs

from mambaamqp.config.compatibility import (
    MESSAGE_BYTES_MAX_DEFAULT,
    VERSION_DEFAULT,
    CompatibilityConfig,
)
from mambaamqp.config.fields import choice, number, refuse, text
from mambaamqp.config.secret import Secret
from mambaamqp.errors import ConfigError

MIB: Final = 1024 * 1024

FRAME_BYTES_MIN: Final = 8192
"""The least frame_max RabbitMQ 4.1 negotiates; the standard says 4096, see [compatibility]."""
MESSAGE_BYTES_HARD_MAX: Final = 512 * MIB
"""RabbitMQ's own hard limit, which clients assume."""
U16_MAX: Final = 65_535
U31_MAX: Final = 2_147_483_647

SyncPolicy = Literal["always", "interval", "never"]
CorruptionPolicy = Literal["quarantine", "refuse"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]


CONTROL_SOCKET: Final = "control.sock"
"""In the data directory."""


def default_data_dir() -> Path:
    """Where the store lives when nobody says: one rule for every account, root included.

    `$XDG_STATE_HOME/mambaamqp`, else `~/.local/state/mambaamqp`; on Windows `%LOCALAPPDATA%\\mambaamqp`.
    """
    state_home = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(state_home) if state_home else Path.home() / ".local" / "state") / "mambaamqp"


def _data_dir(value: str | Path) -> Path:
    """No text is the default place, a leading ~ the home directory."""
    return Path(value).expanduser() if str(value) not in ("", ".") else default_data_dir()


def _texts(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


def _name(instance: Any, attribute: "attrs.Attribute[Any]", value: str) -> None:
    if not value or len(value.encode()) > 255 or any(ord(character) < 32 for character in value):
        raise refuse(instance, attribute, "must be 1 to 255 bytes of UTF-8 without control characters")


@attrs.frozen
class ServerConfig:
    """The process: where its data is, how it stops."""

    SECTION: ClassVar[str] = "server"

    data_dir: Path = attrs.field(
        default=Path(),
        converter=_data_dir,
        metadata={
            "help": 'The journal\'s directory, made with mode 0700 if absent. "" is '
            "$XDG_STATE_HOME/mambaamqp, else ~/.local/state/mambaamqp. One broker per directory."
        },
    )
    shutdown_seconds: float = number(
        5.0,
        "How long a stop waits for clients to answer connection.close before it drops them.",
        least=0,
        most=3600,
    )


@attrs.frozen
class ListenerConfig:
    """The door: where clients connect."""

    SECTION: ClassVar[str] = "listener"

    host: str = text(
        "127.0.0.1",
        'Address to listen on, or several, separated by commas; "0.0.0.0" or "::" for all. The default is '
        "this machine only; some clients try ::1 first.",
    )
    port: int = number(5672, "TCP port; 0 takes a free one and prints it.", least=0, most=U16_MAX)
    backlog: int = number(
        1024, "Connections the kernel holds before they are accepted.", least=1, most=U16_MAX
    )
    connections_max: int = number(
        10_000, "Open connections in all; one more is closed at once.", least=1, most=1_000_000
    )
    connections_pre_login_max: int = number(
        256,
        "Connections that have not finished the handshake; one more waits in the kernel's backlog.",
        least=1,
        most=U16_MAX,
    )


@attrs.frozen
class ProtocolConfig:
    """What the handshake offers, and how much a stranger may cost."""

    SECTION: ClassVar[str] = "protocol"

    frame_bytes_max: int = number(
        131_072,
        "Largest frame, offered in connection.tune; a larger one is 501.",
        least=FRAME_BYTES_MIN,
        most=U31_MAX,
    )
    channel_max: int = number(
        2047,
        "Highest channel number, offered in connection.tune; a higher one is 530.",
        least=1,
        most=U16_MAX,
    )
    heartbeat_seconds: int = number(
        60,
        "Heartbeat offered in connection.tune, 0 for none; the client's answer counts.",
        least=0,
        most=U16_MAX,
    )
    handshake_seconds: float = number(
        10.0, "Time from TCP accept to connection.open; then the socket is closed.", least=0.1, most=3600
    )
    login_failure_delay_seconds: float = number(
        3.0, "How long a refused login waits for its answer.", least=0, most=60
    )
    pre_login_bytes_max: int = number(
        65_536,
        "Bytes a peer may send before connection.open; more is 501.",
        least=FRAME_BYTES_MIN,
        most=16 * MIB,
    )
    pre_login_frame_bytes_max: int = number(
        8192, "Largest frame before connection.tune-ok; a larger one is 501.", least=4096, most=131_072
    )
    product: str = text(
        "RabbitMQ",
        "Announced to clients. Celery and others choose what they do by it; leave it unless you know.",
    )
    version: str = text(VERSION_DEFAULT, "Announced to clients, and read by them as a RabbitMQ version.")
    cluster_name: str = text("mambaamqp", "Announced to clients.")
    information: str = text("mambaamqp, an AMQP 0-9-1 broker in Python", "Announced to clients.")


@attrs.frozen
class LimitsConfig:
    """How much anything may take; docs/limits.md says what happens beyond."""

    SECTION: ClassVar[str] = "limits"

    message_bytes_max: int = number(
        MESSAGE_BYTES_MAX_DEFAULT,
        "Largest message body; a larger one is 406.",
        least=0,
        most=MESSAGE_BYTES_HARD_MAX,
    )
    outbox_bytes_max: int = number(
        MIB,
        "Bytes waiting for one slow client; beyond, nothing more is delivered to it.",
        least=65_536,
        most=1024 * MIB,
    )
    backlog_memory_bytes: int = number(
        128 * MIB,
        "Memory for messages that wait; beyond, what is far from the front is on disk only.",
        least=0,
        most=1 << 50,
    )
    unconfirmed_max: int = number(
        100_000,
        "Publishes of one channel waiting for a confirm; beyond, the connection is not read.",
        least=1,
    )
    journal_pending_bytes_max: int = number(
        64 * MIB,
        "Bytes handed to the journal and not yet on disk; beyond, connections that publish are not read.",
        least=MIB,
        most=4096 * MIB,
    )
    consumers_per_channel_max: int = number(1024, "Consumers of one channel; one more is 530.", least=1)
    consumer_timeout_seconds: float = number(
        1800.0,
        "Time for the acknowledgement of a delivery; then the consumer is cancelled. 0: no limit.",
        least=0,
        most=315_360_000,
    )
    tx_operations_max: int = number(
        100_000, "Publishes and acknowledgements in one transaction; one more is 406.", least=1
    )
    tx_bytes_max: int = number(
        256 * MIB, "Bytes of message bodies in one transaction; more is 406.", least=0, most=4096 * MIB
    )
    queues_per_vhost_max: int = number(100_000, "Queues of one virtual host; one more is 406.", least=1)
    exchanges_per_vhost_max: int = number(10_000, "Exchanges of one virtual host; one more is 406.", least=1)
    bindings_per_vhost_max: int = number(1_000_000, "Bindings of one virtual host; one more is 406.", least=1)
    memory_high_watermark: float = number(
        0.6,
        "Memory at which publishers are blocked: up to 1.0 a fraction of the machine's (or cgroup's), above"
        " it bytes.",
        least=0.01,
    )
    disk_free_bytes_min: int = number(
        50_000_000, "Free bytes on the data directory's disk below which publishers are blocked.", least=0
    )

    def memory_high_bytes(self, available_bytes: int) -> int:
        """The memory alarm's mark in bytes on a machine (or cgroup) with `available_bytes`."""
        mark = self.memory_high_watermark
        return int(mark * available_bytes) if mark <= 1.0 else int(mark)


@attrs.frozen
class StoreConfig:
    """The journal: when it syncs, how it is cut, what it does about damage."""

    SECTION: ClassVar[str] = "store"

    sync: SyncPolicy = choice(
        "always",
        '"always": a confirm means on disk. "interval" and "never" give that up for speed; the log says so.',
        ("always", "interval", "never"),
    )
    sync_interval_seconds: float = number(
        0.2, 'With sync = "interval": at most this much is lost in a power cut.', least=0.001, most=60
    )
    segment_bytes: int = number(
        64 * MIB,
        "Size of one journal file. Room is given back a whole file at a time.",
        least=MIB,
        most=1024 * MIB,
    )
    on_corruption: CorruptionPolicy = choice(
        "quarantine",
        '"quarantine": put damaged parts aside, report, serve the rest. "refuse": do not start.',
        ("quarantine", "refuse"),
    )


@attrs.frozen
class DefinitionsConfig:
    """What RabbitMQ's definitions say, taken over at every start."""

    SECTION: ClassVar[str] = "definitions"

    file: str = text(
        "",
        'RabbitMQ\'s definitions.json, as `rabbitmqctl export_definitions` writes it; "" for none.',
    )


@attrs.frozen
class ControlConfig:
    """The door for `mambaamqp ctl`, for the broker's own account and root only."""

    SECTION: ClassVar[str] = "control"

    socket: str = text(
        "",
        'Unix-domain socket of `mambaamqp ctl`; "" is control.sock in the data directory, "off" none.',
    )

    def socket_path(self, data_dir: Path) -> Path | None:
        """Where the socket is; None: there is none."""
        if self.socket == "off":
            return None
        return Path(self.socket).expanduser() if self.socket else data_dir / CONTROL_SOCKET


def _mechanisms(instance: Any, attribute: "attrs.Attribute[Any]", value: tuple[str, ...]) -> None:
    unknown = [mechanism for mechanism in value if mechanism not in ("PLAIN", "AMQPLAIN")]
    if not value or unknown:
        raise refuse(instance, attribute, "must be a list out of PLAIN, AMQPLAIN")


@attrs.frozen
class AccessConfig:
    """Who may come in, and from where."""

    SECTION: ClassVar[str] = "access"

    loopback_users: tuple[str, ...] = attrs.field(
        default=("guest",),
        converter=_texts,
        metadata={"help": "Users that may log in from this machine only, by the peer's address."},
    )
    mechanisms: tuple[str, ...] = attrs.field(
        default=("PLAIN", "AMQPLAIN"),
        converter=_texts,
        validator=_mechanisms,
        metadata={"help": "SASL mechanisms on offer; what is not in the list is refused."},
    )


@attrs.frozen
class LogConfig:
    """What is logged, to standard error."""

    SECTION: ClassVar[str] = "log"

    level: LogLevel = choice(
        "info", "Least severe record that is written.", ("debug", "info", "warning", "error")
    )
    format: LogFormat = choice(
        "text", '"text": a line for people. "json": an object a line, for collectors.', ("text", "json")
    )


TAGS: Final = ("administrator", "monitoring", "policymaker", "management", "impersonator")


def _tags(instance: Any, attribute: "attrs.Attribute[Any]", value: tuple[str, ...]) -> None:
    if any(tag not in TAGS for tag in value):
        raise refuse(instance, attribute, f"must be a list out of {', '.join(TAGS)}")


@attrs.frozen
class UserConfig:
    """Somebody who may log in: a name, and a password or the hash of one."""

    SECTION: ClassVar[str] = "[users]"

    name: str = attrs.field(validator=_name, metadata={"help": "The name to log in with."})
    password: Secret | None = attrs.field(
        default=None, metadata={"help": "The password itself; prefer password_hash. Not blank."}
    )
    password_hash: Secret | None = attrs.field(
        default=None,
        metadata={
            "help": "argon2id as `mambaamqp hash-password` prints it, or RabbitMQ's salted SHA-256 or -512."
        },
    )
    tags: tuple[str, ...] = attrs.field(
        default=(),
        converter=_texts,
        validator=_tags,
        metadata={"help": "administrator, impersonator, … or none."},
    )

    def __attrs_post_init__(self) -> None:
        if (self.password is None) == (self.password_hash is None):
            raise ConfigError(f"[[users]] {self.name!r}: give either password or password_hash")
        if not (self.password or self.password_hash):
            raise ConfigError(f"[[users]] {self.name!r}: a blank password is refused")


@attrs.frozen
class VhostConfig:
    """A virtual host: a world of exchanges and queues of its own."""

    SECTION: ClassVar[str] = "[vhosts]"

    name: str = attrs.field(
        validator=_name, metadata={"help": 'What clients name in connection.open; "/" is usual.'}
    )
    tracing: bool = attrs.field(
        default=False,
        metadata={
            "help": "Copy every publish, delivery and acknowledgement to amq.rabbitmq.trace; whoever may "
            "read that exchange reads everything."
        },
    )


@attrs.frozen
class PermissionConfig:
    """What one user may do in one virtual host. Without a row the user may not open it."""

    SECTION: ClassVar[str] = "[permissions]"

    user: str = attrs.field(validator=_name, metadata={"help": "A name out of [[users]]."})
    vhost: str = attrs.field(default="/", validator=_name, metadata={"help": "A name out of [[vhosts]]."})
    configure: str = attrs.field(
        default="",
        metadata={"help": 'Regular expression for names the user may declare and delete; "" is none.'},
    )
    write: str = attrs.field(default="", metadata={"help": "… may publish to, and bind to."})
    read: str = attrs.field(default="", metadata={"help": "… may consume, get and purge, and bind from."})


def _default_users() -> tuple[UserConfig, ...]:
    return (UserConfig(name="guest", password=Secret("guest"), tags=("administrator",)),)


def _default_vhosts() -> tuple[VhostConfig, ...]:
    return (VhostConfig(name="/"),)


@attrs.frozen
class Config:
    """The whole configuration. Without any: guest/guest, virtual host "/", this machine only.

    A list that the file gives replaces the default list. Permissions that nobody gives belong to the
    default user alone: all of them, in every virtual host; a user of your own has none until a row says so.
    """

    server: ServerConfig = attrs.field(factory=ServerConfig)
    listener: ListenerConfig = attrs.field(factory=ListenerConfig)
    protocol: ProtocolConfig = attrs.field(factory=ProtocolConfig)
    limits: LimitsConfig = attrs.field(factory=LimitsConfig)
    store: StoreConfig = attrs.field(factory=StoreConfig)
    definitions: DefinitionsConfig = attrs.field(factory=DefinitionsConfig)
    compatibility: CompatibilityConfig = attrs.field(factory=CompatibilityConfig)
    control: ControlConfig = attrs.field(factory=ControlConfig)
    access: AccessConfig = attrs.field(factory=AccessConfig)
    log: LogConfig = attrs.field(factory=LogConfig)
    users: tuple[UserConfig, ...] = attrs.field(factory=_default_users, converter=tuple)
    vhosts: tuple[VhostConfig, ...] = attrs.field(factory=_default_vhosts, converter=tuple)
    permissions: tuple[PermissionConfig, ...] = attrs.field(converter=tuple)

    @permissions.default
    def _default_permissions(self) -> tuple[PermissionConfig, ...]:
        if self.users != _default_users():
            return ()
        return tuple(
            PermissionConfig(user="guest", vhost=vhost.name, configure=".*", write=".*", read=".*")
            for vhost in self.vhosts
        )

    def __attrs_post_init__(self) -> None:
        _refuse_repeated("[[users]] name", [user.name for user in self.users])
        _refuse_repeated("[[vhosts]] name", [vhost.name for vhost in self.vhosts])
        _refuse_repeated("[[permissions]] user, vhost", [(row.user, row.vhost) for row in self.permissions])
        users = {user.name for user in self.users}
        vhosts = {vhost.name for vhost in self.vhosts}
        for row in self.permissions:
            if row.user not in users:
                raise ConfigError(f"[[permissions]] user = {row.user!r}: there is no such user in [[users]]")
            if row.vhost not in vhosts:
                raise ConfigError(
                    f"[[permissions]] vhost = {row.vhost!r}: there is no such name in [[vhosts]]"
                )


def _refuse_repeated(key: str, values: list[Any]) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise ConfigError(f"{key} = {value!r}: given twice")
        seen.add(value)
