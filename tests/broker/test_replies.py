"""mambaamqp/broker/replies.py: places for answers."""

import pytest

from mambaamqp.broker.replies import (
    REPLIES_MAX,
    REPLY_TO,
    check_alive,
    check_bindable,
    create_reply_queue,
    is_reply_name,
)
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.errors import AccessRefused, NotFound


def test_only_its_own_names_are_reply_names() -> None:
    """The one to consume from, and those that are given out."""
    assert is_reply_name(REPLY_TO)
    assert is_reply_name(f"{REPLY_TO}.x")
    assert not is_reply_name(f"{REPLY_TO}s")
    assert not is_reply_name("")


def test_a_place_for_answers_leaves_no_trace(vhost: VirtualHost) -> None:
    """It is its owner's, is not journaled, bounded, and has a name of its own each time."""
    position = vhost.broker.journal.position
    owner = object()
    one, two = create_reply_queue(vhost, owner), create_reply_queue(vhost, owner)
    assert one.name != two.name
    assert (one.owner, one.journaled, one.auto_delete) == (owner, False, True)
    assert one.arguments.max_length == REPLIES_MAX
    assert one.bounded
    assert vhost.broker.journal.position == position


def test_alive_or_404(vhost: VirtualHost) -> None:
    """The general name always is."""
    check_alive(vhost, REPLY_TO)
    check_alive(vhost, create_reply_queue(vhost, object()).name)
    with pytest.raises(NotFound, match=r"no queue 'amq.rabbitmq.reply-to.gone' in vhost '/'"):
        check_alive(vhost, f"{REPLY_TO}.gone")


def test_a_place_for_answers_cannot_be_bound() -> None:
    """403, as RabbitMQ has it."""
    check_bindable("q")
    with pytest.raises(AccessRefused, match="cannot bind or unbind to a volatile"):
        check_bindable(f"{REPLY_TO}.x")
