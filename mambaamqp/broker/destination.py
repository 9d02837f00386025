"""What a binding may lead to."""


class Destination:
    """A queue or an exchange, as the end of a binding."""

    def __init__(self, name: str, is_queue: bool) -> None:
        self.name = name
        self.is_queue = is_queue
