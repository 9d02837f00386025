"""Who is at the other end of a connection."""


class Peer:
    """The two ends of a TCP connection, as numeric addresses."""

    def __init__(self, host: str, port: int, local_host: str, local_port: int) -> None:
        self.host = host
        self.port = port
        self.local_host = local_host
        self.local_port = local_port

    @property
    def name(self) -> str:
        """The connection's name, as RabbitMQ forms it."""
        return f"{self.host}:{self.port} -> {self.local_host}:{self.local_port}"
