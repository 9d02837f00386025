"""Exchange types of installed distributions: entry points of the group `mambaamqp.exchange_types`."""

from importlib.metadata import EntryPoint, entry_points
from typing import Final

from mambaamqp.broker import exchanges
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.errors import ConfigError

GROUP: Final = "mambaamqp.exchange_types"


def load() -> list[str]:
    """Have every exchange type that is installed: "name (distribution version)" of each.

    ConfigError, naming the distribution, for one that cannot be loaded or is no exchange type: topology that
    was declared with it would be lost on a broker that went on without it.
    """
    return [_load(entry) for entry in sorted(entry_points(group=GROUP), key=_name)]


def _load(entry: EntryPoint) -> str:
    origin = "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
    try:
        found = entry.load()
        if not (isinstance(found, type) and issubclass(found, Exchange)):
            raise TypeError(f"{entry.value} is not a subclass of mambaamqp.broker.exchanges.Exchange")
        if exchanges.TYPES.get(entry.name) is not found:
            exchanges.register(entry.name, found)
    except Exception as failure:
        raise ConfigError(f"exchange type '{entry.name}' of {origin} cannot be used: {failure}") from failure
    return f"{entry.name} ({origin})"


def _name(entry: EntryPoint) -> str:
    return entry.name
