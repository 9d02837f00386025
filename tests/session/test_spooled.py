"""mambaamqp/session/spooled.py: a large body leaves slice by slice, in frames that its client takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.session.spooled import Spooled
from mambaamqp.store.body import BodyDamaged, StoredBody
from mambaamqp.store.spool import Spool
from mambaamqp.wire.framing import body_frames
from tests.support.disk import MemoryDisk


def stored(disk: MemoryDisk, body: bytes, room: int, chunk_bytes: int) -> StoredBody:
    """A body that came on channel 9 in frames of `room` octets."""
    spool = Spool(disk, "/store")
    spool.chunk_bytes = chunk_bytes
    arrival = spool.begin()
    for frame in body_frames(9, body, room + 8):
        arrival.add(frame)
    return arrival.finish()


@given(st.binary(min_size=1, max_size=500), st.integers(1, 90), st.integers(1, 300), st.integers(9, 100))
def test_all_of_it_leaves(body: bytes, room: int, chunk_bytes: int, frame_bytes_max: int) -> None:
    """On the client's channel, no frame larger than its frame_max; each slice ends with a frame."""
    spooled = Spooled(stored(MemoryDisk(), body, room, chunk_bytes), 5, frame_bytes_max)
    found = []
    while not spooled.over:
        chunk = spooled.take()
        while chunk:
            assert chunk[:3] == b"\x03\x00\x05"
            size = int.from_bytes(chunk[3:7], "big")
            assert size + 8 <= frame_bytes_max
            assert chunk[7 + size] == 0xCE
            found.append(chunk[7 : 7 + size])
            chunk = chunk[8 + size :]
    assert b"".join(found) == body
    assert spooled.size == 0


def test_what_has_changed_does_not_leave() -> None:
    """What stands before it has left by then."""
    disk = MemoryDisk()
    spooled = Spooled(stored(disk, bytes(100), 10, 40), 5, 131072)
    (file,) = disk.files.values()
    file.data[100] ^= 1
    assert len(spooled.take()) == 54
    with pytest.raises(BodyDamaged, match="from offset 54 to 108 has changed"):
        spooled.take()
