"""Values of field tables as RabbitMQ writes them into its texts: Erlang terms.

Clients compare reply texts, so `true`, `undefined` and `<<"foo">>` are to stand where RabbitMQ has them.
For texts only: nothing here is ever read back. Widths of numbers inside of lists and tables are no longer
known here; they are named as the narrower of the two that clients send.
"""

from decimal import Decimal
from typing import Final

from mambaamqp.wire.table import Timestamp, Value

SIGNED_INT_MIN: Final = -(1 << 31)
SIGNED_INT_MAX: Final = (1 << 31) - 1


def plain(value: Value) -> str:
    """A value with text as it is: what stands between the quotes of `received '…'`."""
    return value if isinstance(value, str) else term(value)


def term(value: Value) -> str:
    """A value as an Erlang term: text is `<<"foo">>`, a list `[{longstr,<<"a">>}]`."""
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _binary(value)
    if isinstance(value, bytes):
        return _octets(value)
    if isinstance(value, Timestamp):
        return str(value.seconds)
    if isinstance(value, float):
        return _float(value)
    return _compound(value)


def _compound(value: Value) -> str:
    if isinstance(value, list):
        return f"[{','.join([f'{{{kind(item)},{term(item)}}}' for item in value])}]"
    if isinstance(value, dict):
        return f"[{','.join([f'{{{term(key)},{kind(item)},{term(item)}}}' for key, item in value.items()])}]"
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        return f"{{{-int(exponent)},{''.join([str(digit) for digit in digits])}}}"
    return str(value)


def kind(value: Value) -> str:
    """The name of a value's type where its octets are no longer at hand."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "signedint" if SIGNED_INT_MIN <= value <= SIGNED_INT_MAX else "long"
    return _KINDS.get(type(value), "void")


_KINDS: Final[dict[object, str]] = {
    str: "longstr",
    bytes: "binary",
    float: "double",
    Decimal: "decimal",
    Timestamp: "timestamp",
    dict: "table",
    list: "array",
}


def _binary(text: str) -> str:
    """Printable text in quotes; the octets of any other."""
    if not text:
        return "<<>>"
    if not text.isprintable():
        return f"<<{','.join([str(octet) for octet in text.encode()])}>>"
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'<<"{quoted}">>' if text.isascii() else f'<<"{quoted}"/utf8>>'


def _octets(octets: bytes) -> str:
    try:
        return _binary(octets.decode())
    except UnicodeDecodeError:
        return f"<<{','.join([str(octet) for octet in octets])}>>"


def _float(value: float) -> str:
    """Erlang always has a point: 1.0e20, where Python has 1e+20."""
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    if not mark:
        return text
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent)}"
