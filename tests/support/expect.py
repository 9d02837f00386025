"""What a test expects of a refusal: code, text, and the method that is named as the culprit."""

from typing import Any

from pamqp import commands


def channel_closed(answer: Any, code: int, text: str, method: Any = None) -> None:
    """`answer` is a channel.close with this code and text, naming `method` if one is given."""
    assert isinstance(answer, commands.Channel.Close), answer
    _same(answer, code, text, method)


def connection_closed(answer: Any, code: int, text: str, method: Any = None) -> None:
    """`answer` is a connection.close with this code and text, naming `method` if one is given."""
    assert isinstance(answer, commands.Connection.Close), answer
    _same(answer, code, text, method)


def _same(answer: Any, code: int, text: str, method: Any) -> None:
    assert (answer.reply_code, answer.reply_text) == (code, text)
    if method is not None:
        index = 0 if method == 0 else method.index
        assert (answer.class_id, answer.method_id) == (index >> 16, index & 0xFFFF)
