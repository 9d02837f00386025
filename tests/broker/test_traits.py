"""mambaamqp/broker/traits.py: what a message says of itself."""

import pytest

from mambaamqp.broker.traits import Traits
from mambaamqp.wire.table import EMPTY, Table, encode_entries
from tests.broker.conftest import message


def test_headers_and_properties_are_read_when_asked_for() -> None:
    """None where there is none."""
    traits = Traits(message(b"", headers={"a": 1}, message_id="m"))
    assert traits.headers.values == {"a": 1}
    assert (traits.header("a"), traits.header("b")) == (1, None)
    assert (traits.property("message_id"), traits.property("app_id")) == ("m", None)
    with pytest.raises(KeyError):
        traits.property("colour")


def test_a_message_without_headers_has_an_empty_table() -> None:
    """And one whose headers have been read already is not read again."""
    assert Traits(message(b"")).headers == EMPTY
    given = Table(encode_entries({"b": 2}))
    assert Traits(message(b"", headers={"a": 1}), given).headers is given
