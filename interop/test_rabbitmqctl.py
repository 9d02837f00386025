"""interop/rabbitmqctl: what suites of clients ask, in the words in which they ask it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pika
import pytest
from pika.exceptions import ConnectionClosedByBroker

from interop.broker import BrokerProcess
from interop.conftest import own_broker_only

COMMAND = Path(__file__).with_name("rabbitmqctl")


def rabbitmqctl(broker: BrokerProcess, line: str) -> subprocess.CompletedProcess[str]:
    """By way of a shell, as the Java client's suite does it."""
    own_broker_only(broker)
    environment = os.environ | {"MAMBAAMQP_SERVER_DATA_DIR": str(broker.directory)}
    command = f"'{sys.executable}' '{COMMAND}' -n 'rabbit@here' {line}"
    return subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, timeout=60)


def connect(broker: BrokerProcess, user: str = "guest") -> pika.BlockingConnection:
    credentials = pika.PlainCredentials(user, user)
    properties = {"connection_name": "one-of-mine"}
    parameters = pika.ConnectionParameters(
        broker.host, broker.port, credentials=credentials, client_properties=properties
    )
    return pika.BlockingConnection(parameters)


def test_a_connection_is_found_and_closed(broker: BrokerProcess) -> None:
    """By its port or its name in the client's properties; 320 with the reason."""
    connection = connect(broker)
    listed = rabbitmqctl(broker, "list_connections -q pid peer_port client_properties").stdout
    [line] = listed.splitlines()
    pid, port, client_properties = line.split("\t")
    assert int(port) > 0
    found = re.search(r'"connection_name","(?P<name>[a-zA-Z0-9\-_]+)?"', client_properties)
    assert found is not None and found["name"] == "one-of-mine"
    assert rabbitmqctl(broker, f"close_connection '{pid}' 'Closed via rabbitmqctl'").returncode == 0
    with pytest.raises(ConnectionClosedByBroker) as closed:
        connection.process_data_events(time_limit=10)
    assert closed.value.reply_text == "CONNECTION_FORCED - Closed via rabbitmqctl"


def test_a_user_a_virtual_host_and_rights(broker: BrokerProcess) -> None:
    """As the suites make and drop them."""
    for line in (
        "add_user test test",
        "add_vhost /test",
        "set_permissions -p /test test '.*' '.*' '.*'",
        "set_permissions test '.*' '.*' '.*'",
        "set_user_tags guest administrator impersonator",
        'set_topic_permissions -p / guest x "^{username}" "^{username}"',
        "clear_topic_permissions -p / guest",
        r"set_policy --priority 1 mine ^has-max {\"max-length\":1\,\"overflow\":\"drop-head\"}",
        "clear_policy mine",
        "trace_on",
        "trace_off",
    ):
        done = rabbitmqctl(broker, line)
        assert done.returncode == 0, (line, done.stderr)
    connect(broker, "test").close()
    assert "test\t.*\t.*\t.*" in rabbitmqctl(broker, "list_permissions -p /test").stdout
    assert rabbitmqctl(broker, "delete_vhost /test").returncode == 0
    assert rabbitmqctl(broker, "delete_user test").returncode == 0
    assert rabbitmqctl(broker, "delete_user test").returncode != 0


def test_alarms_are_set_by_marks_and_by_hand(broker: BrokerProcess) -> None:
    """Both ways that the suites know."""
    for on, off in (
        ("set_vm_memory_high_watermark 0.000000001", "set_vm_memory_high_watermark 0.4"),
        (
            "eval 'rabbit_alarm:set_alarm({{resource_limit, disk, node()}, []}).'",
            "eval 'rabbit_alarm:clear_alarm({resource_limit, disk, node()}).'",
        ),
    ):
        assert rabbitmqctl(broker, on).returncode == 0
        assert "alarms: []" not in rabbitmqctl(broker, "status").stdout
        assert rabbitmqctl(broker, off).returncode == 0
        assert "alarms: []" in rabbitmqctl(broker, "status").stdout


def test_what_it_does_not_know_it_says(broker: BrokerProcess) -> None:
    """64, and --help is how suites find out."""
    assert rabbitmqctl(broker, "set_topic_permissions --help").returncode == 0
    assert rabbitmqctl(broker, "stop_app").returncode == 64
    assert rabbitmqctl(broker, "eval 'os:cmd(\"true\").'").returncode == 64
