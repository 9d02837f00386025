"""mambaamqp/server/run.py: the whole broker in a process of its own, with pika as the client.

What only shows with real sockets, real signals and a real disk.
"""

import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest
from pika.exceptions import ConnectionClosedByBroker, ProbableAuthenticationError

from mambaamqp.server.run import take_definitions
from tests.support.client import World
from tests.support.process import BrokerProcess, run_to_failure

PERSISTENT = pika.BasicProperties(delivery_mode=2, headers={"number": 1})


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path / "data") as broker:
        yield broker


def publish(connection: pika.BlockingConnection, queue: str, bodies: list[bytes]) -> None:
    """Each body confirmed, in a durable queue."""
    channel = connection.channel()
    channel.queue_declare(queue, durable=True)
    channel.confirm_delivery()
    for body in bodies:
        channel.basic_publish("", queue, body, PERSISTENT, mandatory=True)
    channel.close()


def drain(connection: pika.BlockingConnection, queue: str) -> list[bytes]:
    """Everything in the queue, acknowledged."""
    channel = connection.channel()
    bodies = []
    while True:
        method, _, body = channel.basic_get(queue)
        if method is None:
            break
        channel.basic_ack(method.delivery_tag)
        bodies.append(body)
    channel.close()
    return bodies


def test_publish_confirm_consume(broker: BrokerProcess) -> None:
    """A message is confirmed, delivered as it was, and acknowledged."""
    with broker.connect() as connection:
        publish(connection, "q", [b"one", b"", b"x" * 300_000])
        channel = connection.channel()
        received = []
        for method, properties, body in channel.consume("q", inactivity_timeout=10):
            received.append((body, properties.headers, method.redelivered))
            channel.basic_ack(method.delivery_tag)
            if len(received) == 3:
                break
        channel.cancel()
        assert received == [(body, {"number": 1}, False) for body in (b"one", b"", b"x" * 300_000)]
        assert channel.queue_declare("q", passive=True).method.message_count == 0


def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    """A client that understands it hears 403, after the delay that slows down guessing."""
    delay = {"MAMBAAMQP_PROTOCOL_LOGIN_FAILURE_DELAY_SECONDS": "0.2"}
    with BrokerProcess(tmp_path, **delay) as broker:
        parameters = pika.ConnectionParameters(
            port=broker.port, credentials=pika.PlainCredentials("guest", "wrong")
        )
        start = time.monotonic()
        with pytest.raises(ProbableAuthenticationError):
            pika.BlockingConnection(parameters)
        assert time.monotonic() - start > 0.2


def test_banner_tells_the_facts(broker: BrokerProcess) -> None:
    """Version, core, listener, directory and durability are on standard output."""
    labels = [line.partition(":")[0].split(" ")[0] for line in broker.banner]
    assert labels == ["mambaamqp", "core", "listening", "data", "sync", "ready"]


def test_sigterm_says_goodbye(broker: BrokerProcess) -> None:
    """SIGTERM: the client reads 320, and the broker ends with 0 without a word of trouble."""
    connection = broker.connect()
    connection.channel()
    broker.process.terminate()
    with pytest.raises(ConnectionClosedByBroker) as caught:
        connection.process_data_events(time_limit=10)
    assert caught.value.reply_code == 320
    assert "shutdown" in caught.value.reply_text
    assert broker.wait() == 0
    assert "Traceback" not in broker.errors()


def test_a_clean_stop_keeps_everything(tmp_path: Path) -> None:
    """After SIGTERM and a new start the messages are there, and were never delivered."""
    with BrokerProcess(tmp_path / "data") as broker:
        with broker.connect() as connection:
            publish(connection, "q", [b"one", b"two"])
        assert broker.terminate() == 0
    with BrokerProcess(tmp_path / "data") as broker, broker.connect() as connection:
        method, _, body = connection.channel().basic_get("q")
        assert (body, method.redelivered) == (b"one", False)


def test_kill_9_loses_nothing_confirmed(tmp_path: Path) -> None:
    """After kill -9 every confirmed message is there, in order, and no acknowledged one comes back."""
    with BrokerProcess(tmp_path / "data") as broker:
        connection = broker.connect()
        publish(connection, "q", [b"%d" % number for number in range(50)])
        channel = connection.channel()
        for _ in range(10):
            method, _, _ = channel.basic_get("q")
            channel.basic_ack(method.delivery_tag)
        channel.close()  # its reply says that the acknowledgements are safe
        broker.kill()
    with BrokerProcess(tmp_path / "data") as broker, broker.connect() as connection:
        assert drain(connection, "q") == [b"%d" % number for number in range(10, 50)]


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process are Linux's")
def test_a_failing_disk_is_final(broker: BrokerProcess) -> None:
    """When a write fails nothing is confirmed, clients hear 541, and the broker ends with 1 at once."""
    connection = broker.connect()
    publish(connection, "q", [b"one"])
    resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, (0, 0))
    start = time.monotonic()
    with pytest.raises(ConnectionClosedByBroker) as caught:
        publish(connection, "q", [b"two"])
    assert caught.value.reply_code == 541
    assert broker.wait() == 1
    assert time.monotonic() - start < 2
    errors = broker.errors()
    assert errors.count("the store has failed") == 1
    assert "Traceback" not in errors


def test_a_low_disk_blocks_publishers_only(tmp_path: Path) -> None:
    """On a disk without the demanded space a publisher is told and not read, and a consumer is served."""
    environment = {
        "MAMBAAMQP_LIMITS_DISK_FREE_BYTES_MIN": str(10**18),
        "MAMBAAMQP_SERVER_SHUTDOWN_SECONDS": "0.1",
    }
    with BrokerProcess(tmp_path, **environment) as broker:
        publisher, consumer = broker.connect(), broker.connect()
        reasons: list[str] = []
        publisher.add_on_connection_blocked_callback(lambda _, frame: reasons.append(frame.method.reason))
        publisher.channel().basic_publish("", "nobody", b"")
        while not reasons:
            publisher.process_data_events(time_limit=1)
        assert reasons == ["low on disk"]
        assert consumer.channel().queue_declare("q").method.message_count == 0
        assert broker.terminate() == 0


def test_a_locked_directory_is_refused(broker: BrokerProcess) -> None:
    """A second broker on the same directory ends at once with one line that names the first."""
    code, errors = run_to_failure(broker.data_dir, "--port", "0")
    [line] = errors.splitlines()
    assert (code, str(broker.process.pid) in line) == (1, True)


def test_a_port_in_use_is_refused(broker: BrokerProcess, tmp_path: Path) -> None:
    """A port that is taken ends the start with one line that names it."""
    code, errors = run_to_failure(tmp_path / "other", "--port", str(broker.port))
    line = errors.splitlines()[-1]
    assert code == 1
    assert line == f"mambaamqp: cannot listen on 127.0.0.1:{broker.port}: address already in use"


def test_an_unusable_directory_is_refused(tmp_path: Path) -> None:
    """A data directory that cannot be made ends the start with one line that names it."""
    (tmp_path / "file").write_text("in the way")
    code, errors = run_to_failure(tmp_path / "file" / "data", "--port", "0")
    [line] = errors.splitlines()
    assert code == 1
    assert str(tmp_path / "file") in line


def test_strangers_cannot_hurt(broker: BrokerProcess) -> None:
    """Garbage, silence and resets on other connections leave a client untouched."""
    with broker.connect() as connection:
        for noise in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01" * 100,
            b"AMQP\0\0\x09\x01" + os.urandom(9000),
        ):
            with socket.create_connection(("127.0.0.1", broker.port)) as stranger:
                stranger.sendall(noise)
        silent = [socket.create_connection(("127.0.0.1", broker.port)) for _ in range(20)]
        publish(connection, "q", [b"one"])
        assert drain(connection, "q") == [b"one"]
        for stranger in silent:
            stranger.close()
    assert broker.terminate() == 0
    assert "Traceback" not in broker.errors()


def test_definitions_are_taken_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be is a warning that names the file."""
    file = tmp_path / "definitions.json"
    queue = {"name": "q", "vhost": "/", "durable": True, "arguments": {}}
    file.write_text(json.dumps({"queues": [queue], "strange": [1]}))
    broker = World().broker
    take_definitions(broker, str(file))
    assert list(broker.vhosts["/"].queues) == ["q"]
    assert f"definitions {file}: strange: is not known here" in caplog.text
