"""Debian's amqp-tools: rabbitmq-c from the shell."""

import subprocess

from interop.broker import BrokerProcess
from interop.conftest import need


def tool(broker: BrokerProcess, program: str, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run a program of amqp-tools against the broker; returns what it printed."""
    done = subprocess.run(
        [need(program), f"--url={broker.url.rstrip('/')}", *arguments],
        input=stdin,
        capture_output=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_declare_publish_get_delete(broker: BrokerProcess, name: str) -> None:
    """A queue's whole life from the shell."""
    assert tool(broker, "amqp-declare-queue", "-q", name, "-d").strip() == name.encode()
    tool(broker, "amqp-publish", "-r", name, "-p", "-b", "hello")
    assert tool(broker, "amqp-get", "-q", name) == b"hello"
    tool(broker, "amqp-publish", "-r", name, "-l", stdin=b"one\ntwo\n")
    assert tool(broker, "amqp-consume", "-q", name, "-c", "2", "cat") == b"one\ntwo\n"
    assert tool(broker, "amqp-delete-queue", "-q", name).strip() == b"0"


def test_a_missing_queue_is_an_error(broker: BrokerProcess, name: str) -> None:
    """amqp-get of a queue that is not there fails with the broker's text."""
    done = subprocess.run(
        [need("amqp-get"), f"--url={broker.url.rstrip('/')}", "-q", name], capture_output=True, timeout=20
    )
    assert done.returncode != 0
    assert b"404" in done.stderr
