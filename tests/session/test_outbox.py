"""Pieces in, chunks out, and what is held back in between."""

import pytest

from mambaamqp.session.outbox import CHUNK_BYTES, TRIM_PIECES, Outbox
from mambaamqp.session.spooled import Spooled
from mambaamqp.store.spool import Spool
from mambaamqp.wire.framing import body_frames
from tests.support.disk import MemoryDisk


def everything(outbox: Outbox) -> bytes:
    """All chunks until nothing may go any more."""
    data = b""
    while chunk := outbox.take():
        data += chunk
    return data


def test_what_is_written_leaves_in_order() -> None:
    """Single pieces and runs of them; afterwards nothing is left."""
    outbox = Outbox()
    outbox.write(b"ab")
    outbox.write_pieces([b"cd", memoryview(b"ef")])
    outbox.write_frame(b"g", b"h", b"i", b"j")

    assert outbox.size == 10
    assert outbox.ready
    assert outbox.take() == b"abcdefghij"
    assert (outbox.size, outbox.ready, outbox.take()) == (0, False, b"")


def test_chunks_are_bounded() -> None:
    """Whole pieces, about CHUNK_BYTES at a time; a piece larger than that goes alone."""
    outbox = Outbox()
    piece = bytes(CHUNK_BYTES // 4)
    for _ in range(10):
        outbox.write(piece)
    assert [len(outbox.take()) for _ in range(3)] == [CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES // 2]
    outbox.write(bytes(5 * CHUNK_BYTES))

    assert len(outbox.take()) == 5 * CHUNK_BYTES


def test_a_hold_keeps_back_what_follows_its_mark() -> None:
    """Until the journal has got there; what stood before goes at once."""
    outbox = Outbox()
    outbox.write(b"before ")
    outbox.hold(outbox.mark, 100)
    outbox.write(b"held")
    assert everything(outbox) == b"before "
    assert (outbox.ready, outbox.holding, outbox.size) == (False, True, 4)
    outbox.release(99)
    assert everything(outbox) == b""
    outbox.release(100)

    assert everything(outbox) == b"held"
    assert not outbox.holding


def test_holds_are_released_in_order() -> None:
    """Each at its own position."""
    outbox = Outbox()
    for place in range(3):
        outbox.hold(outbox.mark, 100 * (place + 1))
        outbox.write(b"%d" % place)
    outbox.release(200)
    assert everything(outbox) == b"01"
    outbox.release(1000)

    assert everything(outbox) == b"2"


@pytest.mark.parametrize("taken_first", [True, False])
def test_a_heartbeat_does_not_wait_for_the_disk(taken_first: bool) -> None:
    """It is no answer to anything: in front of what is held, behind what may go."""
    outbox = Outbox()
    outbox.write(b"a")
    outbox.hold(outbox.mark, 100)
    outbox.write(b"b")
    outbox.hold(outbox.mark, 200)
    outbox.write(b"c")
    taken = outbox.take() if taken_first else b""
    outbox.interject(b"!")

    assert taken + everything(outbox) == b"a!"
    outbox.release(100)
    assert everything(outbox) == b"b"
    outbox.release(200)
    assert everything(outbox) == b"c"
    outbox.interject(b"!")
    assert everything(outbox) == b"!"


def test_what_is_held_can_be_dropped() -> None:
    """What may go still goes: a frame of which a part has left is never cut."""
    outbox = Outbox()
    outbox.write(b"may go ")
    outbox.hold(outbox.mark, 100)
    outbox.write(b"never true")
    outbox.drop_held()
    outbox.write(b"close")

    assert outbox.size == 12
    assert everything(outbox) == b"may go close"


def test_marks_outlive_a_trim() -> None:
    """A long outbox is trimmed now and then; marks count what has gone."""
    outbox = Outbox()
    piece = bytes(CHUNK_BYTES // 1000)
    for _ in range(3 * TRIM_PIECES):
        outbox.write(piece)
    for _ in range(10):
        outbox.take()
    assert outbox.trimmed
    outbox.hold(outbox.mark, 100)
    outbox.write(b"held")
    everything(outbox)
    assert outbox.size == 4
    outbox.release(100)

    assert everything(outbox) == b"held"


def test_clear_forgets_everything() -> None:
    """And marks made afterwards are right."""
    outbox = Outbox()
    outbox.write(b"gone")
    outbox.hold(outbox.mark, 100)
    outbox.write(b"gone")
    outbox.clear()
    assert (outbox.size, outbox.ready, outbox.holding) == (0, False, False)
    outbox.hold(outbox.mark, 200)
    outbox.write(b"later")
    assert everything(outbox) == b""
    outbox.release(200)

    assert everything(outbox) == b"later"


def spooled(body: bytes, disk: MemoryDisk | None = None) -> Spooled:
    """A large body, in chunks of ten octets of it."""
    spool = Spool(MemoryDisk() if disk is None else disk, "/store")
    spool.chunk_bytes = 1
    arrival = spool.begin()
    for piece in body_frames(0, body, 18):
        arrival.add(piece)
    return Spooled(arrival.finish(), 0, 131072)


def test_large_bodies_leave_in_their_turn() -> None:
    """A slice at a time; what comes before and behind them is not mixed with them."""
    outbox = Outbox()
    outbox.write(b"before")
    outbox.write_stored(spooled(b"x" * 25))
    outbox.write(b"between")
    outbox.write_stored(spooled(b"y" * 10))
    outbox.write(b"after")
    x, y = body_frames(0, b"x" * 25, 18), body_frames(0, b"y" * 10, 18)
    assert outbox.size == 18 + sum(map(len, x + y))
    taken = []
    while chunk := outbox.take():
        taken.append(chunk)
    assert taken == [b"before", *x, b"between", *y, b"after"]
    assert (outbox.size, outbox.ready) == (0, False)


def test_a_large_body_waits_behind_a_hold() -> None:
    """And a heartbeat goes in front of both."""
    outbox = Outbox()
    outbox.write_stored(spooled(b"x"))
    outbox.hold(outbox.mark, 100)
    outbox.write(b"held")
    outbox.write_stored(spooled(b"y"))
    outbox.interject(b"!")
    assert everything(outbox) == body_frames(0, b"x", 18)[0] + b"!"
    outbox.release(100)
    assert everything(outbox) == b"held" + body_frames(0, b"y", 18)[0]


def test_a_held_large_body_is_dropped() -> None:
    """With its size, and without what may go."""
    outbox = Outbox()
    outbox.write_stored(spooled(b"x"))
    outbox.hold(outbox.mark, 100)
    outbox.write_stored(spooled(b"y" * 100))
    outbox.drop_held()
    outbox.write(b"close")
    assert everything(outbox) == body_frames(0, b"x", 18)[0] + b"close"
    assert outbox.size == 0


def test_large_bodies_are_forgotten() -> None:
    """Nothing refers to them, and nothing is left on the disk."""
    outbox, disk = Outbox(), MemoryDisk()
    body = spooled(b"x" * 100, disk)
    given_up = body.body.chunks[0].file._given_up
    outbox.write_stored(body)
    del body
    outbox.take()
    assert not given_up
    outbox.clear()
    assert len(given_up) == 1
    outbox.write(b"more")
    assert everything(outbox) == b"more"


def test_marks_outlive_large_bodies() -> None:
    """However many have left."""
    outbox = Outbox()
    for _ in range(2 * TRIM_PIECES):
        outbox.write_stored(spooled(b"x"))
    for _ in range(2 * TRIM_PIECES - 1):
        outbox.take()
    assert outbox.trimmed
    assert everything(outbox) == body_frames(0, b"x", 18)[0]
