"""A file system whose power can be cut: ext4 in a file, and the ioctl that shuts it down.

From that moment on nothing reaches the file any more, whatever the page cache holds; mounting it again
replays the journal of the file system, as after a power cut. Needs root, loop devices and mkfs.ext4.
"""

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

SHUTDOWN: Final = 0x8004587D
"""EXT4_IOC_SHUTDOWN"""
NO_FLUSH: Final = 2
"""Neither data nor journal: what was not synced is lost."""
UNMOUNT_TRIES = 100


def why_not() -> str:
    """What this machine lacks for real power cuts; empty when it lacks nothing."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "real power cuts need root (loop devices and mount)"
    missing = [name for name in ("mkfs.ext4", "mount", "umount") if shutil.which(name) is None]
    if missing:
        return f"real power cuts need {' and '.join(missing)}"
    if not os.path.exists("/dev/loop-control"):
        return "real power cuts need loop devices"
    return ""


class PoweredDisk:
    """`with PoweredDisk(directory, size) as disk:` is a mounted file system; `cut` takes its power."""

    def __init__(self, directory: Path, size_bytes: int) -> None:
        self.image = directory / "image"
        self.path = directory / "mounted"
        self.size_bytes = size_bytes
        self.cuts = 0

    def __enter__(self) -> "PoweredDisk":
        self.path.mkdir()
        with self.image.open("wb") as image:
            image.truncate(self.size_bytes)
        _run("mkfs.ext4", "-qF", str(self.image))
        self.mount()
        return self

    def __exit__(self, *_: object) -> None:
        self.unmount()
        self.image.unlink()

    def mount(self) -> None:
        """Power is back."""
        _run("mount", "-o", "loop", str(self.image), str(self.path))

    def unmount(self) -> None:
        """Whoever has files open in it must be gone."""
        for _ in range(UNMOUNT_TRIES):
            if not self.is_mounted():
                return
            # A process that was killed a moment ago may still be on its way out.
            with contextlib.suppress(subprocess.CalledProcessError):
                _run("umount", str(self.path))
        raise OSError(f"{self.path} stays busy")

    def is_mounted(self) -> bool:
        """As the system sees it."""
        with open("/proc/mounts", encoding="utf-8") as mounts:
            return any(line.split()[1] == str(self.path) for line in mounts)

    def cut(self) -> None:
        """Take the power, now."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_FLUSH))
        finally:
            os.close(fd)
        self.cuts += 1

    def restore(self) -> None:
        """Power is back: mount again, which replays the file system's journal."""
        self.unmount()
        self.mount()
        self._see_that_it_works()

    def _see_that_it_works(self) -> None:
        """A mount namespace that has a copy of the mount keeps it shut down, whoever mounts it again."""
        probe = self.path / "probe"
        try:
            probe.touch()
            probe.unlink()
        except OSError as failure:
            raise OSError(f"{self.path} is mounted elsewhere too, and stays without power") from failure


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
