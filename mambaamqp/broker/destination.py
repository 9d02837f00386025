"""What a binding may lead to."""

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Destination:
    """A queue or an exchange, as the end of a binding. No client reaches what is `hidden`."""

    hidden: bool = False

    def __init__(self, name: str, is_queue: bool) -> None:
        self.name = name
        self.is_queue = is_queue


class Nobody:
    """The owner of what no connection owns, so that all are kept out."""
