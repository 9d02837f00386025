"""A value that must never be printed: a password, a key, a token.

Whoever needs the octets says so with `reveal()`; every other way of turning the value into text
(str, repr, format, a traceback's locals, a log line, JSON by str) gives `***`. Refuses to be pickled,
copied into a dict key, or compared in anything but constant time.
"""

import hmac
from typing import Final, NoReturn

HIDDEN: Final = "***"


class Secret:
    """Octets that only `reveal()` gives out; text is kept as its UTF-8."""

    __slots__ = ("_octets",)

    __hash__ = None  # type: ignore[assignment]  # a secret in a hash table leaks by timing and by dumps

    def __init__(self, value: str | bytes) -> None:
        self._octets = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """The octets themselves; never pass them to anything that formats or stores."""
        return self._octets

    def __bool__(self) -> bool:
        """False for a blank secret, which no door may accept."""
        return bool(self._octets)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._octets, other._octets)

    def __repr__(self) -> str:
        return HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not serialised")
