"""mambaamqp/broker/dead_letter.py: the history of a dead letter, to RabbitMQ's letter."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode

from mambaamqp.broker.dead_letter import DEATHS_MAX, death_headers, in_cycle
from mambaamqp.wire import properties
from mambaamqp.wire.table import Timestamp


def header(**props: Any) -> bytes:
    return properties.encode(props, 3)


def die(
    octets: bytes, queue: str = "q", reason: str = "rejected", *, ours: bool = True, keys: Any = ("k",)
) -> bytes:
    return death_headers(octets, queue, reason, "x", list(keys), 1_700_000_000, ours)


def headers(octets: bytes) -> dict[str, Any]:
    values = properties.get(octets, "headers").values
    assert isinstance(values, dict)
    return values


def deaths(octets: bytes) -> list[tuple[str, str, int]]:
    """(queue, reason, count), latest first."""
    return [(death["queue"], death["reason"], death["count"]) for death in headers(octets)["x-death"]]


def test_a_first_death_is_told_in_full() -> None:
    """x-death with one entry, and the companions of the first and the last death."""
    died = headers(die(header(headers={"mine": 1}), keys=("k", "cc")))
    assert died == {
        "mine": 1,
        "x-death": [
            {
                "count": 1,
                "reason": "rejected",
                "queue": "q",
                "time": Timestamp(1_700_000_000),
                "exchange": "x",
                "routing-keys": ["k", "cc"],
            }
        ],
        "x-first-death-reason": "rejected",
        "x-first-death-queue": "q",
        "x-first-death-exchange": "x",
        "x-last-death-reason": "rejected",
        "x-last-death-queue": "q",
        "x-last-death-exchange": "x",
    }


def test_the_expiration_is_kept_in_the_history_only() -> None:
    """A dead letter must not expire again by its publisher's word."""
    died = die(header(expiration="60", message_id="m"), reason="expired")
    assert properties.get(died, "expiration") is None
    assert properties.get(died, "message_id") == "m"
    assert headers(died)["x-death"][0]["original-expiration"] == "60"


@pytest.mark.parametrize(("sent", "kept"), [("060", "60"), ("+5", "5"), ("000", "0"), ("0", "0")])
def test_the_expiration_is_kept_as_a_number(sent: str, kept: str) -> None:
    """As RabbitMQ read it, not as it was written."""
    died = die(header(expiration=sent), reason="expired")
    assert headers(died)["x-death"][0]["original-expiration"] == kept


def test_the_same_death_again_is_counted() -> None:
    """Queue and reason tell deaths apart; the latest stands first, with the time of its first."""
    once = die(header())
    twice = death_headers(once, "q", "rejected", "y", ["z"], 2_000_000_000, True)
    assert deaths(twice) == [("q", "rejected", 2)]
    assert headers(twice)["x-death"][0]["time"] == Timestamp(1_700_000_000)
    assert headers(twice)["x-death"][0]["exchange"] == "x"
    other = die(die(twice, "r", "expired"), "q", "expired")
    assert deaths(other) == [("q", "expired", 1), ("r", "expired", 1), ("q", "rejected", 2)]
    again = die(other)
    assert deaths(again) == [("q", "rejected", 3), ("q", "expired", 1), ("r", "expired", 1)]


def test_the_octets_of_a_death() -> None:
    """Key by key: `count` is a long, the time a timestamp, text long strings, in RabbitMQ's order."""
    raw = properties.get(die(header(expiration="9"), keys=("k", "cc")), "headers").raw
    entry = (
        b"\x13original-expirationS\0\0\0\x019"
        b"\x05countl\0\0\0\0\0\0\0\1"
        b"\x06reasonS\0\0\0\x08rejected"
        b"\x05queueS\0\0\0\1q"
        b"\x04timeT\0\0\0\0\x65\x53\xf1\0"
        b"\x08exchangeS\0\0\0\1x"
        b"\x0crouting-keysA\0\0\0\x0dS\0\0\0\1kS\0\0\0\2cc"
    )
    table = b"F" + len(entry).to_bytes(4, "big") + entry
    assert raw.startswith(b"\x07x-deathA" + len(table).to_bytes(4, "big") + table)


def test_the_list_is_bounded() -> None:
    """A chain of queues without end keeps the latest deaths, and still counts on those it has."""
    octets = header()
    for number in range(DEATHS_MAX + 5):
        octets = die(octets, f"q{number}", "expired")
    assert len(deaths(octets)) == DEATHS_MAX
    assert deaths(octets)[0] == (f"q{DEATHS_MAX + 4}", "expired", 1)
    again = die(octets, "q5", "expired")
    assert (deaths(again)[0], len(deaths(again))) == (("q5", "expired", 2), DEATHS_MAX)
    assert headers(again)["x-first-death-queue"] == "q0"


def test_the_first_death_is_never_rewritten() -> None:
    """The last one always is."""
    died = headers(die(die(header(), "a", "expired"), "b", "maxlen"))
    assert (died["x-first-death-queue"], died["x-first-death-reason"]) == ("a", "expired")
    assert (died["x-last-death-queue"], died["x-last-death-reason"]) == ("b", "maxlen")


@pytest.mark.parametrize(
    "forged",
    [
        {"x-death": "nonsense"},
        {"x-death": [{"queue": "q", "reason": "rejected", "count": 1 << 62}]},
        {"x-death": [1, None, "x"], "x-first-death-reason": "murder"},
    ],
)
def test_a_clients_own_history_means_nothing(forged: dict[str, Any]) -> None:
    """It is replaced by the truth when it was not the broker who wrote it."""
    died = die(header(headers=forged), ours=False)
    assert deaths(died) == [("q", "rejected", 1)]
    assert headers(died)["x-first-death-reason"] == "rejected"


@pytest.mark.parametrize("count", ["many", None, 1.5])
def test_a_history_that_is_not_one_is_survived(count: Any) -> None:
    """Whatever a header says, burying goes on."""
    odd = header(headers={"x-death": [{"queue": "q", "reason": "rejected", "count": count}, 7]})
    assert deaths(die(odd)) == [("q", "rejected", 1)]


def test_other_headers_stay_octet_by_octet() -> None:
    """Types that a client chose are the client's."""
    raw = b"\1aI\0\0\0\1\1bs\0\2"
    sent = properties.replace(header(), {"headers": len(raw).to_bytes(4, "big") + raw})
    died = properties.get(die(sent), "headers")
    assert died.raw.startswith(raw)


def test_others_can_read_it() -> None:
    """pamqp decodes the table to the end."""
    raw = properties.get(die(header(headers={"a": "b"})), "headers").raw
    size, values = decode.field_table(len(raw).to_bytes(4, "big") + raw)
    assert size == len(raw) + 4
    assert values["x-death"][0]["count"] == 1


# Cycles


def test_a_circle_without_a_rejection_is_a_cycle() -> None:
    """Expired here, expired there, and back again: nobody would ever see it."""
    died = die(die(header(), "a", "expired"), "b", "maxlen")
    assert in_cycle(died, "a", True)
    assert in_cycle(died, "b", True)
    assert not in_cycle(died, "c", True)


def test_a_rejection_makes_it_a_way() -> None:
    """A consumer that rejects wants it to go round (retries by dead letter)."""
    died = die(die(header(), "a", "rejected"), "b", "expired")
    assert not in_cycle(died, "a", True)
    assert in_cycle(died, "b", True)


def test_a_clients_own_history_is_no_cycle() -> None:
    """Or anyone could keep messages out of a queue."""
    died = die(header(), "a", "expired")
    assert not in_cycle(died, "a", False)
    assert not in_cycle(header(), "a", True)


# Against RabbitMQ's rule, word by word

DEATHS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["rejected", "expired", "maxlen"])), max_size=12
)


@given(DEATHS, st.sampled_from("abcd"))
def test_any_history_agrees_with_a_list(history: list[tuple[str, str]], target: str) -> None:
    """Deaths by recency, counted; a cycle when the target died here and nobody rejected since."""
    octets = header()
    order: list[tuple[str, str]] = []
    for queue, reason in history:
        octets = die(octets, queue, reason)
        order = [(queue, reason), *[death for death in order if death != (queue, reason)]]
    expected = [(queue, reason, history.count((queue, reason))) for queue, reason in order]
    place = next((number for number, (queue, _) in enumerate(order) if queue == target), -1)
    assert (deaths(octets) if history else []) == expected
    assert in_cycle(octets, target, True) is (
        place >= 0 and "rejected" not in [reason for _, reason in order[: place + 1]]
    )
