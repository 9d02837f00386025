"""What clients did and were told, in order, and what of it no broker may contradict.

A letter is a message with a number of its own; a copy is a letter in one queue. The history knows nothing of
the broker but what has come through a socket. Some promises are checked as things are received, the others
when the last broker has been drained.

Persistent letters on one connection are in the journal in order: one that was confirmed, or was seen after
a restart, vouches for all that its connection published before it.
"""

from typing import Any, Final

TOPOLOGY: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "deadly": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"},
    "brief": {
        "x-message-ttl": 300,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "dead",
    },
    "dead": {},
    "capped": {"x-max-length": 3, "x-overflow": "reject-publish"},
    "quorum": {"x-queue-type": "quorum", "x-delivery-limit": -1},
    "passing": {},
}
MORTAL: Final = ("deadly", "brief")
"""Queues whose dead go to "dead"."""
PASSING: Final = "passing"
"""The queue that is not durable."""
HALL: Final = ("plain", "deadly")
"""Where a publish to the fanout exchange goes."""

Copy = tuple[int, str]
"""(number of a letter, queue)."""


class Letter:
    """A message that a client has published, once."""

    def __init__(
        self, number: int, body: bytes, author: Any, queues: tuple[str, ...], persistent: bool, life: int
    ) -> None:
        self.number = number
        self.body = body
        self.author = author
        """The connection that published it."""
        self.queues = queues
        self.persistent = persistent
        self.life = life
        self.outcome = ""
        """What the broker said of it: "confirmed", "nacked", or nothing yet."""
        self.returned = False
        self.returns: dict[str, int] = {}
        """How often something had come back to its queues when it was published."""


class Transaction:
    """What is to happen together; `state` is open, sent, done or undone."""

    def __init__(self, life: int) -> None:
        self.life = life
        self.state = "open"
        self.letters: list[Letter] = []
        self.settled: list[Copy] = []


class History:
    """All letters, copies and transactions of one seed."""

    def __init__(self) -> None:
        self.life = 0
        self.letters: list[Letter] = []
        self.transactions: list[Transaction] = []
        self.of_transaction: dict[int, Transaction] = {}
        self.seen: dict[Copy, list[int]] = {}
        """Copy → the lives in which a client received it."""
        self.held: dict[Copy, Any] = {}
        """Copy → who has it unacknowledged."""
        self.gone: set[Copy] = set()
        """Copies whose removal somebody has asked for."""
        self.safely_gone: set[Copy] = set()
        """Copies whose removal was promised to be durable."""
        self.returns: dict[str, int] = dict.fromkeys(TOPOLOGY, 0)
        self.leaving: dict[str, int] = dict.fromkeys(TOPOLOGY, 0)
        """Connections that may give back at any moment what they have of a queue."""
        self.vouched: dict[Any, int] = {}
        """Connection → its last letter that is known to be in the journal."""
        self.counts: dict[str, int] = {}

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    # What clients do

    def published(
        self,
        author: Any,
        body: bytes,
        queues: tuple[str, ...],
        persistent: bool,
        transaction: "Transaction | None",
    ) -> Letter:
        letter = Letter(len(self.letters), body, author, queues, persistent, self.life)
        letter.returns = {queue: self.returns[queue] for queue in queues}
        self.letters.append(letter)
        if transaction is not None:
            transaction.letters.append(letter)
            self.of_transaction[letter.number] = transaction
        return letter

    def begun(self) -> Transaction:
        transaction = Transaction(self.life)
        self.transactions.append(transaction)
        return transaction

    def settled(self, holder: Any, copy: Copy, how: str) -> None:
        """ack, reject or requeue has been sent."""
        self.count(how)
        if self.held.get(copy) is holder:
            del self.held[copy]
        if how == "requeue":
            self.returns[copy[1]] += 1
        elif how == "ack" or copy[1] not in MORTAL:
            self.gone.add(copy)

    def leaves(self, holder: Any, queues: "set[str]") -> None:
        """A client has done with its connection; the broker has yet to hear of it."""
        self.left(holder, queues)
        for queue in queues:
            self.leaving[queue] += 1

    def left(self, holder: Any, queues: "set[str]") -> None:
        """A channel or connection is over: what it held waits again."""
        self.held = {copy: who for copy, who in self.held.items() if who is not holder}
        for queue in queues:
            self.returns[queue] += 1

    def restarted(self) -> None:
        """Another broker."""
        self.life += 1
        self.held.clear()
        for queue in self.returns:
            self.returns[queue] += 1
            self.leaving[queue] = 0

    # What clients are told

    def confirmed(self, letter: Letter) -> None:
        self.count("confirmed")
        assert not letter.outcome, f"I10: {letter.number} is {letter.outcome} already"
        assert letter.queues or letter.returned, f"I10: {letter.number} is confirmed before it is returned"
        letter.outcome = "confirmed"
        if letter.persistent and set(letter.queues) - {PASSING}:
            self._vouch(letter)

    def nacked(self, letter: Letter) -> None:
        self.count("nacked")
        assert not letter.outcome, f"I10: {letter.number} is {letter.outcome} already"
        assert letter.queues == ("capped",), f"I10: {letter.number} is refused without need"
        letter.outcome = "nacked"

    def returned(self, body: bytes) -> None:
        self.count("returned")
        letter = self.letter(body)
        assert not letter.queues, f"I10: {letter.number} comes back although it has a queue"
        letter.returned = True

    def received(self, holder: Any, queue: str, body: bytes, redelivered: bool) -> Copy:
        """A delivery: of something that was sent, to one at a time, marked when it is not the first."""
        letter = self.letter(body)
        copy = letter.number, queue
        self._check_known(letter, queue)
        assert copy not in self.safely_gone, f"I5: {copy} comes back after its acknowledgement was promised"
        assert copy not in self.held, f"I3: {copy} is delivered to two"
        # A death that was not synced may happen again after a crash, and is then the first.
        if queue != "dead" and copy in self.seen:
            assert redelivered, f"I6: {copy} is delivered again without a mark"
            self.count("redelivered")
        elif redelivered and queue in letter.returns and not self.leaving[queue]:
            assert self.returns[queue] > letter.returns[queue], f"I6: {copy} is marked without a reason"
        if queue in MORTAL:
            assert self.life not in self.seen.get((letter.number, "dead"), ()), f"I3: {copy} died and lives"
        self.seen.setdefault(copy, []).append(self.life)
        self.held[copy] = holder
        if letter.life < self.life and letter.persistent:
            self._vouch(letter)
        self.count("received")
        return copy

    def letter(self, body: bytes) -> Letter:
        number, _, _ = body.partition(b":")
        assert number.isdigit() and int(number) < len(self.letters), f"I2: {body[:20]!r} was never sent"
        letter = self.letters[int(number)]
        assert letter.body == body, f"I2: {letter.number} has changed"
        return letter

    def _check_known(self, letter: Letter, queue: str) -> None:
        if queue == "dead":
            assert set(letter.queues) & set(MORTAL), f"I2: {letter.number} cannot have died"
        else:
            assert queue in letter.queues, f"I2: {letter.number} was never for {queue}"
        assert letter.outcome != "nacked", f"I2: {letter.number} was refused"
        survives = queue == "quorum" or (letter.persistent and queue != PASSING)
        assert survives or letter.life == self.life, (
            f"I8: {letter.number} is transient and outlived a restart"
        )
        transaction = self.of_transaction.get(letter.number)
        if transaction is not None:
            assert transaction.state in ("sent", "done"), f"I9: {letter.number} was never committed"

    def committed(self, transaction: Transaction) -> None:
        """tx.commit-ok."""
        self.count("committed")
        transaction.state = "done"
        for letter in transaction.letters:
            letter.outcome = "confirmed"
        self.removed_safely(transaction.settled)

    def removed_safely(self, copies: "list[Copy]") -> None:
        """What promised that these are gone has been received."""
        for copy in copies:
            self.count("safely gone")
            assert copy not in self.held, f"I3: {copy} was delivered to somebody else"
            self.safely_gone.add(copy)

    def _vouch(self, letter: Letter) -> None:
        if letter.number not in self.of_transaction:
            self.vouched[letter.author] = max(self.vouched.get(letter.author, 0), letter.number)

    # Judgement, when all has been drained

    def judge(self, drained: "dict[str, list[int]]") -> None:
        """`drained` is what was left in each queue, in order."""
        self._check_order(drained)
        left = {(number, queue) for queue, numbers in drained.items() for number in numbers}
        for transaction in self.transactions:
            self._judge_transaction(transaction, left)
        for letter in self.letters:
            for queue in letter.queues:
                if self._must_be_there(letter, queue):
                    assert self._accounted(letter, queue, left), f"I1: {(letter.number, queue)} is lost"

    def _check_order(self, drained: "dict[str, list[int]]") -> None:
        for queue, numbers in drained.items():
            assert len(set(numbers)) == len(numbers), f"I3: something is twice in {queue}"
            last: dict[Any, int] = {}
            for number in numbers if queue != "dead" else ():
                author = self.letters[number].author
                assert last.get(author, -1) < number, f"I4: {number} is out of order in {queue}"
                last[author] = number
        died = set(drained["dead"])
        for queue in MORTAL:
            assert not died & set(drained[queue]), "I3: something is dead and alive"

    def _must_be_there(self, letter: Letter, queue: str) -> bool:
        if not letter.persistent and queue != "quorum":
            return False
        if queue == PASSING or letter.outcome == "nacked":
            return False
        if letter.outcome == "confirmed":
            return True
        return queue != "capped" and letter.number <= self.vouched.get(letter.author, -1)

    def _accounted(self, letter: Letter, queue: str, left: "set[Copy]") -> bool:
        places = [(letter.number, queue)]
        if queue in MORTAL:
            places.append((letter.number, "dead"))
        return any(copy in left or copy in self.gone for copy in places)

    def _judge_transaction(self, transaction: Transaction, left: "set[Copy]") -> None:
        if transaction.state == "done":
            self.gone.update(transaction.settled)
        if transaction.state != "sent":
            return
        copies = self._places(transaction)
        since = min(transaction.life + 1, self.life)
        happened = any(
            copy in left or any(life >= since for life in self.seen.get(copy, ())) for copy in copies
        )
        settled = any(copy in self.gone for copy in copies)
        self.count("happened unseen" if happened else "never happened")
        if happened:
            for letter in transaction.letters:
                letter.outcome = "confirmed"
        if happened or settled or not copies:
            self.gone.update(transaction.settled)
        for copy in transaction.settled if happened else ():
            later = [life for life in self.seen[copy] if life > transaction.life]
            assert not later and copy not in left, f"I9: half a transaction: {copy} came back"

    def _places(self, transaction: Transaction) -> "list[Copy]":
        """Where the letters of a transaction may be, dead ones too."""
        return [
            (letter.number, place)
            for letter in transaction.letters
            for queue in letter.queues
            for place in ((queue, "dead") if queue in MORTAL else (queue,))
        ]
