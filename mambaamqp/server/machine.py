"""The process around a broker, as the control sees it: figures, and the marks of the alarms."""

import os
import sys
import time
from typing import Any

from mambaamqp import __version__
from mambaamqp.config import Config
from mambaamqp.server.alarms import Alarms
from mambaamqp.server.listeners import display
from mambaamqp.server.ports import Address
from mambaamqp.session.connection import Session


def is_compiled() -> bool:
    """Whether the core runs compiled."""
    return (sys.modules[Session.__module__].__file__ or "").endswith((".so", ".pyd"))


class RunningMachine:
    """Of this process; `available_bytes` is what memory it may use at most."""

    def __init__(
        self, config: Config, alarms: Alarms, available_bytes: int, addresses: list[Address]
    ) -> None:
        self._config = config
        self._alarms = alarms
        self._available_bytes = available_bytes
        self._addresses = addresses
        self._started = time.monotonic()

    def facts(self) -> dict[str, Any]:
        """What it is and how it is doing."""
        config, alarms = self._config, self._alarms
        file = config.definitions.file
        return {
            "product": "mambaamqp",
            "version": __version__,
            "core": "compiled" if is_compiled() else "pure Python",
            "product_name": config.protocol.product,
            "rabbitmq_version": config.protocol.version,
            "pid": os.getpid(),
            "uptime_seconds": round(time.monotonic() - self._started, 3),
            "listeners": [display(*address) for address in self._addresses],
            "data_directory": os.path.abspath(config.server.data_dir),
            "definitions_file": os.path.abspath(file) if file else "",
            "sync": config.store.sync,
            "memory": alarms.memory_bytes(),
            "vm_memory_high_watermark": alarms.memory_bytes_high,
            "disk_free": alarms.disk_free_bytes(),
            "disk_free_limit": alarms.disk_free_bytes_min,
        }

    def set_memory_mark(self, value: float | None) -> int:
        """A fraction up to 1.0, bytes above it, or None for the configuration's."""
        configured = self._config.limits.memory_high_bytes(self._available_bytes)
        if value is None:
            mark = configured
        else:
            mark = int(value * self._available_bytes) if value <= 1.0 else int(value)
        self._alarms.memory_bytes_high = mark
        self._alarms.check()
        return mark

    def set_disk_mark(self, value: int | None) -> int:
        """Bytes, or None for the configuration's."""
        mark = self._config.limits.disk_free_bytes_min if value is None else value
        self._alarms.disk_free_bytes_min = mark
        self._alarms.check()
        return mark
