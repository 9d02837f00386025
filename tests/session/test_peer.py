"""The two ends of a connection."""

from mambaamqp.session.peer import Peer


def test_the_name_is_formed_as_in_rabbitmq() -> None:
    """Tools look connections up by it."""
    assert Peer("127.0.0.1", 51234, "127.0.0.1", 5672).name == "127.0.0.1:51234 -> 127.0.0.1:5672"
