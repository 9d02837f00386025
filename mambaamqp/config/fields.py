"""How a key of the configuration is declared: a number, a choice, a text, each with its check and its help.

A value out of bounds raises ConfigError naming section and key, whoever builds the section. Refuses to know
any key.
"""

import math
from collections.abc import Callable
from typing import Any

import attrs

from mambaamqp.errors import ConfigError

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def refuse(instance: Any, attribute: "attrs.Attribute[Any]", wrong: str) -> ConfigError:
    """The error that a section is built with a wrong value, which names section and key."""
    value = getattr(instance, attribute.name)
    return ConfigError(f"[{instance.SECTION}] {attribute.name} = {value!r}: {wrong}")


def _within(least: float, most: float | None) -> Validator:
    """A validator for the closed range least … most."""

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if math.isnan(value) or value < least or (most is not None and value > most):
            bounds = f"at least {least}" if most is None else f"between {least} and {most}"
            raise refuse(instance, attribute, f"must be {bounds}")

    return check


def _one_of(choices: tuple[str, ...]) -> Validator:
    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if value not in choices:
            raise refuse(instance, attribute, f"must be one of {', '.join(choices)}")

    return check


def _short_text(instance: Any, attribute: "attrs.Attribute[Any]", value: str) -> None:
    if len(value.encode()) > 255:
        raise refuse(instance, attribute, "must not be longer than 255 bytes of UTF-8")


def number(default: float, help: str, *, least: float, most: float | None = None) -> Any:
    """A key that holds a number between `least` and `most`, both allowed."""
    metadata = {"help": help, "least": least, "most": most}
    return attrs.field(default=default, validator=_within(least, most), metadata=metadata)


def choice(default: str, help: str, choices: tuple[str, ...]) -> Any:
    """A key that holds one of `choices`."""
    return attrs.field(
        default=default, validator=_one_of(choices), metadata={"help": help, "choices": choices}
    )


def text(default: str, help: str, *, validator: Validator = _short_text) -> Any:
    """A key that holds text of at most 255 octets."""
    return attrs.field(default=default, validator=validator, metadata={"help": help})
