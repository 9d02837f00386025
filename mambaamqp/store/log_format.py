"""The envelope of the journal: numbers that are on disks and therefore never change.

A segment is a run of frames. A frame is a commit, or a part of one: a 32-byte header, big-endian, and a body
of records.

    u32 crc32      of the rest of the header and the body (zlib's polynomial)
    u32 body_len
    u64 lsn        where this frame stands in the log; must equal where it is found
    u64 epoch      1 on a single node; grows with each leader of a cluster
    u32 prev_crc   of the frame before: chains the log
    u16 kind       the kind in the low octet, flags in the high one
    u16 record_count

`docs/store-format.md` has the grammar and a worked example.
"""

from struct import Struct
from typing import Final
from zlib import crc32

HEADER: Final = Struct(">IIQQIHH")
HEADER_BYTES: Final = 32
CRC: Final = Struct(">I")

BATCH: Final = 1
EPOCH: Final = 2
CHECKPOINT: Final = 3
TRIM: Final = 4
"""Reserved: tells a follower that the log begins here."""
PART: Final = 5
"""The atom goes on in the next frame; a batch or checkpoint frame ends the run, which counts whole or not."""
SPACE: Final = 6
"""Says nothing: zeros between the two copies of a checkpoint."""

KINDS: Final = frozenset({BATCH, EPOCH, CHECKPOINT, TRIM, PART, SPACE})
KIND_MASK: Final = 0x00FF

SYNCED: Final = 0x8000
"""All of the log before this frame was on stable storage when this frame was written. What is unreadable
before such a frame is therefore damage; what is unreadable before none of them may be a torn write."""
CONTINUED: Final = 0x4000
"""This frame goes on with the run that the frame before began: worth nothing without it."""
FLAGS: Final = SYNCED | CONTINUED

FIRST_EPOCH: Final = 1
FORMAT_VERSION: Final = 1
STORE_ID_BYTES: Final = 16
EPOCH_BYTES: Final = HEADER_BYTES + 1 + STORE_ID_BYTES
"""The frame that each segment starts with: format version and the store's id."""

SPACE_BYTES: Final = 4096
"""A sector, of any disk that is sold."""
FRAME_BYTES_TARGET: Final = 4 * 1024 * 1024
"""A frame is closed when another record would take its body beyond this."""
FRAME_BYTES_MAX: Final = 32 * 1024 * 1024
"""A body larger than this was never written: whoever reads such a length reads damage."""
RECORDS_MAX: Final = 65_535

SUFFIX: Final = ".journal"
NAME_DIGITS: Final = 20


def segment_name(base_lsn: int) -> str:
    """The file name of the segment that starts at `base_lsn`; names sort as positions do."""
    return f"{base_lsn:0{NAME_DIGITS}d}{SUFFIX}"


def base_of(name: str) -> int | None:
    """The first LSN of a segment file, from its name; None for other files."""
    stem = name.removesuffix(SUFFIX)
    # isdigit() alone also likes digits that int() reads and no segment has in its name.
    digits = stem.isascii() and stem.isdigit()
    return int(stem) if name.endswith(SUFFIX) and len(stem) == NAME_DIGITS and digits else None


def epoch_body(store_id: bytes) -> bytes:
    """The body of the epoch frame that starts each segment."""
    return bytes((FORMAT_VERSION,)) + store_id


def pack_frame(
    kind: int, lsn: int, epoch: int, prev_crc: int, record_count: int, body_bytes: int, pieces: list[bytes]
) -> tuple[bytes, int]:
    """The header of a frame whose body is `pieces`, and its checksum; `kind` with its flags."""
    header = HEADER.pack(0, body_bytes, lsn, epoch, prev_crc, kind, record_count)
    crc = crc32(header[4:])
    for piece in pieces:
        crc = crc32(piece, crc)
    return CRC.pack(crc) + header[4:], crc


def is_whole(header: bytes, body: bytes) -> bool:
    """Whether header and body belong together, by the checksum."""
    return crc32(body, crc32(header[4:])) == int.from_bytes(header[:4], "big")
