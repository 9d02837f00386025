"""mambaamqp/plugins/exchange_types.py: a distribution is installed, and its exchange type is there."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pamqp import commands

from mambaamqp.broker import exchanges
from mambaamqp.errors import ConfigError, StoreError
from mambaamqp.plugins import exchange_types
from tests.support.client import World

TEXT = '''
from mambaamqp.broker.destination import Destination
from mambaamqp.broker.exchanges import Exchange
from mambaamqp.broker.traits import Traits


class ParityExchange(Exchange):
    """To the bindings with the key "even" or "odd", by a number in a header."""

    READS_MESSAGE = True

    def match(self, routing_key, traits, found):
        number = traits.header("number")
        wanted = "" if not isinstance(number, int) else "odd" if number % 2 else "even"
        for binding in self.bindings:
            if binding.routing_key == wanted:
                found[binding.destination] = None


NO_TYPE = 5
'''

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """A distribution `parity` 1.2 with a module `parity_exchange`, and entry points of one's own."""

    def put(name: str, value: str) -> None:
        (tmp_path / "parity_exchange.py").write_text(TEXT)
        info = tmp_path / "parity-1.2.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parity\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{exchange_types.GROUP}]\n{name} = {value}\n")

    before = dict(exchanges.TYPES)
    monkeypatch.syspath_prepend(tmp_path)
    yield put
    exchanges.TYPES.clear()
    exchanges.TYPES.update(before)
    sys.modules.pop("parity_exchange", None)


def test_an_installed_type_can_be_declared(install: Install) -> None:
    """It routes, survives a restart, and is loaded as often as anybody asks."""
    install("x-parity", "parity_exchange:ParityExchange")
    assert exchange_types.load() == exchange_types.load() == ["x-parity (parity 1.2)"]
    client = World().connect().open()
    client.exchange("numbers", "x-parity", durable=True)
    for name in ("even", "odd"):
        client.queue(name, durable=True)
        client.call(1, commands.Queue.Bind(queue=name, exchange="numbers", routing_key=name))
    client = client.world.restart().connect().open()
    for number in range(5):
        client.publish(b"%d" % number, "", "numbers", properties={"headers": {"number": number}})
    client.publish(b"nobody's", "", "numbers")
    assert client.bodies_in("even") == [b"0", b"2", b"4"]
    assert client.bodies_in("odd") == [b"1", b"3"]


def test_without_its_plug_in_a_store_is_not_opened(install: Install) -> None:
    """Rather than forget the exchange and all that is bound to it."""
    install("x-parity", "parity_exchange:ParityExchange")
    exchange_types.load()
    client = World().connect().open()
    client.exchange("numbers", "x-parity", durable=True)
    del exchanges.TYPES["x-parity"]
    with pytest.raises(StoreError, match=r"exchange 'numbers' in vhost '/' again: unknown exchange type"):
        client.world.restart()


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("x-parity", "parity_exchange:Missing", "has no attribute 'Missing'"),
        ("x-parity", "missing_module:Type", "No module named 'missing_module'"),
        ("x-parity", "parity_exchange:NO_TYPE", "is not a subclass"),
        ("parity", "parity_exchange:ParityExchange", "begins with 'x-'"),
        ("x-random", "parity_exchange:ParityExchange", "there is an exchange type 'x-random' already"),
    ],
)
def test_what_cannot_be_used_is_named(install: Install, name: str, value: str, text: str) -> None:
    """With the distribution that brought it, and what is wrong."""
    install(name, value)
    with pytest.raises(ConfigError, match=rf"exchange type '{name}' of parity 1.2 cannot be used: .*{text}"):
        exchange_types.load()
