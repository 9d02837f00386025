"""A segment of the journal as the core sees it: where it lies and what still lives in it."""


class Segment:
    """One file's span of the log, `base_lsn` up to and without `end_lsn`.

    `live` counts the messages in it that some queue still needs; the broker keeps it.
    """

    def __init__(self, base_lsn: int) -> None:
        self.base_lsn = base_lsn
        self.end_lsn = base_lsn
        self.live = 0
