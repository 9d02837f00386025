"""mambaamqp/bench/workload.py: names, keys and octets that follow from the settings."""

import pytest
from pamqp import commands, frame

from mambaamqp.bench.workload import Workload
from mambaamqp.broker.topic import TopicTrie


@pytest.mark.parametrize("size", [0, 3, 8, 9, 100, 5000])
def test_a_template_is_a_publish(size: int) -> None:
    """pamqp reads it back: method, header, body frames; the stamp stands in front if there is room."""
    load = Workload(size=size, persistent=True, name="n")
    [template] = load.templates(0, 4096)
    octets = template.octets(0x0102030405060708)
    assert len(octets) == template.size

    values = []
    while octets:
        taken, channel, value = frame.unmarshal(octets)
        octets = octets[taken:]
        assert channel == 1
        values.append(value)
    method, header, *bodies = values
    body = b"".join(part.value for part in bodies)

    assert isinstance(method, commands.Basic.Publish)
    assert (method.exchange, method.routing_key) == ("", "n-0")
    assert (header.body_size, header.properties.delivery_mode) == (size, 2)
    assert body == (b"\1\2\3\4\5\6\7\10" + bytes(size - 8) if size >= 8 else bytes(size))


def test_queues_are_dealt_out() -> None:
    """Producer 3 of a load with two queues uses the second."""
    load = Workload(queues=2, name="n")

    assert [load.queue(number) for number in range(4)] == ["n-0", "n-1", "n-0", "n-1"]
    assert load.queue_names() == ["n-0", "n-1"]


@pytest.mark.parametrize("kind", ["direct", "topic"])
def test_every_routing_key_meets_one_binding(kind: str) -> None:
    """Nothing is published that nobody receives, or that comes twice."""
    load = Workload(exchange_type=kind, bindings=7, keys=20, queues=2, name="n")
    trie = TopicTrie()
    from mambaamqp.broker.destination import Destination

    for number, (_, key) in enumerate(load.binding_keys()):
        trie.add(key, Destination(str(number), True))

    for key in load.routing_keys(3):
        found: dict[Destination, None] = {}
        trie.match(key, found)
        assert len(found) == 1
    assert len({len(key) for key in load.routing_keys(3)}) == 1


def test_names_are_new_each_time() -> None:
    """Two loads on one broker do not meet."""
    assert Workload().name != Workload().name
