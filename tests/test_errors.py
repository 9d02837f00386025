"""mambaamqp/errors.py: one kind for each reply code of the standard."""

import pytest
from pamqp import constants, exceptions

from mambaamqp import errors
from mambaamqp.errors import ChannelFault, ConnectionFault, Fault


def kinds(cls: type[Fault] = Fault) -> list[type[Fault]]:
    """Every fault with a code."""
    below = [kind for sub in cls.__subclasses__() for kind in kinds(sub)]
    return below if below or cls in (Fault, ChannelFault, ConnectionFault) else [cls]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_codes_and_names_are_those_of_the_standard(kind: type[Fault]) -> None:
    """As pamqp has them, and soft where the standard says so."""
    theirs = exceptions.CLASS_MAPPING.get(kind.code)
    assert theirs is not None or kind.code in (311, 312, 313, 320, 402)
    if theirs is not None:
        assert kind.name.replace("_", "-") == theirs.name
    soft = kind.code in (311, 312, 313, 404, 405, 406) or kind is errors.AccessRefused
    assert issubclass(kind, ChannelFault) is soft


def test_every_code_has_one_kind() -> None:
    """But for 403, which means one thing before connection.open and another after it."""
    codes = sorted(kind.code for kind in kinds())
    assert codes == [
        311,
        312,
        313,
        320,
        402,
        403,
        403,
        404,
        405,
        406,
        501,
        502,
        503,
        504,
        505,
        506,
        530,
        540,
        541,
    ]
    assert constants.FRAME_MIN_SIZE


def test_the_reply_text_is_name_and_explanation() -> None:
    """`NAME - explanation`; str() is the explanation alone."""
    fault = errors.NotFound("no queue 'q' in vhost '/'")
    assert fault.reply_text == "NOT_FOUND - no queue 'q' in vhost '/'"
    assert str(fault) == "no queue 'q' in vhost '/'"


@pytest.mark.parametrize("text", ["x" * 300, "é" * 200, "a" + "é" * 200, "😀" * 100, "ab" + "😀" * 100])
def test_a_reply_text_fits_a_short_string(text: str) -> None:
    """At most 255 octets, and never half a character; RabbitMQ's dots say that something is missing."""
    shown = errors.NotFound(text).reply_text
    assert 252 <= len(shown.encode()) <= 255
    assert shown.endswith("...")
    assert f"NOT_FOUND - {text}".startswith(shown.removesuffix("..."))


def test_errors_of_this_package_have_one_root() -> None:
    """Whatever is raised on purpose can be told from a bug."""
    assert issubclass(Fault, errors.MambaError)
    assert issubclass(errors.StoreError, errors.MambaError)
    assert issubclass(errors.ConfigError, errors.MambaError)
    assert not issubclass(errors.StoreError, Fault)
