"""The topic trie: which patterns match a routing key.

Words are split on '.'; '*' stands for one word, '#' for none or more. The empty key has no words at all;
`a..b` has an empty word in the middle, which '*' matches. Theory of operation: patterns are paths in a trie
of words. Matching keeps the set of nodes that are reachable after each word of the key, so its cost is at
most (words × nodes), whatever the pattern: `#.#.#.#` has no exponential case. Runs of '#' are one '#'.
"""

from mambaamqp.broker.destination import Destination


class Node:
    """A place in the trie; `destinations` counts the bindings whose pattern ends here."""

    __slots__ = ("destinations", "hash", "star", "words")

    def __init__(self) -> None:
        self.words: dict[str, Node] = {}
        self.star: Node | None = None
        self.hash: Node | None = None
        self.destinations: dict[Destination, int] = {}

    def is_bare(self) -> bool:
        """Nothing ends here and nothing goes on from here."""
        return not self.words and self.star is None and self.hash is None and not self.destinations


def words_of(key: str) -> list[str]:
    """The words of a routing key or pattern; none for the empty one."""
    return key.split(".") if key else []


def pattern_words(pattern: str) -> list[str]:
    """The words of a pattern, runs of '#' taken together."""
    words: list[str] = []
    for word in words_of(pattern):
        if word != "#" or not words or words[-1] != "#":
            words.append(word)
    return words


class TopicTrie:
    """All patterns of one topic exchange."""

    def __init__(self) -> None:
        self.root = Node()

    def add(self, pattern: str, destination: Destination) -> None:
        """One more binding with this pattern."""
        node = self.root
        for word in pattern_words(pattern):
            node = _child(node, word)
        node.destinations[destination] = node.destinations.get(destination, 0) + 1

    def remove(self, pattern: str, destination: Destination) -> None:
        """One binding less; parts of the trie that nothing needs any more go."""
        words = pattern_words(pattern)
        path = [self.root]
        for word in words:
            following = _existing(path[-1], word)
            if following is None:
                return
            path.append(following)
        _uncount(path[-1], destination)
        for depth in range(len(words), 0, -1):
            if not path[depth].is_bare():
                return
            _cut(path[depth - 1], words[depth - 1])

    def match(self, key: str, found: dict[Destination, None]) -> None:
        """Put every destination with a matching pattern into `found`, each once."""
        nodes: dict[Node, None] = {}
        _reach(self.root, nodes)
        for word in words_of(key):
            after: dict[Node, None] = {}
            for node in nodes:
                _step(node, word, after)
            nodes = after
            if not nodes:
                return
        for node in nodes:
            for destination in node.destinations:
                found[destination] = None


class HashNode(Node):
    """The node behind a '#': it stays reachable whatever words follow."""

    __slots__ = ()


def _reach(node: Node, nodes: dict[Node, None]) -> None:
    """`node` is reachable, and with it the node behind its '#', since that may stand for no word."""
    nodes[node] = None
    if node.hash is not None and node.hash not in nodes:
        _reach(node.hash, nodes)


def _step(node: Node, word: str, after: dict[Node, None]) -> None:
    if isinstance(node, HashNode):
        _reach(node, after)
    following = node.words.get(word)
    if following is not None:
        _reach(following, after)
    if node.star is not None:
        _reach(node.star, after)


def _existing(node: Node, word: str) -> Node | None:
    if word == "*":
        return node.star
    if word == "#":
        return node.hash
    return node.words.get(word)


def _child(node: Node, word: str) -> Node:
    following = _existing(node, word)
    if following is not None:
        return following
    if word == "#":
        node.hash = HashNode()
        return node.hash
    following = Node()
    if word == "*":
        node.star = following
    else:
        node.words[word] = following
    return following


def _cut(node: Node, word: str) -> None:
    if word == "*":
        node.star = None
    elif word == "#":
        node.hash = None
    else:
        del node.words[word]


def _uncount(node: Node, destination: Destination) -> None:
    count = node.destinations.get(destination, 0)
    if count > 1:
        node.destinations[destination] = count - 1
    else:
        node.destinations.pop(destination, None)
