"""What the store and the broker promise, numbered, and the error that says which promise was broken."""

from typing import Final

INVARIANTS: Final[dict[str, str]] = {
    "I0": "what is recovered is a moment that was, not older than the last promise",
    "I1": "no confirmed message is lost",
    "I2": "no message is invented, changed or torn",
    "I3": "no message is doubled",
    "I4": "the order within a queue is that of publishing",
    "I5": "what was settled before a later promise stays settled",
    "I6": "what may have been delivered before says so",
    "I7": "durable topology is there, and what was deleted stays deleted",
    "I8": "transient messages are gone after a crash",
    "I9": "a transaction is there whole or not at all",
    "I10": "every publish is confirmed or refused, once, and not before it is safe",
    "I11": "the broker starts from every legal state, and a second start finds the same",
    "I12": "rot is found, named and never delivered; the rest is served",
    "I13": "a failed write or sync is final",
    "I14": "a full disk is not fatal",
}


class Violation(AssertionError):
    """A promise is broken: which one, and how it shows."""

    def __init__(self, invariant: str, how: str) -> None:
        super().__init__(f"{invariant} ({INVARIANTS[invariant]}): {how}")
        self.invariant = invariant
