"""What a selector is made of; each part has a value for the headers of a message.

`kinds` are the kinds that the value may have if it is known, `depth` how far a part nests: evaluation goes
down as deep, so that it is bounded when the part is made. Three-valued logic as in SQL: false AND unknown is
false, true OR unknown is true, all else with unknown is unknown.
"""

from collections.abc import Sequence
from typing import Final

from mambaamqp.broker.selectors.like import LikePattern
from mambaamqp.broker.selectors.tokens import refused
from mambaamqp.broker.selectors.values import (
    ANYTHING,
    BOOLEAN,
    NUMBER,
    Value,
    compared,
    computed,
    kind_of,
    known,
    negated,
)

DEPTH_MAX: Final = 100
"""Parts inside of parts; a chain of AND or OR is one part, however long."""

Headers = dict[str, Value]


class Expression:
    """A part with its value."""

    __slots__ = ("depth", "kinds")

    def __init__(self, kinds: int, parts: "Sequence[Expression]" = ()) -> None:
        self.kinds = kinds
        self.depth = 1
        for part in parts:
            self.depth = max(self.depth, part.depth + 1)
        if self.depth > DEPTH_MAX:
            raise refused(f"nested deeper than {DEPTH_MAX} levels")

    def evaluate(self, headers: Headers) -> Value:
        """The value for a message with these headers; None if it is unknown."""
        raise NotImplementedError


class Literal(Expression):
    """true, a number, text."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        super().__init__(kind_of(value))
        self.value = value

    def evaluate(self, headers: Headers) -> Value:
        return self.value


class Identifier(Expression):
    """A header by its name; the client sends JMSPriority and its like as headers too."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__(ANYTHING)
        self.name = name

    def evaluate(self, headers: Headers) -> Value:
        return known(headers.get(self.name))


class IsNull(Expression):
    """Whether a part is unknown; it never is itself."""

    __slots__ = ("part",)

    def __init__(self, part: Expression) -> None:
        super().__init__(BOOLEAN, (part,))
        self.part = part

    def evaluate(self, headers: Headers) -> Value:
        return self.part.evaluate(headers) is None


class Negation(Expression):
    """NOT."""

    __slots__ = ("part",)

    def __init__(self, part: Expression) -> None:
        super().__init__(BOOLEAN, (part,))
        self.part = part

    def evaluate(self, headers: Headers) -> Value:
        return negated(self.part.evaluate(headers))


class Chain(Expression):
    """AND or OR of two and more; `decisive` is the value that ends it, false for AND and true for OR."""

    __slots__ = ("decisive", "parts")

    def __init__(self, decisive: bool, left: Expression, right: Expression) -> None:
        self.decisive = decisive
        self.parts: list[Expression] = [*self._links(left), *self._links(right)]
        super().__init__(BOOLEAN, self.parts)

    def _links(self, part: Expression) -> list[Expression]:
        """A chain of the same kind is taken apart."""
        return part.parts if isinstance(part, Chain) and part.decisive is self.decisive else [part]

    def evaluate(self, headers: Headers) -> Value:
        result: Value = not self.decisive
        for part in self.parts:
            value = part.evaluate(headers)
            if value is self.decisive:
                return value
            if not isinstance(value, bool):
                result = None
        return result


class Comparison(Expression):
    """= <> > < >= <=."""

    __slots__ = ("left", "right", "sign")

    def __init__(self, sign: str, left: Expression, right: Expression) -> None:
        super().__init__(BOOLEAN, (left, right))
        self.sign = sign
        self.left = left
        self.right = right

    def evaluate(self, headers: Headers) -> Value:
        return compared(self.sign, self.left.evaluate(headers), self.right.evaluate(headers))


class Between(Expression):
    """Not below `low` and not above `high`."""

    __slots__ = ("high", "low", "part")

    def __init__(self, part: Expression, low: Expression, high: Expression) -> None:
        super().__init__(BOOLEAN, (part, low, high))
        self.part = part
        self.low = low
        self.high = high

    def evaluate(self, headers: Headers) -> Value:
        value = self.part.evaluate(headers)
        above = compared(">=", value, self.low.evaluate(headers))
        below = compared("<=", value, self.high.evaluate(headers))
        if above is False or below is False:
            return False
        return None if above is None or below is None else True


class In(Expression):
    """Whether it is one of some texts; a number is none of them."""

    __slots__ = ("part", "texts")

    def __init__(self, part: Expression, texts: frozenset[str]) -> None:
        super().__init__(BOOLEAN, (part,))
        self.part = part
        self.texts = texts

    def evaluate(self, headers: Headers) -> Value:
        value = self.part.evaluate(headers)
        return None if value is None else isinstance(value, str) and value in self.texts


class Like(Expression):
    """Whether text is as a pattern says; of anything else that is unknown."""

    __slots__ = ("part", "pattern")

    def __init__(self, part: Expression, pattern: LikePattern) -> None:
        super().__init__(BOOLEAN, (part,))
        self.part = part
        self.pattern = pattern

    def evaluate(self, headers: Headers) -> Value:
        value = self.part.evaluate(headers)
        return self.pattern.matches(value) if isinstance(value, str) else None


class Arithmetic(Expression):
    """+ - * /."""

    __slots__ = ("left", "right", "sign")

    def __init__(self, sign: str, left: Expression, right: Expression) -> None:
        super().__init__(NUMBER, (left, right))
        self.sign = sign
        self.left = left
        self.right = right

    def evaluate(self, headers: Headers) -> Value:
        return computed(self.sign, self.left.evaluate(headers), self.right.evaluate(headers))
