"""The envelope of the journal: numbers that are on disks and therefore never change.

A segment is a run of frames. A frame is a commit: a 32-byte header, big-endian, and a body of records.

    u32 crc32      of the rest of the header and the body (zlib's polynomial)
    u32 body_len
    u64 lsn        where this frame stands in the log; must equal where it is found
    u64 epoch      1 on a single node; grows with each leader of a cluster
    u32 prev_crc   of the frame before: chains the log
    u16 kind
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
PART: Final = 5
"""A batch too large for one frame: part frames, then a batch frame; all of it counts or nothing."""
KINDS: Final = frozenset({BATCH, EPOCH, CHECKPOINT, TRIM, PART})

FIRST_EPOCH: Final = 1
FORMAT_VERSION: Final = 1
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
    return int(stem) if name.endswith(SUFFIX) and len(stem) == NAME_DIGITS and stem.isdigit() else None


def pack_frame(
    kind: int, lsn: int, epoch: int, prev_crc: int, record_count: int, body: bytes
) -> tuple[bytes, int]:
    """A frame's header and its checksum."""
    header = HEADER.pack(0, len(body), lsn, epoch, prev_crc, kind, record_count)
    crc = crc32(body, crc32(header[4:]))
    return CRC.pack(crc) + header[4:], crc
