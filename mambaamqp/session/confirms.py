"""Publisher confirms of one channel.

Everything published in a batch is confirmed together, cumulatively, once the journal is durable up to
where it stood at the end of the batch; what needs no journal is confirmed at once unless something older
still waits. A refused publish is nacked on the spot, before any acknowledgement could cover it.
"""

from collections import deque

from mambaamqp.session.outbox import Outbox
from mambaamqp.wire import fast


class Confirms:
    """Sequence numbers from 1; `accepted` is the last one that is to be acknowledged."""

    def __init__(self, channel: int, outbox: Outbox) -> None:
        self.channel = channel
        self.outbox = outbox
        self.published = 0
        self.accepted = 0
        self.acknowledged = 0
        self.position = 0
        """Where the journal stood after this channel's last journaled publish."""
        self.parked: deque[tuple[int, int]] = deque()
        """(journal position, sequence number) of batches that wait, oldest first."""

    @property
    def waiting(self) -> int:
        """Publishes that are neither confirmed nor refused yet."""
        return self.accepted - self.acknowledged

    def refuse(self) -> None:
        """The publish just counted was not taken."""
        self.outbox.write(fast.nack(self.channel, self.published, False))

    def end_batch(self, durable: int) -> bool:
        """Acknowledge what can be; True when the rest has to wait for the journal."""
        if self.accepted == self.acknowledged:
            return False
        if not self.parked and self.position <= durable:
            self._acknowledge(self.accepted)
            return False
        if not self.parked or self.parked[-1][1] != self.accepted:
            self.parked.append((self.position, self.accepted))
        return True

    def durable(self, position: int) -> bool:
        """The journal is safe up to `position`: acknowledge; True when batches still wait."""
        upto = 0
        while self.parked and self.parked[0][0] <= position:
            upto = self.parked.popleft()[1]
        if upto > self.acknowledged:
            self._acknowledge(upto)
        return bool(self.parked)

    def _acknowledge(self, upto: int) -> None:
        several = upto - self.acknowledged > 1
        self.outbox.write(fast.ack(self.channel, upto, several))
        self.acknowledged = upto
