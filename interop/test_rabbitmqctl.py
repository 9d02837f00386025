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
    """About a broker of the tests."""
    own_broker_only(broker)
    return asked(line, MAMBAAMQP_SERVER_DATA_DIR=str(broker.directory))


def asked(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """By way of a shell, as the Java client's suite does it."""
    environment = os.environ | variables
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
    heading, line = listed.splitlines()
    assert heading == "pid\tpeer_port\tclient_properties"
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


def test_exchanges_and_bindings_in_the_columns_of_the_jms_suite(broker: BrokerProcess, name: str) -> None:
    """It takes the first line for the heading, and --quiet leaves that; --silent does not."""
    channel = connect(broker).channel()
    channel.exchange_declare(name, "topic", auto_delete=True)
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, name, "a.#")
    exchanges = rabbitmqctl(broker, "list_exchanges name type --quiet").stdout.splitlines()
    assert exchanges[0] == "name\ttype"
    assert f"{name}\ttopic" in exchanges
    columns = "source_name destination_name routing_key"
    bindings = rabbitmqctl(broker, f"list_bindings {columns} --quiet").stdout.splitlines()
    assert bindings[0] == columns.replace(" ", "\t")
    assert f"{name}\t{queue}\ta.#" in bindings
    assert rabbitmqctl(broker, f"list_bindings {columns} --silent").stdout.splitlines() == bindings[1:]
    channel.connection.close()


def test_plugins_are_listed_whose_work_is_built_in(broker: BrokerProcess) -> None:
    """The JMS suite looks for one of them, and for TLS."""
    status = rabbitmqctl(broker, "status").stdout
    assert " * rabbitmq_delayed_message_exchange\n" in status
    assert "amqp/ssl" not in status


def test_a_broker_is_stopped_and_started(tmp_path: Path) -> None:
    """What is durable is there again. To change channel_max is a restart."""
    variables = {
        "MAMBAAMQP_SERVER_DATA_DIR": str(tmp_path / "store"),
        "MAMBAAMQP_LISTENER_PORT": "0",
        "BROKER": f"exec '{sys.executable}' -m mambaamqp serve >> '{tmp_path / 'log'}' 2>&1",
    }
    assert asked("stop_app", **variables).returncode == 69
    assert asked("start_app", **variables).returncode == 0
    try:
        with pika.BlockingConnection(pika.ConnectionParameters(port=port(variables))) as connection:
            connection.channel().queue_declare("kept", durable=True)
        done = asked("eval 'application:set_env(rabbit, channel_max, 7).'", **variables)
        assert (done.returncode, done.stdout) == (0, "ok\n")
        with pika.BlockingConnection(pika.ConnectionParameters(port=port(variables))) as connection:
            assert connection._impl.params.channel_max == 7
            connection.channel().queue_declare("kept", passive=True)
    finally:
        assert asked("stop_app", **variables).returncode == 0
    assert asked("status", **variables).returncode == 69


def test_a_broker_that_does_not_start_is_said(tmp_path: Path) -> None:
    """At once, not after thirty seconds."""
    done = asked("start_app", MAMBAAMQP_SERVER_DATA_DIR=str(tmp_path), BROKER="exit 1")
    assert (done.returncode, done.stderr) == (69, "Error: the broker does not start\n")


def port(variables: dict[str, str]) -> int:
    """Where that broker listens."""
    found = re.search(r"127\.0\.0\.1:(\d+)", asked("status", **variables).stdout)
    assert found is not None
    return int(found[1])


def test_what_it_does_not_know_it_says(broker: BrokerProcess) -> None:
    """64, and --help is how suites find out."""
    assert rabbitmqctl(broker, "set_topic_permissions --help").returncode == 0
    assert rabbitmqctl(broker, "stop_app").returncode == 64
    assert rabbitmqctl(broker, "start_app").returncode == 64
    assert rabbitmqctl(broker, "eval 'os:cmd(\"true\").'").returncode == 64
