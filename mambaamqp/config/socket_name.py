"""The name by which a Unix-domain socket is bound and found, however deep its directory is.

Refuses to know sockets: both ends of the control socket call it with the same path.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NAME_BYTES_MAX: Final = 100
"""What fits the system's address of a socket; a longer path goes by way of its directory's descriptor."""


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name of `path` that is short enough, as long as the block lasts. Raises OSError."""
    if len(os.fsencode(path)) <= NAME_BYTES_MAX or not hasattr(os, "O_PATH"):
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
