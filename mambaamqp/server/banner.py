"""What the broker says of itself when it is ready: one fact a line, on standard output.

Scripts read it (the port behind `--port 0`), so a line is a label, a colon and a value.
"""

from collections.abc import Sequence
from pathlib import Path

from mambaamqp.server.listeners import display
from mambaamqp.server.ports import Address

DURABILITY = {
    "always": "always (a confirm means on disk)",
    "interval": "interval (a power cut may lose what was confirmed in the last moments)",
    "never": "never (a power cut may lose what was confirmed)",
}


def banner(*, version: str, compiled: bool, listeners: Sequence[Address], data_dir: Path, sync: str) -> str:
    """The lines, ready to print."""
    lines = [
        f"mambaamqp {version}",
        f"core: {'compiled' if compiled else 'pure Python'}",
        *(f"listening: {display(*address)}" for address in listeners),
        f"data directory: {data_dir}",
        f"sync: {DURABILITY.get(sync, sync)}",
        "ready",
    ]
    return "\n".join(lines)
