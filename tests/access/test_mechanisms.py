"""mambaamqp.access.mechanisms: responses become credentials, or a fault that repeats nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.access.mechanisms import RESPONSE_BYTES_MAX, Credentials, parse_amqplain, parse_plain
from mambaamqp.config import Secret
from mambaamqp.errors import SyntaxFault


def test_plain_gives_name_and_password() -> None:
    """RFC 4616: the identity to act as, NUL, the name, NUL, the password."""
    assert parse_plain(b"\0guest\0s3cret") == Credentials("guest", Secret("s3cret"))


def test_plain_ignores_the_identity_to_act_as() -> None:
    """RabbitMQ does not act for others either."""
    assert parse_plain(b"root\0guest\0s3cret").name == "guest"


@pytest.mark.parametrize(
    "response", [b"", b"guest", b"\0guest", b"\0guest\0a\0b", b"\0\0" + b"x" * RESPONSE_BYTES_MAX]
)
def test_plain_of_another_form_is_a_syntax_fault(response: bytes) -> None:
    """Missing and surplus parts are refused, and so is what is far too long."""
    with pytest.raises(SyntaxFault, match="PLAIN response invalid"):
        parse_plain(response)


def test_a_name_that_is_not_utf8_is_nobodys() -> None:
    """Such a login fails later like any other, instead of breaking something here."""
    assert parse_plain(b"\0\xff\xfe\0x").name == "\ufffd\ufffd"


@given(st.binary(max_size=64))
def test_plain_parses_or_faults(response: bytes) -> None:
    """No octets raise anything else."""
    try:
        credentials = parse_plain(response)
    except SyntaxFault:
        return
    assert response.endswith(credentials.password.reveal())


def test_amqplain_reads_the_table() -> None:
    """LOGIN and PASSWORD, as text or as octets; other fields do not matter."""
    expected = Credentials("guest", Secret("s3cret"))

    assert parse_amqplain({"LOGIN": "guest", "PASSWORD": "s3cret", "X": 1}) == expected
    assert parse_amqplain({"LOGIN": b"guest", "PASSWORD": b"s3cret"}) == expected


@pytest.mark.parametrize(
    "table", [{}, {"LOGIN": "guest"}, {"LOGIN": 1, "PASSWORD": "x"}, {"LOGIN": "g", "PASSWORD": None}]
)
def test_amqplain_without_a_field_is_a_syntax_fault(table: dict[str, object]) -> None:
    """Both fields must be there and be strings."""
    with pytest.raises(SyntaxFault, match="AMQPLAIN auth info is missing LOGIN or PASSWORD field"):
        parse_amqplain(table)


def test_credentials_print_without_the_password() -> None:
    """Whoever logs credentials logs a name."""
    assert "s3cret" not in repr(parse_plain(b"\0guest\0s3cret"))
