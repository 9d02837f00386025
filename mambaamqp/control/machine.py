"""What of the process and its machine the control needs: a port that the shell fills in."""

from typing import Any, Protocol


class Machine(Protocol):
    """The process around a broker. Figures are bytes."""

    def facts(self) -> dict[str, Any]:
        """What it is and how it is doing, by RabbitMQ's names where it has them."""

    def set_memory_mark(self, value: float | None) -> int:
        """Give the memory alarm a mark: up to 1.0 a fraction, above it bytes; None: as configured.

        Returns it in bytes.
        """

    def set_disk_mark(self, value: int | None) -> int:
        """Give the disk alarm a mark; None: as configured. Returns it."""
