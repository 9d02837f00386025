"""The operator's desk of a broker in memory: requests as they come over the control socket."""

import json
from typing import Any

from mambaamqp.control.desk import Desk
from tests.support.client import World


class FakeMachine:
    """Figures that stand still, and marks that can be looked at."""

    def __init__(self) -> None:
        self.memory_mark: float | None = None
        self.disk_mark: int | None = None

    def facts(self) -> dict[str, Any]:
        return {"version": "1", "rabbitmq_version": "4.2.0", "definitions_file": ""}

    def set_memory_mark(self, value: float | None) -> int:
        self.memory_mark = value
        return 7

    def set_disk_mark(self, value: int | None) -> int:
        self.disk_mark = value
        return 8


class Refused(Exception):
    """The reply was an error."""


class Operator:
    """Asks, and has what follows happen before it looks at the answer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.machine = FakeMachine()
        self.desk = Desk(world.broker, self.machine)

    def send(self, line: bytes) -> list[dict[str, Any]]:
        """The lines of a reply."""
        reply = self.desk.answer(line, self.world.now)
        self.world.settle()
        assert self.world.journal.durable >= reply.position
        return [json.loads(line) for line in reply.lines()]

    def ask(self, command: str, **values: Any) -> dict[str, Any]:
        """The result of a request; Refused with the reason."""
        last = self.send(json.dumps({"command": command, **values}).encode())[-1]
        if "error" in last:
            raise Refused(f"{last['reason']}: {last['error']}")
        done: dict[str, Any] = last["done"]
        return done

    def rows(self, what: str, **values: Any) -> list[dict[str, Any]]:
        """A list."""
        *rows, last = self.send(json.dumps({"command": f"list {what}", **values}).encode())
        assert "done" in last, last
        return [row["row"] for row in rows]
