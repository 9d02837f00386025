"""SASL mechanisms: the octets of a client's response become credentials.

Knows the forms of PLAIN (RFC 4616) and AMQPLAIN (RabbitMQ's field table). Refuses to know whether the
credentials are right, and how a field table is decoded: AMQPLAIN is given the decoded mapping. A response
of the wrong form is a SyntaxFault whose text never repeats the response.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from mambaamqp.config.secret import Secret
from mambaamqp.errors import SyntaxFault

PLAIN: Final = "PLAIN"
AMQPLAIN: Final = "AMQPLAIN"

RESPONSE_BYTES_MAX: Final = 4096
"""Far beyond any name and password; what is longer costs nothing but this check."""


class Credentials(NamedTuple):
    """What a client claims: its user name and its password. Prints as the name alone."""

    name: str
    password: Secret


def parse_plain(response: bytes) -> Credentials:
    """`[authzid] NUL authcid NUL passwd`; authzid is ignored, as RabbitMQ does. SyntaxFault otherwise."""
    parts = response.split(b"\0") if len(response) <= RESPONSE_BYTES_MAX else []
    if len(parts) != 3:
        raise SyntaxFault("PLAIN response invalid")
    return Credentials(_name(parts[1]), Secret(parts[2]))


def parse_amqplain(table: Mapping[str, object]) -> Credentials:
    """The decoded table's LOGIN and PASSWORD, each a long string. SyntaxFault if one is not there."""
    login = table.get("LOGIN")
    password = table.get("PASSWORD")
    if not isinstance(login, str | bytes) or not isinstance(password, str | bytes):
        raise SyntaxFault("AMQPLAIN auth info is missing LOGIN or PASSWORD field")
    return Credentials(login if isinstance(login, str) else _name(login), Secret(password))


def _name(octets: bytes) -> str:
    """A name that is not UTF-8 becomes one that no user has, and the login fails like any other."""
    return octets.decode(errors="replace")
