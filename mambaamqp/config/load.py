"""File, environment and flags become one `Config`; each later source overrides the earlier one.

Knows TOML, the names of environment variables, and how a wrong value is reported: one line that names the
source and the key. Refuses to know any key: sections, types, defaults and bounds are read off the attrs
classes in `config.sections`. What nobody declared is an error, with the nearest declared name as a hint.
"""

import difflib
import tomllib
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Protocol

import attrs

from mambaamqp.config.secret import Secret
from mambaamqp.config.sections import Config, PermissionConfig, UserConfig, VhostConfig
from mambaamqp.errors import ConfigError

ENVIRONMENT_PREFIX: Final = "MAMBAAMQP_"

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""A configuration with a hundred thousand users is smaller; more is a wrong file named by mistake."""

ENTRIES: Final[dict[str, type]] = {
    "users": UserConfig,
    "vhosts": VhostConfig,
    "permissions": PermissionConfig,
}
"""The keys that hold a list of tables."""

SECTIONS: Final[dict[str, type]] = {
    name: kind for name, kind in typing.get_type_hints(Config).items() if name not in ENTRIES
}
"""Section name → its attrs class."""


def load(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Config:
    """The configuration out of the file at `path` (None: defaults), `environ`, and `flags`, in that order.

    `flags` maps "section.key" to a value; None values count as not given. Raises ConfigError, whose text is
    one line that names the source and the key.
    """
    config = parse(_read(path), str(path)) if path is not None else Config()
    config = _apply_environment(config, environ or {})
    return _apply_flags(config, flags or {})


def parse(document: Mapping[str, Any], source: str) -> Config:
    """The configuration out of a decoded TOML document; `source` is what an error names first."""
    try:
        return Config(**{name: _part(name, value) for name, value in document.items()})
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def environment_name(section: str, key: str) -> str:
    """The environment variable that sets `key` of `section`: MAMBAAMQP_LISTENER_PORT."""
    return f"{ENVIRONMENT_PREFIX}{section}_{key}".upper()


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: larger than {FILE_BYTES_MAX} bytes, which no configuration is")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def _part(name: str, value: Any) -> Any:
    """One top-level item of the file: a section, or a list of entries."""
    if name in SECTIONS:
        if not isinstance(value, dict):
            raise ConfigError(f"{name}: must be a section, written [{name}]")
        return _build(SECTIONS[name], f"[{name}]", value)
    if name in ENTRIES:
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise ConfigError(f"{name}: must be a list of tables, each written [[{name}]]")
        return tuple(_build(ENTRIES[name], f"[[{name}]]", entry) for entry in value)
    raise ConfigError(f"{name}: unknown section{_hint(name, [*SECTIONS, *ENTRIES])}")


def _build(cls: type, label: str, values: Mapping[str, Any]) -> Any:
    """An instance of the attrs class `cls` out of the keys of one table."""
    types = _key_types(cls)
    for key in values:
        if key not in types:
            raise ConfigError(f"{label} {key}: unknown key{_hint(key, types)}")
    for field in attrs.fields(cls):
        if field.default is attrs.NOTHING and field.name not in values:
            raise ConfigError(f"{label} {field.name}: is missing")
    return cls(**{key: _convert(types[key], value, f"{label} {key}") for key, value in values.items()})


def _apply_environment(config: Config, environ: Mapping[str, str]) -> Config:
    """Every MAMBAAMQP_<SECTION>_<KEY>. Others with the prefix are left alone: a container platform sets
    some for every service it knows (MAMBAAMQP_PORT, MAMBAAMQP_SERVICE_HOST)."""
    for variable, value in sorted(environ.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        section, _, key = variable.removeprefix(ENVIRONMENT_PREFIX).lower().partition("_")
        if section in SECTIONS:
            config = _override(config, section, key, value, f"environment variable {variable}")
    return config


def _apply_flags(config: Config, flags: Mapping[str, object]) -> Config:
    for name, value in flags.items():
        section, _, key = name.partition(".")
        if value is not None:
            config = _override(config, section, key, value, f"--{key.replace('_', '-')}")
    return config


def _override(config: Config, section: str, key: str, value: object, source: str) -> Config:
    types = _key_types(SECTIONS[section])
    if key not in types:
        raise ConfigError(f"{source}: [{section}] has no key {key!r}{_hint(key, types)}")
    try:
        if isinstance(value, str):
            value = _from_text(types[key], value)
        part = attrs.evolve(
            getattr(config, section), **{key: _convert(types[key], value, f"[{section}] {key}")}
        )
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    return attrs.evolve(config, **{section: part})


def _key_types(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in attrs.fields(cls)}


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


# From a TOML value to the declared type. A table, so that a new type is a new row.


class Converter(Protocol):
    def __call__(self, value: Any) -> Any: ...


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("must be a whole number")
    return value


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("must be a number")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("must be text in quotes")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise TypeError("must be a list of texts in quotes")
    return tuple(value)


def _path(value: Any) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or "\0" in value:
        raise TypeError("must be a path in quotes")
    return Path(value)


CONVERTERS: Final[dict[Any, Converter]] = {
    int: _whole,
    float: _real,
    str: _text,
    tuple[str, ...]: _texts,
    Path: _path,
    Secret: lambda value: Secret(_text(value)),
}


def _convert(declared: Any, value: Any, label: str) -> Any:
    kind = _plain(declared)
    try:
        return CONVERTERS[kind](value)
    except TypeError as error:
        shown = "" if kind is Secret else f" = {value!r}"
        raise ConfigError(f"{label}{shown}: {error}") from None


def _plain(declared: Any) -> Any:
    """The row of CONVERTERS for a declared type: `X | None` is X, a Literal is its text (bounds are checked
    by the section itself)."""
    if isinstance(declared, UnionType):
        return next(kind for kind in typing.get_args(declared) if kind is not NoneType)
    return str if typing.get_origin(declared) is Literal else declared


TEXT_READERS: Final[dict[Any, Callable[[str], Any]]] = {
    int: lambda text: int(text) if text.strip().lstrip("+-").isdecimal() else text,
    float: lambda text: _float_or_text(text),
    tuple[str, ...]: lambda text: [item.strip() for item in text.split(",") if item.strip()],
}
"""How a variable's or flag's text is read first; what cannot be read stays text and is refused later."""


def _from_text(declared: Any, text: str) -> Any:
    reader = TEXT_READERS.get(_plain(declared))
    return reader(text) if reader is not None else text


def _float_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
