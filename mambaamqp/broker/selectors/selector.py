"""A selector: what a subscriber asks of the headers of messages."""

from mambaamqp.broker.selectors.expression import Headers
from mambaamqp.broker.selectors.reading import read


class Selector:
    """One selector, read and checked; 406 for a text that is none. `users` is how many bindings have it."""

    __slots__ = ("condition", "text", "users")

    def __init__(self, text: str) -> None:
        self.text = text
        self.condition = read(text)
        self.users = 0

    def selects(self, headers: Headers) -> bool:
        """Whether a message with these headers is wanted: unknown is not."""
        return self.condition.evaluate(headers) is True
