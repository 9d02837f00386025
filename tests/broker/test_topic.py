"""mambaamqp/broker/topic.py: the trie against a matcher that anyone can read."""

from functools import cache
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.broker.destination import Destination
from mambaamqp.broker.topic import TopicTrie

WORDS = st.sampled_from(["a", "b", "", "*", "#"])
PATTERNS = st.lists(WORDS, max_size=6).map(".".join)
KEYS = st.lists(st.sampled_from(["a", "b", "c", "", "*", "#"]), max_size=6).map(".".join)


def naive(pattern: str, key: str) -> bool:
    """Does the pattern match? By the book: `*` is one word, `#` any number of them."""

    @cache
    def from_here(words: tuple[str, ...], rest: tuple[str, ...]) -> bool:
        if not words:
            return not rest
        if words[0] == "#":
            return from_here(words[1:], rest) or (bool(rest) and from_here(words, rest[1:]))
        return bool(rest) and words[0] in ("*", rest[0]) and from_here(words[1:], rest[1:])

    return from_here(*(tuple(text.split(".")) if text else () for text in (pattern, key)))


def matching(trie: TopicTrie, key: str) -> list[str]:
    """Names of the destinations that a key reaches."""
    found: dict[Destination, None] = {}
    trie.match(key, found)
    return sorted(destination.name for destination in found)


def trie_of(*patterns: str) -> TopicTrie:
    """A destination for each pattern, with its name."""
    trie = TopicTrie()
    for pattern in patterns:
        trie.add(pattern, Destination(pattern, True))
    return trie


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("", "", True),
        ("#", "", True),
        ("*", "", False),
        ("#", "a.b.c", True),
        ("*", "a", True),
        ("*", "a.b", False),
        ("a.*.c", "a..c", True),
        ("a.#.c", "a.c", True),
        ("a.#.c", "a.b.b.c", True),
        ("a.#.c", "a.b.b", False),
        ("#.#", "", True),
        ("#.a.#", "b.a", True),
        ("*.#", "a", True),
        ("*.#", "", False),
        ("#.*", "a.b", True),
        ("a", "A", False),
        ("a.", "a", False),
        (".", ".", True),
        ("*.*", ".", True),
        ("é.*", "é.ü", True),
        ("a*", "ab", False),
    ],
)
def test_patterns_of_the_standard(pattern: str, key: str, matches: bool) -> None:
    """Words, stars and hashes, and the corners: the empty key has no words, `a..b` has an empty one."""
    assert bool(matching(trie_of(pattern), key)) is matches
    assert naive(pattern, key) is matches


@given(st.lists(PATTERNS, max_size=8), KEYS)
def test_the_trie_agrees_with_the_naive_matcher(patterns: list[str], key: str) -> None:
    """Any patterns together find what each of them finds alone."""
    trie = TopicTrie()
    destinations = [Destination(f"{number}", True) for number in range(len(patterns))]
    for pattern, destination in zip(patterns, destinations, strict=True):
        trie.add(pattern, destination)
    expected = sorted(str(number) for number, pattern in enumerate(patterns) if naive(pattern, key))
    assert matching(trie, key) == expected


@given(st.lists(PATTERNS, max_size=8), st.randoms(use_true_random=False), KEYS)
def test_what_is_removed_leaves_nothing_behind(patterns: list[str], rng, key: str) -> None:
    """Removing some bindings leaves the others; removing all leaves a bare root."""
    trie, destination = TopicTrie(), Destination("q", True)
    for pattern in patterns:
        trie.add(pattern, destination)
    left = list(patterns)
    rng.shuffle(left)
    while left:
        trie.remove(left.pop(), destination)
        assert bool(matching(trie, key)) is any(naive(pattern, key) for pattern in left)
    assert trie.root.is_bare()


def test_equal_bindings_are_counted() -> None:
    """Two bindings with one pattern: the destination stays until both have gone."""
    trie, destination = TopicTrie(), Destination("q", True)
    trie.add("a.#", destination)
    trie.add("a.#.#", destination)
    trie.remove("a.#", destination)
    assert matching(trie, "a") == ["q"]
    trie.remove("a.#", destination)
    assert matching(trie, "a") == []


def test_removing_what_is_not_there_changes_nothing() -> None:
    """Neither an unknown pattern nor an unknown destination."""
    trie = trie_of("a.b")
    trie.remove("a.c", Destination("x", True))
    trie.remove("a", Destination("x", True))
    trie.remove("a.b", Destination("x", True))
    assert matching(trie, "a.b") == ["a.b"]


def test_many_hashes_are_not_exponential() -> None:
    """A pattern made to be slow is not."""
    trie = trie_of(".".join(["#", "a"] * 40))
    started = process_time()
    assert matching(trie, ".".join(["a"] * 100 + ["b"])) == []
    assert process_time() - started < 10


@pytest.mark.parametrize("key", [".".join("a" * 128), "." * 255, "a" * 255])
@pytest.mark.parametrize(
    "pattern", [".".join("#" * 128), "#.*." * 42 + "#", "*.#." * 42 + "b", "#.a." * 42 + "b", "#." * 64 + "b"]
)
def test_the_worst_keys_against_the_worst_patterns(pattern: str, key: str) -> None:
    """Both as long as a short string can be: the answer is right, and comes; a search that tried every way
    to share the words out among the wild cards would not end."""
    trie = trie_of(pattern)
    assert bool(matching(trie, key)) is naive(pattern, key)


def test_many_equal_patterns_cost_one() -> None:
    """Ten thousand queues bound with `#.#.#.#` share one node."""
    trie = TopicTrie()
    for number in range(10_000):
        trie.add("#.#.#.#", Destination(f"{number}", True))
    started = process_time()
    assert len(matching(trie, "." * 255)) == 10_000
    assert process_time() - started < 10
