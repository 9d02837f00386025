"""mambaamqp/session/unacked.py: outstanding deliveries by their tags, against a plain dictionary."""

from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.broker.entry import Entry
from mambaamqp.session.unacked import Unacked
from tests.support.client import World


def entries(count: int) -> list[Entry]:
    """Deliverable entries of a real queue."""
    client = World().connect().open()
    client.queue("q")
    for place in range(count):
        client.publish(b"%d" % place)
    return client.session.broker.vhosts["/"].queues["q"].ready.entries()


ENTRIES = entries(40)


def filled(*tags: int) -> Unacked:
    unacked = Unacked()
    for tag in tags:
        unacked.add(tag, ENTRIES[tag])
    return unacked


def taken_tags(taken: list[tuple[int, Entry]]) -> list[int]:
    assert all(entry is ENTRIES[tag] for tag, entry in taken)
    return [tag for tag, _ in taken]


def test_a_delivery_is_taken_once() -> None:
    """The second time there is nothing under the tag."""
    unacked = filled(1, 2, 3)
    assert unacked.take(2) is ENTRIES[2]
    assert unacked.take(2) is None
    assert len(unacked) == 2


def test_up_to_a_tag_with_gaps() -> None:
    """What was taken one by one before is passed over."""
    unacked = filled(1, 2, 3, 4, 5)
    unacked.take(2)
    assert taken_tags(unacked.take_up_to(4)) == [1, 3, 4]
    assert list(unacked.entries) == [5]


def test_tags_that_were_never_outstanding_are_not_walked_over() -> None:
    """A million automatic acknowledgements in between cost nothing."""
    unacked = filled(1)
    far = 1 << 62
    unacked.add(far, ENTRIES[2])
    assert [tag for tag, _ in unacked.take_up_to(far)] == [1, far]


def test_put_back_keeps_the_order_of_tags() -> None:
    """Those of a rolled back transaction stand before younger ones again, and can be taken in one go."""
    unacked = filled(1, 2, 3)
    taken = unacked.take_up_to(2)
    unacked.add(4, ENTRIES[4])
    unacked.put_back(taken)
    assert taken_tags(unacked.take_up_to(3)) == [1, 2, 3]
    unacked.put_back([])
    assert taken_tags(unacked.take_all()) == [4]


@given(st.lists(st.tuples(st.sampled_from(["add", "take", "up", "all", "back"]), st.integers(1, 40))))
def test_agrees_with_a_dictionary(steps: list[tuple[str, int]]) -> None:
    """Whatever is added, taken and put back, in any order."""
    unacked, model, last, rolled_back = Unacked(), dict[int, Entry](), 0, list[tuple[int, Entry]]()
    for what, number in steps:
        if what == "add":
            last += number  # tags in between went to consumers without acknowledgements
            entry = ENTRIES[last % 40]
            unacked.add(last, entry)
            model[last] = entry
        elif what == "take":
            assert unacked.take(number) is model.pop(number, None)
        elif what == "up" and number in model:
            expected = [(tag, entry) for tag, entry in model.items() if tag <= number]
            rolled_back = unacked.take_up_to(number)
            assert rolled_back == expected
            model = {tag: entry for tag, entry in model.items() if tag > number}
        elif what == "all":
            rolled_back = unacked.take_all()
            assert rolled_back == list(model.items())
            model = {}
        elif what == "back":
            unacked.put_back(rolled_back)
            model = dict(sorted({**model, **dict(rolled_back)}.items()))
            rolled_back = []
        assert list(unacked.entries.items()) == list(model.items())


def test_age_is_known_by_marks() -> None:
    """What is not beyond a mark is at least as old; what is beyond all of them is not old at all."""
    unacked = filled(1, 2, 3)
    unacked.mark(2, 10.0)
    unacked.mark(3, 20.0)
    unacked.add(4, ENTRIES[4])

    assert [(tag, moment) for tag, _, moment in unacked.older(10.0)] == [(1, 10.0), (2, 10.0)]
    assert [tag for tag, _, _ in unacked.older(99.0)] == [1, 2, 3]
    assert unacked.older(9.0) == []


def test_marks_that_nobody_needs_are_dropped() -> None:
    """And of too many every second one: the oldest delivery keeps its own."""
    unacked = filled(1, 2)
    unacked.mark(2, 10.0)
    unacked.take_all()
    unacked.mark(2, 11.0)
    assert unacked.marks == []

    for tag in range(3, 1003):
        unacked.add(tag, ENTRIES[1])
        unacked.mark(tag, float(tag))
    assert len(unacked.marks) <= 257
    assert unacked.older(3.0)[0][0] == 3


def test_what_was_taken_away_may_still_be_spoken_of() -> None:
    """Up to the largest tag that was taken away."""
    unacked = filled(1, 2, 3)

    assert unacked.reclaim([1, 2]) == [ENTRIES[1], ENTRIES[2]]
    assert unacked.reclaimed == 2
    assert list(unacked.entries) == [3]
