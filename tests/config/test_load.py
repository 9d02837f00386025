"""mambaamqp.config.load: sources override each other, and every mistake is one line with source and key."""

import tomllib
from pathlib import Path

import pytest

from mambaamqp.config import Config, Secret, load, parse
from mambaamqp.config.load import FILE_BYTES_MAX
from mambaamqp.errors import ConfigError


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(tomllib.loads(text), "mq.toml")
    return str(caught.value)


def test_no_source_gives_the_defaults() -> None:
    """Nothing given is the default configuration."""
    assert load() == Config() == parse({}, "mq.toml")


def test_file_is_overridden_by_environment_and_that_by_flags(tmp_path: Path) -> None:
    """Each later source wins, key by key."""
    file = tmp_path / "mq.toml"
    file.write_text('[listener]\nhost = "0.0.0.0"\nport = 1\nbacklog = 7\n')
    environ = {"MAMBAAMQP_LISTENER_PORT": "2", "MAMBAAMQP_LISTENER_HOST": "::1", "HOME": "/"}

    config = load(file, environ=environ, flags={"listener.port": 3, "listener.host": None})

    assert (config.listener.host, config.listener.port, config.listener.backlog) == ("::1", 3, 7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[listner]\nport = 1", "listner: unknown section (did you mean listener?)"),
        ("[zzz]\nport = 1", "zzz: unknown section"),
        ("[listener]\nprot = 1", "[listener] prot: unknown key (did you mean port?)"),
        ("[listener]\nport = '1'", "[listener] port = '1': must be a whole number"),
        ("[listener]\nport = true", "[listener] port = True: must be a whole number"),
        ("[listener]\nport = 1.5", "[listener] port = 1.5: must be a whole number"),
        ("[listener]\nhost = 5", "[listener] host = 5: must be text in quotes"),
        (
            f"[protocol]\nversion = '{'9' * 256}'",
            f"[protocol] version = '{'9' * 256}': must not be longer than 255 bytes of UTF-8",
        ),
        ("[listener]\nport = 99999", "[listener] port = 99999: must be between 0 and 65535"),
        ("[server]\nshutdown_seconds = 'x'", "[server] shutdown_seconds = 'x': must be a number"),
        ("[server]\ndata_dir = 5", "[server] data_dir = 5: must be a path in quotes"),
        ("[store]\nsync = 'alwys'", "[store] sync = 'alwys': must be one of always, interval, never"),
        (
            "[access]\nloopback_users = 'guest'",
            "[access] loopback_users = 'guest': must be a list of texts in quotes",
        ),
        (
            "[access]\nmechanisms = ['ANONYMOUS']",
            "[access] mechanisms = ('ANONYMOUS',): must be a list out of PLAIN, AMQPLAIN",
        ),
        ("listener = 5", "listener: must be a section, written [listener]"),
        ("[users]\nname = 'kim'", "users: must be a list of tables, each written [[users]]"),
        ("[[users]]\npassword = 'x'", "[[users]] name: is missing"),
        ("[[users]]\nname = 'kim'", "[[users]] 'kim': give either password or password_hash"),
        ("[[users]]\nname = 'kim'\npassword = ''", "[[users]] 'kim': a blank password is refused"),
        (
            "[[users]]\nname = 'kim'\npassword = 'x'\ntags = ['boss']",
            "[[users]] tags = ('boss',): must be a list out of administrator, monitoring, policymaker,"
            " management, impersonator",
        ),
    ],
)
def test_mistakes_are_one_line_with_file_and_key(text: str, expected: str) -> None:
    """The text names the file, the key, the value, and what would be right."""
    assert refusal(text) == f"mq.toml: {expected}"


def test_a_password_of_the_wrong_type_is_not_repeated() -> None:
    """Even what is no password is not printed."""
    text = refusal("[[users]]\nname = 'kim'\npassword = 271828")

    assert text == "mq.toml: [[users]] password: must be text in quotes"


def test_a_whole_number_is_a_number() -> None:
    """Where a fraction is allowed, 3 is as good as 3.0."""
    config = parse({"protocol": {"handshake_seconds": 3}}, "mq.toml")

    assert config.protocol.handshake_seconds == 3.0
    assert isinstance(config.protocol.handshake_seconds, float)


def test_entries_become_values() -> None:
    """Users, virtual hosts and permissions are read as lists of tables."""
    config = parse(
        tomllib.loads("""
            [[users]]
            name = "kim"
            password = "swordfish"
            tags = ["monitoring"]
            [[vhosts]]
            name = "orders"
            [[permissions]]
            user = "kim"
            vhost = "orders"
            read = "^in"
        """),
        "mq.toml",
    )

    assert config.users[0].password == Secret("swordfish")
    assert config.users[0].tags == ("monitoring",)
    assert config.permissions[0].read == "^in"
    assert config.permissions[0].configure == ""


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("MAMBAAMQP_LISTENER_PRT", "1", "[listener] has no key 'prt' (did you mean port?)"),
        ("MAMBAAMQP_LISTENER_PORT", "x", "[listener] port = 'x': must be a whole number"),
        ("MAMBAAMQP_LISTENER_PORT", "-1", "[listener] port = -1: must be between 0 and 65535"),
        (
            "MAMBAAMQP_PROTOCOL_HANDSHAKE_SECONDS",
            "soon",
            "[protocol] handshake_seconds = 'soon': must be a number",
        ),
        ("MAMBAAMQP_STORE_SYNC", "off", "[store] sync = 'off': must be one of always, interval, never"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str, expected: str) -> None:
    """The text names the environment variable that is wrong."""
    with pytest.raises(ConfigError) as caught:
        load(environ={variable: value})

    assert str(caught.value) == f"environment variable {variable}: {expected}"


def test_variables_are_read_by_type() -> None:
    """Numbers, lists with commas, and paths come out of text."""
    config = load(
        environ={
            "MAMBAAMQP_SERVER_DATA_DIR": "/mq",
            "MAMBAAMQP_ACCESS_LOOPBACK_USERS": "guest, kim",
            "MAMBAAMQP_PROTOCOL_HANDSHAKE_SECONDS": "2.5",
            "MAMBAAMQP_LIMITS_MESSAGE_BYTES_MAX": "1024",
        }
    )

    assert config.server.data_dir == Path("/mq")
    assert config.access.loopback_users == ("guest", "kim")
    assert config.protocol.handshake_seconds == 2.5
    assert config.limits.message_bytes_max == 1024


def test_an_empty_list_in_a_variable_is_empty() -> None:
    """No loopback users at all can be said in a variable."""
    assert load(environ={"MAMBAAMQP_ACCESS_LOOPBACK_USERS": ""}).access.loopback_users == ()


def test_variables_of_a_container_platform_are_left_alone() -> None:
    """A service of our name makes platforms set these; they are not ours."""
    environ = {"MAMBAAMQP_PORT": "tcp://10.0.0.1:5672", "MAMBAAMQP_SERVICE_HOST": "10.0.0.1"}

    assert load(environ=environ) == Config()


def test_a_wrong_flag_is_named() -> None:
    """The text names the flag as it was typed."""
    with pytest.raises(ConfigError) as caught:
        load(flags={"server.data_dir": "a\0b"})

    assert str(caught.value).startswith("--data-dir: [server] data_dir = ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[listener\n", "not valid TOML: "),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"a = " + b"[" * 100_000, "not valid TOML: "),
    ],
)
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    """What is not TOML is refused with the file's name, on one line."""
    file = tmp_path / "mq.toml"
    file.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load(file)

    assert str(caught.value).startswith(f"{file}: {expected}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    """A disk image named by mistake does not fill the memory."""
    file = tmp_path / "mq.toml"
    with file.open("wb") as image:
        image.truncate(FILE_BYTES_MAX + 1)

    with pytest.raises(ConfigError, match="larger than 16777216 bytes"):
        load(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there, or a directory, is one line too."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="cannot be read: "):
        load(tmp_path)
