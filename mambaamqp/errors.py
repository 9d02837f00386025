"""Every fault the broker can answer with, one named kind for each reply code.

    MambaError
    ├── Fault                       carries an AMQP reply code and text
    │   ├── ChannelFault            closes the channel, the connection lives on
    │   │   ├── ContentTooLarge     311
    │   │   ├── NoRoute             312   (only ever sent with basic.return)
    │   │   ├── NoConsumers         313
    │   │   ├── AccessRefused       403
    │   │   ├── NotFound            404
    │   │   ├── ResourceLocked      405
    │   │   └── PreconditionFailed  406
    │   └── ConnectionFault         closes the connection
    │       ├── ConnectionForced    320
    │       ├── InvalidPath         402
    │       ├── LoginRefused        403   (before connection.open only)
    │       ├── FrameFault          501
    │       ├── SyntaxFault         502
    │       ├── CommandInvalid      503
    │       ├── ChannelError        504
    │       ├── UnexpectedFrame     505
    │       ├── ResourceFault       506
    │       ├── NotAllowed          530
    │       ├── NotImplementedFault 540
    │       └── InternalFault       541
    ├── StoreError                  the journal cannot keep its promise
    │   └── StoreInUse              another broker has it
    └── ConfigError                 the configuration is wrong; the text names the key

The exception type *is* the wire code (AMQP 0-9-1, section 1.2; names as RabbitMQ prints them).
Whoever raises one writes the explanation only; the name is put before it here.
"""

from typing import ClassVar

REPLY_TEXT_BYTES_MAX = 255
CUT = "..."


class MambaError(Exception):
    """Whatever this package raises on purpose."""


class Fault(MambaError):
    """A refusal with its AMQP reply code; str(fault) is the explanation alone."""

    code: ClassVar[int]
    name: ClassVar[str]

    @property
    def reply_text(self) -> str:
        """`NAME - explanation`, cut as RabbitMQ does to the 255 octets of a short string, at a character."""
        text = f"{self.name} - {self}"
        octets = text.encode()
        if len(octets) <= REPLY_TEXT_BYTES_MAX:
            return text
        return octets[: REPLY_TEXT_BYTES_MAX - len(CUT)].decode(errors="ignore") + CUT


class ChannelFault(Fault):
    """The peer's operation failed; only its channel is closed."""


class ContentTooLarge(ChannelFault):
    code = 311
    name = "CONTENT_TOO_LARGE"


class NoRoute(ChannelFault):
    code = 312
    name = "NO_ROUTE"


class NoConsumers(ChannelFault):
    code = 313
    name = "NO_CONSUMERS"


class AccessRefused(ChannelFault):
    code = 403
    name = "ACCESS_REFUSED"


class NotFound(ChannelFault):
    code = 404
    name = "NOT_FOUND"


class ResourceLocked(ChannelFault):
    code = 405
    name = "RESOURCE_LOCKED"


class PreconditionFailed(ChannelFault):
    code = 406
    name = "PRECONDITION_FAILED"


class ConnectionFault(Fault):
    """The peer broke the protocol or must go; the whole connection is closed."""


class ConnectionForced(ConnectionFault):
    code = 320
    name = "CONNECTION_FORCED"


class InvalidPath(ConnectionFault):
    code = 402
    name = "INVALID_PATH"


class LoginRefused(ConnectionFault):
    code = 403
    name = "ACCESS_REFUSED"


class FrameFault(ConnectionFault):
    code = 501
    name = "FRAME_ERROR"


class SyntaxFault(ConnectionFault):
    code = 502
    name = "SYNTAX_ERROR"


class CommandInvalid(ConnectionFault):
    code = 503
    name = "COMMAND_INVALID"


class ChannelError(ConnectionFault):
    code = 504
    name = "CHANNEL_ERROR"


class UnexpectedFrame(ConnectionFault):
    code = 505
    name = "UNEXPECTED_FRAME"


class ResourceFault(ConnectionFault):
    code = 506
    name = "RESOURCE_ERROR"


class NotAllowed(ConnectionFault):
    code = 530
    name = "NOT_ALLOWED"


class NotImplementedFault(ConnectionFault):
    code = 540
    name = "NOT_IMPLEMENTED"


class InternalFault(ConnectionFault):
    code = 541
    name = "INTERNAL_ERROR"


class StoreError(MambaError):
    """The journal cannot keep its promise: damaged, locked, full or failing."""


class StoreInUse(StoreError):
    """Another broker holds the directory; the text names it."""


class ConfigError(MambaError):
    """The configuration is wrong; the text names the key and says what would be right."""
