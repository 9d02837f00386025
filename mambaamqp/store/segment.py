"""A segment of the journal as the core sees it: where it lies and what still lives in it."""

from mypy_extensions import i64


class Segment:
    """One file's span of the log, `base_lsn` up to and without `end_lsn`.

    `live` counts the messages in it that some queue still needs, `live_bytes` is about what they take; the
    broker keeps both.
    """

    def __init__(self, base_lsn: int) -> None:
        self.base_lsn = base_lsn
        self.end_lsn = base_lsn
        self.live = 0
        self.live_bytes: i64 = 0
