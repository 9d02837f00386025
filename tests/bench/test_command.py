"""mambaamqp/bench/command.py: flags, tables, and one line for what goes wrong."""

import json
import socket

import pytest
from click.testing import CliRunner, Result

from mambaamqp.cli import main


def bench(*arguments: str) -> Result:
    """`mambaamqp bench` with these."""
    return CliRunner().invoke(main, ["bench", *arguments])


def test_it_prints_a_table(url: str) -> None:
    """Totals, rates, latencies."""
    result = bench(url, "--seconds", "0.3", "--confirm", "20")

    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines() if line.strip()] == [
        *("total", "published", "confirmed", "consumed"),
        *("latency,", "confirm", "end"),
    ]


def test_it_prints_json(url: str) -> None:
    """One object, with arguments for the queue."""
    result = bench(url, "--seconds", "0.3", "--json", "--argument", "x-max-length=100", "--auto-ack")

    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["consumed_per_s"] > 0
    assert set(figures["latency_us"]) == {"p50", "p95", "p99", "p999", "max"}


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ("http://127.0.0.1", "no AMQP URL"),
        ("amqp://127.0.0.1:1", "no connection to 127.0.0.1:1"),
        ("amqps://127.0.0.1", "TLS"),
    ],
)
def test_a_bad_url_is_one_line(broken: str, text: str) -> None:
    """And an exit code that scripts see."""
    result = bench(broken)

    assert result.exit_code == 1
    assert result.stderr.startswith("mambaamqp: ")
    assert text in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "text"),
    [(("guest:guest", "guest:wrong"), "403"), (("/", "/nowhere"), "530")],
    ids=["user", "vhost"],
)
def test_a_refused_login_is_one_line(url: str, change: tuple[str, str], text: str) -> None:
    """With the broker's code."""
    head, _, tail = url.rpartition(change[0])
    result = bench(head + change[1] + tail)

    assert result.exit_code == 1
    assert text in result.stderr
    assert result.stderr.count("\n") == 1


def test_something_else_that_answers_is_one_line() -> None:
    """A web server says so much when it reads our greeting."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                peer.recv(100)

        thread = threading.Thread(target=answer)
        thread.start()
        result = bench(f"amqp://127.0.0.1:{server.getsockname()[1]}")
        thread.join()

    assert result.exit_code == 1
    assert result.stderr.startswith("mambaamqp: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--confirm", "1", "--tx", "1"),
        ("--prefetch", "5", "--ack", "6"),
        ("--seconds", "1", "--warmup", "1"),
        ("--argument", "x-max-length"),
        ("--queues", "0"),
    ],
    ids=" ".join,
)
def test_flags_that_contradict_each_other_are_refused(arguments: tuple[str, ...]) -> None:
    """Before anything is connected, with click's own exit code for wrong usage."""
    assert bench("amqp://127.0.0.1:1", *arguments).exit_code == 2


def test_it_stands_in_the_help() -> None:
    """Though it is loaded only when asked for."""
    result = CliRunner().invoke(main, ["--help"])

    assert "bench" in result.stdout
