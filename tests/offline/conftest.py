"""Stores on a real disk that a broker has left behind."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pamqp import commands

from mambaamqp.store.log_format import segment_name
from tests.support.client import World

PERSISTENT = {"delivery_mode": 2}


def fill(world: World) -> None:
    """Two queues, a binding, messages; one delivered, one acknowledged, one of both queues, one large."""
    client = world.connect().open()
    client.queue("orders", durable=True)
    client.queue("audit", durable=True, arguments={"x-max-priority": 5})
    client.call(1, commands.Queue.Bind(queue="audit", exchange="amq.fanout"))
    client.call(1, commands.Queue.Bind(queue="orders", exchange="amq.fanout"))
    for number in range(5):
        client.publish(b"order %d" % number, "orders", properties=PERSISTENT | {"message_id": f"m{number}"})
        world.commit()
    client.publish(
        b"both", "", "amq.fanout", properties=PERSISTENT | {"headers": {"n": 1, "raw": bytearray(b"\xff")}}
    )
    client.publish(bytes(3_000_000), "audit", properties=PERSISTENT)
    assert client.get("orders") is not None
    client.get("orders", no_ack=False)
    world.commit()


Leave = Callable[..., str]


@pytest.fixture
def leave(tmp_path: Path) -> Leave:
    """Write a world's disk out; returns the directory. `clean` is whether the broker stopped in order."""

    def write(*, clean: bool = True) -> str:
        world = World()
        fill(world)
        if clean:
            for client in world.clients:
                client.session.connection_lost(world.now)
            world.broker.stop(world.now)
            world.commit()
        directory = tmp_path / "data"
        directory.mkdir()
        for path, file in world.disk.files.items():
            (directory / Path(path).name).write_bytes(bytes(file.data))
        return str(directory)

    return write


def first_segment(directory: str) -> Path:
    """The file with the first frames."""
    return Path(directory) / segment_name(0)


def contents(directory: str) -> dict[str, bytes]:
    """Every file of a directory."""
    return {path.name: path.read_bytes() for path in sorted(Path(directory).iterdir())}


def flip(directory: str, text: bytes) -> None:
    """Change an octet of a message."""
    path = first_segment(directory)
    data = bytearray(path.read_bytes())
    data[data.index(text)] ^= 1
    path.write_bytes(data)
