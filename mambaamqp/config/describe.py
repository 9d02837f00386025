"""The configuration described by itself: a TOML file with every key, its default and its help.

Reads the declarations in `config.sections`; refuses to know more than stands there.
"""

import json
import textwrap
import typing
from pathlib import Path
from typing import Any, Final

import attrs

from mambaamqp.config.load import ENTRIES, SECTIONS, environment_name
from mambaamqp.config.secret import Secret

WIDTH: Final = 100

PREFACE: Final = """\
# Every key of mambaamqp with its default. Nothing here needs to be set; keep what you change.
# `mambaamqp check-config FILE` checks a file. A key can also be set by an environment variable:
# MAMBAAMQP_<SECTION>_<KEY>, for example {example}=5673.
"""

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "users": ('name = "guest"', 'password = "guest"', 'tags = ["administrator"]'),
    "vhosts": ('name = "/"',),
    "permissions": ('user = "guest"', 'vhost = "/"', 'configure = ".*"', 'write = ".*"', 'read = ".*"'),
}
"""The default entries, as the file would give them."""


def annotated() -> str:
    """The text of a configuration file that sets every key to its default."""
    parts = [PREFACE.format(example=environment_name("listener", "port"))]
    parts += [_section(name, cls) for name, cls in SECTIONS.items()]
    parts += [_entries(name, cls) for name, cls in ENTRIES.items()]
    return "\n".join(parts)


def _section(name: str, cls: type) -> str:
    lines = [_comment(_first_line(cls)), f"[{name}]"]
    for field in attrs.fields(cls):
        lines += [_comment(_help(field)), f"{field.name} = {literal(field.default)}"]
    return "\n".join(lines) + "\n"


def _entries(name: str, cls: type) -> str:
    keys = [_comment(f"{field.name}: {field.metadata['help']}") for field in attrs.fields(cls)]
    return "\n".join([_comment(_first_line(cls)), *keys, f"[[{name}]]", *EXAMPLES[name]]) + "\n"


def _help(field: "attrs.Attribute[Any]") -> str:
    """The help of a key, with its bounds or choices."""
    text = str(field.metadata["help"])
    if "choices" in field.metadata:
        return text
    least, most = field.metadata.get("least"), field.metadata.get("most")
    if least is None:
        return text
    return f"{text} At least {least}." if most is None else f"{text} {least} to {most}."


def literal(value: Any) -> str:
    """A default as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(literal(item) for item in value)}]"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Secret):
        raise TypeError("a secret is not described")
    return json.dumps("" if value == Path() else str(value), ensure_ascii=False)


def _first_line(cls: type) -> str:
    return typing.cast(str, cls.__doc__).strip().splitlines()[0]


def _comment(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
