"""mambaamqp.config.secret: nothing but reveal() gives the octets out."""

import copy
import json
import pickle

import pytest

from mambaamqp.config import Secret, UserConfig


def test_no_way_of_printing_shows_the_value() -> None:
    """str, repr, format, percent and containers all show three stars."""
    secret = Secret("swordfish")

    texts = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>5}",
        f"{secret!s:>9}",
        str([secret]),
    ]

    assert not any("swordfish" in text for text in texts)
    assert str(secret) == "***"


def test_a_user_entry_prints_without_its_password() -> None:
    """The attrs repr of a user does not show what it holds."""
    assert "swordfish" not in repr(UserConfig(name="kim", password=Secret("swordfish")))


def test_reveal_gives_utf8_octets() -> None:
    """Text is kept as UTF-8, octets as they are."""
    assert Secret("café").reveal() == b"caf\xc3\xa9"
    assert Secret(b"\xff\x00").reveal() == b"\xff\x00"


def test_equality_compares_octets() -> None:
    """Equal octets are equal secrets, and nothing else is equal to a secret."""
    assert Secret("a") == Secret(b"a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_blank_is_false() -> None:
    """A blank password can be refused by its truth."""
    assert not Secret("")
    assert Secret(" ")


def test_cannot_be_serialised_or_hashed() -> None:
    """Pickle, copy, JSON and hash tables are closed to it."""
    secret = Secret("swordfish")

    for attempt in (pickle.dumps, copy.copy, json.dumps, hash):
        with pytest.raises(TypeError):
            attempt(secret)  # type: ignore[operator]
