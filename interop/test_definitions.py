"""Definitions go to RabbitMQ and come back; definitions.json has every kind of entry that both know.

Two things are lost on the way, by RabbitMQ: passwords hashed by argon2, which it cannot read, and internal
exchanges, which it does not export. It writes the limits of virtual hosts twice.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.brokers import RabbitMQ, find_rabbitmq

SENT = Path(__file__).with_name("definitions.json")
PLUGINS = (
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_sharding",
)
"""The types of exchanges that both have."""
SECTIONS = ("users", "vhosts", "permissions", "topic_permissions", "parameters", "policies")
TOPOLOGY = ("exchanges", "queues", "bindings")
INTERNAL = "inner"
"""The internal exchange of definitions.json."""
ONE_SIDED = frozenset({"limits", "internal", "mambaamqp_password_hash"})
"""Only one of the two writes it, or in a place of its own."""

Document = dict[str, Any]


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A RabbitMQ with nothing in it. CI does not install one: that would start a service of its own."""
    script = find_rabbitmq()
    if script is None:
        pytest.skip("rabbitmq-server is not installed; apt-get install rabbitmq-server brings it")
    broker = RabbitMQ(script, PLUGINS)
    broker.start(tmp_path_factory.mktemp("rabbitmq"))
    broker.ctl("await_startup")
    yield broker
    broker.stop()


def mambaamqp(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the commands for definitions."""
    command = [sys.executable, "-m", "mambaamqp", "definitions", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def taken(store: Path, file: Path) -> list[str]:
    """Import; what was not taken over."""
    return mambaamqp("import", "--data-dir", str(store), str(file)).stderr.splitlines()


def given(store: Path) -> Document:
    """Export."""
    document: Document = json.loads(mambaamqp("export", "--data-dir", str(store)).stdout)
    return document


def by_rabbitmq(rabbitmq: RabbitMQ, document: Document, directory: Path) -> Path:
    """What RabbitMQ exports after it has imported this."""
    sent, back = directory / "sent.json", directory / "back.json"
    sent.write_text(json.dumps(document))
    rabbitmq.ctl("import_definitions", str(sent))
    rabbitmq.ctl("export_definitions", str(back))
    return back


def entries(document: Document, section: str, without: frozenset[str] = frozenset()) -> list[str]:
    """The entries of a section in an order of their own, less what only one of the two writes."""
    found = []
    for entry in document[section]:
        kept = {key: value for key, value in entry.items() if key not in without}
        found.append(json.dumps(kept, sort_keys=True, ensure_ascii=False))
    return sorted(found)


def without_internal(document: Document) -> Document:
    """Less what RabbitMQ leaves out, and what is bound to it."""
    kept = [exchange for exchange in document["exchanges"] if not exchange.get("internal")]
    bound = [binding for binding in document["bindings"] if binding["destination"] != INTERNAL]
    return document | {"exchanges": kept, "bindings": bound}


def assert_same(ours: Document, theirs: Document) -> None:
    """All that both know."""
    ours, theirs = without_internal(ours), without_internal(theirs)
    for section in (*SECTIONS, *TOPOLOGY):
        assert entries(ours, section, ONE_SIDED) == entries(theirs, section, ONE_SIDED), section
    limits = [{user["name"]: user["limits"] for user in document["users"]} for document in (ours, theirs)]
    assert limits[0] == limits[1]


def test_rabbitmq_takes_over_all_of_ours_and_we_all_of_its(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    """There and back: what comes back is what was sent."""
    assert taken(tmp_path / "there", SENT) == []
    ours = given(tmp_path / "there")
    file = by_rabbitmq(rabbitmq, ours, tmp_path)
    theirs = json.loads(file.read_text())
    assert_same(ours, theirs)
    reports = taken(tmp_path / "back", file)
    assert len(reports) == 1 and f"destination '{INTERNAL}'" in reports[0]
    assert_same(given(tmp_path / "back"), theirs)


def test_what_is_written_of_definitions_json_is_definitions_json(tmp_path: Path) -> None:
    """Nothing is lost by ourselves."""
    taken(tmp_path / "store", SENT)
    found, sent = given(tmp_path / "store"), json.loads(SENT.read_text())
    for section in (*SECTIONS, "exchanges", "bindings"):
        assert entries(found, section) == entries(sent, section), section
    assert entries(found, "queues", frozenset({"type"})) == entries(sent, "queues")
