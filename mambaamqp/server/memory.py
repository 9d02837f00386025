"""How much memory this process has, and how much it takes.

Linux is read straight from /proc and the cgroup files, which costs microseconds; elsewhere psutil answers,
imported only then. Refuses to judge the figures (`alarms`).
"""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

CGROUP_V2_ROOT = Path("/sys/fs/cgroup")
CGROUP_V1_ROOT = Path("/sys/fs/cgroup/memory")
PROC = Path("/proc")

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""glibc's names, malloc.h."""

LARGE_BLOCK_BYTES = 1024 * 1024
"""Blocks of this size and above are mapped one by one. Well above one read, which must be cheap."""

KEPT_FREE_BYTES = 8 * 1024 * 1024
"""What may stay free at the end of the heap before it is returned: a busy broker needs it again at once."""


def available_bytes(proc: Path = PROC) -> int:
    """What this process may use at most: the machine's memory, or less by cgroup or address-space limit."""
    return min([_machine_bytes(), *_cgroup_limits(proc), *_address_space_limit()])


class ResidentMemory:
    """Resident bytes of this process; call `bytes()` as often as you like."""

    def __init__(self) -> None:
        self._page_bytes = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
        try:
            self._statm: int | None = os.open("/proc/self/statm", os.O_RDONLY)
        except OSError:
            self._statm = None

    def bytes(self) -> int:
        """Resident set size now."""
        if self._statm is not None:
            return int(os.pread(self._statm, 128, 0).split()[1]) * self._page_bytes
        import psutil

        return int(psutil.Process().memory_info().rss)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._statm is not None:
            os.close(self._statm)
            self._statm = None


def set_up_allocator() -> None:
    """Have the C library return large blocks as soon as they are freed, and keep small ones.

    Left alone it learns from the first large block (a password hash takes 19 MiB for a moment) to keep blocks
    of that size for ever.
    """
    mallopt = _c_function("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES)
        mallopt(M_TOP_PAD, LARGE_BLOCK_BYTES)


def give_back_free_memory() -> None:
    """Ask the C library to return what was freed: it keeps pages for reuse, which an alarm would wait for."""
    trim = _c_function("malloc_trim")
    if trim is not None:
        trim(0)


def _c_function(name: str) -> Callable[..., int] | None:
    """A function that glibc has and others have not."""
    try:
        return cast(Callable[..., int], getattr(ctypes.CDLL(None), name))
    except (AttributeError, OSError, TypeError):
        return None


def _machine_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        import psutil

        return int(psutil.virtual_memory().total)


def _address_space_limit() -> Iterator[int]:
    try:
        import resource
    except ImportError:
        return
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        yield soft


def _cgroup_limits(proc: Path) -> Iterator[int]:
    """Limits of the own cgroup and of all above it: each one binds."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _limits_upwards(CGROUP_V2_ROOT, path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _limits_upwards(CGROUP_V1_ROOT, path, "memory.limit_in_bytes")


def _limits_upwards(root: Path, path: str, file_name: str) -> Iterator[int]:
    """In a container the own path may not be visible below root; then root's own limit is what counts."""
    group = root / path.strip("/")
    while True:
        with contextlib.suppress(OSError, ValueError):  # absent, or "max"
            yield int((group / file_name).read_text())
        if group == root or root not in group.parents:
            return
        group = group.parent
