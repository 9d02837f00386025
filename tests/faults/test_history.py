"""The checker of histories finds what is wrong with one: a small history, and every way to spoil it."""

from collections.abc import Callable

import pytest

from tests.faults.history import History, Name, pack, unpack
from tests.support.violation import Violation

Drained = dict[str, list[Name]]


def name(number: int, channel: str = "p") -> Name:
    return Name(channel, number)


def good() -> tuple[History, Drained]:
    """Five publishes to two queues: taken, lost rightly, kept; a transaction; two lives."""
    history = History()
    history.begin_life()
    for number in range(1, 6):
        history.send(name(number), ("a", "b"))
    history.confirm("p", [1, 2, 3, 4])
    history.send(name(1, "t"), ("a",), transaction="t1")
    history.send(name(2, "t"), ("b",), transaction="t1")
    history.commit("t1")
    history.deliver("a", pack(name(1), b"x"), False)
    history.acknowledge("a", name(1))
    history.settle([("a", name(1))])
    history.send(name(1, "v"), ("a",), persistent=False)
    history.begin_life()
    kept = [name(number) for number in range(2, 5)]
    return history, {"a": [*kept, name(1, "t")], "b": [name(1), *kept, name(2, "t")]}


def test_a_good_history_is_good() -> None:
    """Nothing is wrong with it."""
    history, drained = good()
    history.check(drained)


def test_a_quorum_queue_keeps_what_is_transient() -> None:
    """That is no fault where it is said before."""
    history, drained = good()
    history.keeps_transient = True
    history.deliver("a", pack(name(1, "v"), b""), True)
    history.check(drained)


def lost(history: History, drained: Drained) -> None:
    drained["a"].remove(name(4))


def a_hole(history: History, drained: Drained) -> None:
    history.confirmed.remove(name(3))
    drained["a"].remove(name(3))


def invented(history: History, drained: Drained) -> None:
    history.deliver("a", pack(name(9), b""), False)


def in_the_wrong_queue(history: History, drained: Drained) -> None:
    history.deliver("b", pack(name(1, "t"), b""), False)


def refused_and_there(history: History, drained: Drained) -> None:
    history.confirm("p", [5], accepted=False)
    history.deliver("a", pack(name(5), b""), False)


def doubled(history: History, drained: Drained) -> None:
    drained["a"].insert(0, name(2))


def out_of_order(history: History, drained: Drained) -> None:
    drained["b"].reverse()


def back_again(history: History, drained: Drained) -> None:
    history.deliver("a", pack(name(1), b"x"), True)


def not_marked(history: History, drained: Drained) -> None:
    history.deliver("b", pack(name(2), b""), False)
    history.deliver("b", pack(name(2), b""), False)


def outlived(history: History, drained: Drained) -> None:
    history.deliver("a", pack(name(1, "v"), b""), True)


def half_a_transaction(history: History, drained: Drained) -> None:
    history.committed.clear()
    drained["b"].remove(name(2, "t"))


def confirmed_twice(history: History, drained: Drained) -> None:
    history.confirm("p", [4])


def confirmed_and_not_sent(history: History, drained: Drained) -> None:
    history.confirm("p", [99])


SPOILED: dict[Callable[[History, Drained], None], str] = {
    lost: "I1",
    a_hole: "I4",
    invented: "I2",
    in_the_wrong_queue: "I2",
    refused_and_there: "I2",
    doubled: "I3",
    out_of_order: "I4",
    back_again: "I5",
    not_marked: "I6",
    outlived: "I8",
    half_a_transaction: "I9",
    confirmed_twice: "I10",
    confirmed_and_not_sent: "I10",
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_what_is_wrong_is_named(spoil: Callable[[History, Drained], None]) -> None:
    """Each promise that is broken, by its number."""
    history, drained = good()
    spoil(history, drained)
    with pytest.raises(Violation) as caught:
        history.check(drained)
    assert caught.value.invariant == SPOILED[spoil]


def test_a_get_without_an_answer_may_have_taken_one() -> None:
    """It was acknowledged by being sent, and died on its way."""
    history, drained = good()
    history.ask("a")
    drained["a"].remove(name(3))
    history.check(drained)


@pytest.mark.parametrize(
    ("asked", "answered", "lost"), [("a", "", (3, 4)), ("b", "", (3,)), ("a", "a", (3,))]
)
def test_a_get_takes_no_more_than_one(asked: str, answered: str, lost: tuple[int, ...]) -> None:
    """Nor out of another queue, nor when it had its answer."""
    history, drained = good()
    history.ask(asked)
    if answered:
        history.answered(answered)
    for number in lost:
        drained["a"].remove(name(number))
    with pytest.raises(Violation):
        history.check(drained)


def test_what_is_seen_after_the_cut_binds_nobody() -> None:
    """A sync that was under way when the power went may have reported success."""
    history = History()
    history.begin_life()
    history.send(name(1), ("a",))
    history.freeze()
    history.confirm("p", [1])
    history.check({"a": []})


@pytest.mark.parametrize("at", [0, 3, 20, -1])
def test_a_changed_octet_shows(at: int) -> None:
    """Wherever it is in the body."""
    body = bytearray(pack(name(7), b"payload"))
    assert unpack(bytes(body)) == name(7)
    body[at] ^= 1
    with pytest.raises(Violation) as caught:
        unpack(bytes(body))
    assert caught.value.invariant == "I2"
