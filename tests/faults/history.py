"""What real clients did and were told over several lives of a broker, and whether it all fits together.

After Jepsen's total-queue checker: every publish is an instance with a name of its own, and what is found at
the end (drained) or came in between (delivered) is held against what was sent, confirmed and settled. A
publish that its client did not see confirmed may be there or not.

Clients are threads: every method may be called from any of them.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from tests.support.violation import Violation


class Name(NamedTuple):
    """A publish: the `number`-th of a channel. Channels are never used again."""

    channel: str
    number: int


class Sent(NamedTuple):
    """Where a publish must go; `transaction` names what it must live or die with."""

    queues: tuple[str, ...]
    persistent: bool
    life: int
    transaction: str


def pack(name: Name, payload: bytes) -> bytes:
    """A body that says what it is and shows whether it is whole."""
    head = f"{name.channel} {name.number} ".encode()
    return head + sha256(head + payload).hexdigest().encode() + b" " + payload


def unpack(body: bytes) -> Name:
    """The name of a body; Violation if a single octet has changed."""
    try:
        channel, number, digest, payload = body.split(b" ", 3)
        name = Name(channel.decode(), int(number))
    except ValueError:
        raise Violation("I2", f"a message that nobody sent: {body[:60]!r}") from None
    if sha256(b"%s %s " % (channel, number) + payload).hexdigest().encode() != digest:
        raise Violation("I2", f"{name} has changed on the way")
    return name


class History:
    """Everything that was seen. `life` counts the brokers; what is seen while `frozen` binds nobody."""

    def __init__(self) -> None:
        self.life = 0
        self.frozen = False
        self.keeps_transient = False
        """Transient messages may outlive the broker: quorum queues have them on disk too."""
        self.sent: dict[Name, Sent] = {}
        self.confirmed: set[Name] = set()
        self.refused: set[Name] = set()
        self.delivered: dict[tuple[str, Name], int] = {}
        """(queue, publish) → the life of its first delivery."""
        self.acknowledged: set[tuple[str, Name]] = set()
        """An acknowledgement was sent: the message may be gone."""
        self.settled: set[tuple[str, Name]] = set()
        """Something later was promised: the message must be gone."""
        self.committed: set[str] = set()
        """Transactions whose commit-ok was seen."""
        self.asked: Counter[str] = Counter()
        """By queue: gets with automatic acknowledgement that had no answer. Each may have taken a message
        that was on its way when the broker died."""
        self.violations: list[Violation] = []
        self._changed = threading.Condition()

    # What clients report

    def send(
        self, name: Name, queues: tuple[str, ...], *, persistent: bool = True, transaction: str = ""
    ) -> None:
        """About to be published."""
        with self._changed:
            self.sent[name] = Sent(queues, persistent, self.life, transaction)

    def confirm(self, channel: str, numbers: list[int], *, accepted: bool = True) -> None:
        """basic.ack or basic.nack for these."""
        with self._changed:
            for number in numbers:
                name = Name(channel, number)
                if name not in self.sent:
                    self._violated("I10", f"{name} is confirmed and was not sent")
                elif name in self.confirmed or name in self.refused:
                    self._violated("I10", f"{name} is confirmed twice")
                elif accepted and not self.frozen:
                    self.confirmed.add(name)
                elif not accepted:
                    self.refused.add(name)
            self._changed.notify_all()

    def deliver(self, queue: str, body: bytes, redelivered: bool) -> Name:
        """A message came; returns its name."""
        with self._changed:
            try:
                name = unpack(body)
            except Violation as violation:
                self.violations.append(violation)
                raise
            self._check_delivery(queue, name, redelivered)
            self.delivered.setdefault((queue, name), self.life)
            self._changed.notify_all()
        return name

    def _check_delivery(self, queue: str, name: Name, redelivered: bool) -> None:
        sent = self.sent.get(name)
        if sent is None or queue not in sent.queues or name in self.refused:
            self._violated("I2", f"{name} came out of {queue}")
            return
        if (queue, name) in self.settled:
            self._violated("I5", f"{name} came out of {queue} after it was settled")
        if (queue, name) in self.delivered and not redelivered:
            self._violated("I6", f"{name} came out of {queue} again and does not say so")
        if not sent.persistent and sent.life != self.life and not self.keeps_transient:
            self._violated("I8", f"{name} is transient and outlived its broker")

    def acknowledge(self, queue: str, name: Name) -> None:
        """About to be acknowledged."""
        with self._changed:
            self.acknowledged.add((queue, name))

    def ask(self, queue: str) -> None:
        """About to get a message that is acknowledged by being sent."""
        with self._changed:
            self.asked[queue] += 1

    def answered(self, queue: str) -> None:
        """What was asked for came, or there was nothing."""
        with self._changed:
            self.asked[queue] -= 1

    def settle(self, settled: list[tuple[str, Name]]) -> None:
        """Something that the journal orders after these acknowledgements was promised."""
        with self._changed:
            if not self.frozen:
                self.settled.update(settled)

    def commit(self, transaction: str) -> None:
        """tx.commit-ok."""
        with self._changed:
            if not self.frozen:
                self.committed.add(transaction)
            self._changed.notify_all()

    def _violated(self, invariant: str, how: str) -> None:
        self.violations.append(Violation(invariant, f"life {self.life}: {how}"))

    # What the director does

    def begin_life(self) -> None:
        """Another broker."""
        with self._changed:
            self.life += 1
            self.frozen = False

    def freeze(self) -> None:
        """The power goes: a sync that is under way may still report success and be lost."""
        with self._changed:
            self.frozen = True

    def wait_for(self, confirmed: int, timeout_seconds: float) -> bool:
        """Until so many are confirmed; False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.confirmed) >= confirmed, timeout_seconds)

    # Judgement

    def check(self, drained: dict[str, list[Name]]) -> None:
        """`drained`: what was in the queues at the end, in order. Violation for the first promise broken."""
        self._excuse(drained)
        for violation in (*self.violations, *self._judge(drained)):
            raise violation

    def _excuse(self, drained: dict[str, list[Name]]) -> None:
        """What is missing was taken by gets without an answer, if there were as many."""
        unaccounted: dict[str, set[Name]] = defaultdict(set)
        for queue, name in (*self._missing(drained), *self._missing_parts(drained)):
            unaccounted[queue].add(name)
        for queue, names in drained.items():
            unaccounted[queue].update(self._missing_between(queue, names))
        for queue, lost in unaccounted.items():
            if len(lost) <= self.asked[queue]:
                self.acknowledged |= {(queue, name) for name in lost}

    def _judge(self, drained: dict[str, list[Name]]) -> Iterator[Violation]:
        yield from self._lost(drained)
        for queue, names in drained.items():
            yield from _doubled(queue, names)
            yield from _disordered(queue, names)
            yield from self._holes(queue, names)
        yield from self._parted(drained)

    def _is_kept(self, drained: dict[str, set[Name]], queue: str, name: Name) -> bool:
        """It is there, or may be gone."""
        return name in drained[queue] or (queue, name) in self.acknowledged

    def count_lost(self, drained: dict[str, list[Name]]) -> int:
        """Promised, persistent, taken by nobody, and gone: messages, each in each of its queues."""
        return sum(1 for _ in self._missing(drained))

    def _lost(self, drained: dict[str, list[Name]]) -> Iterator[Violation]:
        for queue, name in self._missing(drained):
            yield Violation("I1", f"{name} was promised and is not in {queue}")

    def _missing(self, drained: dict[str, list[Name]]) -> Iterator[tuple[str, Name]]:
        there = {queue: set(names) for queue, names in drained.items()}
        promised = self.confirmed | {n for n, sent in self.sent.items() if sent.transaction in self.committed}
        for name in sorted(promised):
            sent = self.sent[name]
            for queue in sent.queues:
                if sent.persistent and not self._is_kept(there, queue, name):
                    yield queue, name

    def _holes(self, queue: str, names: list[Name]) -> Iterator[Violation]:
        for name in self._missing_between(queue, names):
            yield Violation("I4", f"{name} is missing in {queue}, and later ones are there")

    def _missing_between(self, queue: str, names: list[Name]) -> Iterator[Name]:
        """A message that is there was published after others, which are there too or were taken."""
        last: dict[str, int] = {}
        for name in names:
            last[name.channel] = max(last.get(name.channel, 0), name.number)
        there = set(names)
        for name, sent in self.sent.items():
            if name.number < last.get(name.channel, 0) and queue in sent.queues and sent.persistent:
                gone = (queue, name) in self.acknowledged or name in self.refused
                if name not in there and not gone:
                    yield name

    def _parted(self, drained: dict[str, list[Name]]) -> Iterator[Violation]:
        for queue, name in self._missing_parts(drained):
            transaction = self.sent[name].transaction
            yield Violation("I9", f"transaction {transaction} is there in part: {name} is not in {queue}")

    def _missing_parts(self, drained: dict[str, list[Name]]) -> Iterator[tuple[str, Name]]:
        """What is missing of transactions of which something is there."""
        there = {queue: set(names) for queue, names in drained.items()}
        transactions: dict[str, list[tuple[str, Name]]] = defaultdict(list)
        for name, sent in self.sent.items():
            if sent.transaction:
                transactions[sent.transaction] += [(queue, name) for queue in sent.queues]
        for parts in transactions.values():
            missing = [part for part in parts if not self._is_kept(there, *part)]
            if len(missing) < len(parts):
                yield from missing


def _doubled(queue: str, names: list[Name]) -> Iterator[Violation]:
    if len(set(names)) < len(names):
        twice = [name for place, name in enumerate(names) if name in names[:place]]
        yield Violation("I3", f"more than once in {queue}: {twice[:5]}")


def _disordered(queue: str, names: list[Name]) -> Iterator[Violation]:
    last: dict[str, int] = {}
    for name in names:
        if name.number < last.get(name.channel, 0):
            yield Violation("I4", f"{name} stands in {queue} behind {last[name.channel]}")
        last[name.channel] = name.number
