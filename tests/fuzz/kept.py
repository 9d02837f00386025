"""The corpus: for each target the octets that together take every way through the code that was ever found.

A line of hexadecimal an entry, in a file a target, sorted: so that a change of the corpus can be read.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "corpus"


def corpus(name: str) -> list[bytes]:
    """What is kept for a target; nothing is kept for a new one."""
    path = FOLDER / f"{name}.hex"
    return [bytes.fromhex(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(name: str, entries: Iterable[bytes]) -> None:
    """These, and no others, from now on."""
    lines = sorted({octets.hex() for octets in entries}, key=lambda line: (len(line), line))
    (FOLDER / f"{name}.hex").write_text("".join(f"{line}\n" for line in lines))
