"""mambaamqp/config/socket_name.py: a name short enough for a socket's address."""

import os
import socket
from pathlib import Path

import pytest

from mambaamqp.config.socket_name import NAME_BYTES_MAX, reachable

needs_descriptors = pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="no descriptors of directories here")


def path_of(tmp_path: Path, size: int) -> Path:
    """A path of `size` octets, whose directory is there."""
    room = size - len(os.fsencode(tmp_path)) - len("//s")
    directory = tmp_path / ("d" * room)
    directory.mkdir()
    return directory / "s"


def test_a_short_path_is_its_own_name() -> None:
    """Nothing is asked of the system, not even whether it is there."""
    path = Path("/nowhere") / ("s" * (NAME_BYTES_MAX - len("/nowhere/")))
    with reachable(path) as name:
        assert name == str(path)


@needs_descriptors
def test_octets_count_not_characters() -> None:
    """The directory has to be there for a name by its descriptor."""
    with pytest.raises(FileNotFoundError), reachable(Path("/nowhere") / ("é" * (NAME_BYTES_MAX // 2))):
        pass


@needs_descriptors
@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix-domain sockets here")
def test_both_ends_meet_at_a_long_path(tmp_path: Path) -> None:
    """One binds, the other connects, and no descriptor is left open."""
    path = path_of(tmp_path, 220)
    before = os.listdir("/proc/self/fd")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
        with reachable(path) as name:
            listener.bind(name)
        listener.listen()
        assert path.is_socket()
        with reachable(path) as name:
            other.connect(name)
    assert os.listdir("/proc/self/fd") == before
