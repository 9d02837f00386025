"""Bindings and where messages go: each type, each hop, one copy for each queue."""

from typing import Any

import pytest
from pamqp import commands, frame

from mambaamqp.wire import properties
from mambaamqp.wire.framing import FRAME_HEADER
from mambaamqp.wire.framing import frame as pack
from mambaamqp.wire.table import Table, encode_entries
from tests.support import expect
from tests.support.client import Client, publish_octets


def routed(client: Client, exchange: str, key: str, queues: str = "abcd", **options: Any) -> str:
    """Publish with a key and say which of the queues have got it, repeated for each copy."""
    client.publish(b"m", key, exchange, **options)
    return "".join(name * len(client.bodies_in(name)) for name in queues)


@pytest.fixture
def queues(client: Client) -> Client:
    """With the queues a, b, c and d."""
    for name in "abcd":
        client.queue(name)
    return client


# Types


def test_direct_compares_whole_keys(queues: Client) -> None:
    """Exactly, case and all."""
    queues.bind("a", "amq.direct", "k")
    queues.bind("b", "amq.direct", "k")
    queues.bind("c", "amq.direct", "K")
    queues.bind("d", "amq.direct", "")

    assert routed(queues, "amq.direct", "k") == "ab"
    assert routed(queues, "amq.direct", "K") == "c"
    assert routed(queues, "amq.direct", "") == "d"
    assert routed(queues, "amq.direct", "kk") == ""


def test_fanout_ignores_keys(queues: Client) -> None:
    """Those of the binding and of the message."""
    queues.bind("a", "amq.fanout", "x")
    queues.bind("b", "amq.fanout", "y")

    assert routed(queues, "amq.fanout", "z") == "ab"


def test_the_default_exchange_goes_by_the_queues_name(queues: Client) -> None:
    """Every queue, and no other key."""
    assert routed(queues, "", "a") == "a"
    assert routed(queues, "", "nope") == ""


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("a.b", ["a.b"], ["a", "a.b.c", "a.", ".a.b", "A.b", ""]),
        ("a.*", ["a.b", "a.", "a.*"], ["a", "a.b.c", "b.a", ""]),
        ("a.#", ["a", "a.b", "a.b.c", "a..", "a."], ["b", "ab", ""]),
        ("#", ["", "a", "a.b", "..", "a..b"], []),
        ("*", ["a", "*", "#"], ["", "a.b", "."]),
        ("*.*", ["a.b", ".", "a.", ".a"], ["a", "", "a.b.c"]),
        ("#.b", ["b", "a.b", "a.a.b", ".b"], ["a", "b.a", ""]),
        ("#.a.#", ["a", "x.a", "a.x", "x.y.a.z", "a.a"], ["", "x", "b.c"]),
        ("a.*.c", ["a.b.c", "a..c"], ["a.c", "a.b.b.c"]),
        ("#.*", ["a", "a.b", "."], [""]),
        ("*.#", ["a", "a.b", "."], [""]),
        ("#.#", ["", "a", "a.b.c"], []),
        ("", [""], ["a", "."]),
        ("a#", ["a#"], ["a", "ab"]),
    ],
)
def test_topic_patterns(queues: Client, pattern: str, matching: list[str], other: list[str]) -> None:
    """`*` is one word, perhaps an empty one; `#` any number; an empty key has no words at all."""
    queues.bind("a", "amq.topic", pattern)

    for key in matching:
        assert routed(queues, "amq.topic", key, "a") == "a", key
    for key in other:
        assert routed(queues, "amq.topic", key, "a") == "", key


def test_unbinding_one_pattern_leaves_the_others(queues: Client) -> None:
    """Patterns that share words are kept apart."""
    for pattern in ("a.b", "a.*", "a.#", "#"):
        queues.bind("a", "amq.topic", pattern)
    for pattern, left in (("#", "a"), ("a.b", "a"), ("a.#", "a"), ("a.*", "")):
        queues.call(1, commands.Queue.Unbind(queue="a", exchange="amq.topic", routing_key=pattern))
        assert routed(queues, "amq.topic", "a.b", "a") == left


@pytest.mark.parametrize(
    ("arguments", "matching", "other"),
    [
        (
            {"x-match": "all", "k": 1, "t": "v"},
            [{"k": 1, "t": "v", "u": 0}],
            [{"k": 1}, {"k": 1, "t": "w"}, {}],
        ),
        ({"k": 1, "t": "v"}, [{"k": 1, "t": "v"}], [{"k": 1}]),
        ({"x-match": "any", "k": 1, "t": "v"}, [{"k": 1}, {"t": "v", "k": 2}], [{"k": 2}, {}]),
        ({"x-match": "all"}, [{}, {"k": 1}], []),
        ({}, [{}, {"k": 1}], []),
        ({"x-match": "any"}, [], [{}, {"k": 1}]),
        ({"x-match": "all", "k": None}, [{"k": 1}, {"k": "any"}], [{"t": 1}]),
        ({"x-match": "all", "x-k": 1}, [{}, {"x-k": 2}], []),
        ({"x-match": "any", "x-k": 1}, [], [{"x-k": 1}]),
        ({"x-match": "all-with-x", "x-k": 1}, [{"x-k": 1}], [{"x-k": 2}, {}]),
        ({"x-match": "any-with-x", "x-k": 1, "k": 1}, [{"x-k": 1}, {"k": 1}], [{"x-k": 2}]),
        ({"k": 1}, [{"k": 1}], [{"k": "1"}, {"k": True}, {"k": 1.0}]),
        ({"k": True}, [{"k": True}], [{"k": 1}, {"k": "true"}, {"k": False}]),
        ({"k": "a"}, [{"k": "a"}], [{"k": "A"}, {"k": "ab"}]),
        ({"k": [1, "a"]}, [{"k": [1, "a"]}], [{"k": [1]}, {"k": ["a", 1]}]),
        ({"k": {"n": 1}}, [{"k": {"n": 1}}], [{"k": {"n": 2}}]),
    ],
)
def test_headers_matching(
    queues: Client, arguments: dict[str, Any], matching: list[Any], other: list[Any]
) -> None:
    """All or any of the keys, by value and class of value; keys with x- count only if asked."""
    queues.bind("a", "amq.headers", arguments=arguments)

    for values in matching:
        assert routed(queues, "amq.headers", "", "a", properties={"headers": values}) == "a", values
    for values in other:
        assert routed(queues, "amq.headers", "", "a", properties={"headers": values}) == "", values


def test_headers_without_a_header_table(queues: Client) -> None:
    """As with an empty one."""
    queues.bind("a", "amq.headers", arguments={"x-match": "all"})
    queues.bind("b", "amq.headers", arguments={"x-match": "any", "k": 1})

    assert routed(queues, "amq.headers", "") == "a"


def test_widths_of_integers_match_each_other(queues: Client) -> None:
    """Clients choose widths by value or by habit."""
    wide = Table(encode_entries({"k": 5}))
    assert wide.code("k") == "l"
    queues.raw(1, commands.Queue.Bind, queue="a", exchange="amq.headers", arguments=wide)

    assert routed(queues, "amq.headers", "", properties={"headers": {"k": 5}}) == "a"


@pytest.mark.parametrize(
    ("value", "text"),
    [("foo", 'Invalid x-match field value "foo"; expected all, any, all-with-x, or any-with-x')],
)
def test_an_invalid_x_match_is_406(queues: Client, value: Any, text: str) -> None:
    """And there is no such binding."""
    answer = queues.bind("a", "amq.headers", arguments={"x-match": value})

    expect.channel_closed(answer, 406, f"PRECONDITION_FAILED - {text}", commands.Queue.Bind)


def test_an_x_match_of_another_type_is_406(queues: Client) -> None:
    """Text is wanted."""
    answer = queues.bind("a", "amq.headers", arguments={"x-match": 1})

    assert answer.reply_code == 406
    assert answer.reply_text.startswith("PRECONDITION_FAILED - Invalid x-match field type")


# One copy


def test_several_bindings_to_one_queue_give_one_copy(queues: Client) -> None:
    """Whatever matches, and however often it was bound."""
    for pattern in ("a.b", "a.*", "#", "a.b"):
        queues.bind("a", "amq.topic", pattern)

    assert routed(queues, "amq.topic", "a.b") == "a"


def test_a_binding_made_twice_is_one(queues: Client) -> None:
    """Taken away once, it is gone."""
    queues.bind("a", "amq.direct", "k")
    queues.bind("a", "amq.direct", "k")
    queues.call(1, commands.Queue.Unbind(queue="a", exchange="amq.direct", routing_key="k"))

    assert routed(queues, "amq.direct", "k") == ""


def test_arguments_tell_bindings_apart(queues: Client) -> None:
    """Same key, other arguments: two bindings, each to be taken away by its own."""
    queues.bind("a", "amq.direct", "k", arguments={"n": 1})
    queues.bind("a", "amq.direct", "k", arguments={"n": 2})
    queues.call(
        1, commands.Queue.Unbind(queue="a", exchange="amq.direct", routing_key="k", arguments={"n": 1})
    )
    assert routed(queues, "amq.direct", "k") == "a"
    queues.call(1, commands.Queue.Unbind(queue="a", exchange="amq.direct", routing_key="k"))
    assert routed(queues, "amq.direct", "k") == "a"


# Exchange to exchange


def bind_exchange(client: Client, destination: str, source: str, key: str = "") -> Any:
    return client.call(1, commands.Exchange.Bind(destination=destination, source=source, routing_key=key))


def test_exchanges_bind_to_exchanges(queues: Client) -> None:
    """The key stays the message's own at every hop."""
    queues.exchange("x", "fanout")
    queues.exchange("y", "topic")
    assert isinstance(bind_exchange(queues, "y", "x"), commands.Exchange.BindOk)
    queues.bind("a", "y", "k.*")
    queues.bind("b", "y", "other")

    assert routed(queues, "x", "k.1") == "a"
    queues.call(1, commands.Exchange.Unbind(destination="y", source="x", routing_key=""))
    assert routed(queues, "x", "k.1") == ""


def test_several_ways_to_a_queue_give_one_copy(queues: Client) -> None:
    """A diamond of exchanges."""
    for name in "wxyz":
        queues.exchange(name, "fanout")
    for destination, source in ("xw", "yw", "zx", "zy"):
        bind_exchange(queues, destination, source)
    queues.bind("a", "z")
    queues.bind("a", "w")

    assert routed(queues, "w", "") == "a"


def test_cycles_of_exchanges_end(queues: Client) -> None:
    """To itself, and around."""
    queues.exchange("x", "fanout")
    queues.exchange("y", "fanout")
    bind_exchange(queues, "x", "x")
    bind_exchange(queues, "y", "x")
    bind_exchange(queues, "x", "y")
    queues.bind("a", "y")

    assert routed(queues, "x", "") == "a"


def test_a_deleted_exchange_takes_its_bindings_along(queues: Client) -> None:
    """From it and to it; an exchange of the same name starts without any."""
    queues.exchange("x", "fanout")
    queues.exchange("y", "fanout")
    bind_exchange(queues, "y", "x")
    queues.bind("a", "y")
    queues.call(1, commands.Exchange.Delete(exchange="y"))
    assert routed(queues, "x", "") == ""
    queues.exchange("y", "fanout")

    assert routed(queues, "x", "") == ""
    assert routed(queues, "y", "") == ""
    assert queues.world.broker.vhosts["/"].binding_count == 0


def test_a_deleted_queue_takes_its_bindings_along(queues: Client) -> None:
    """A queue of the same name starts without any."""
    queues.bind("a", "amq.direct", "k")
    queues.call(1, commands.Queue.Delete(queue="a"))
    queues.queue("a")

    assert routed(queues, "amq.direct", "k") == ""


# Alternates


def alternate(client: Client, name: str, kind: str, other: str) -> None:
    client.exchange(name, kind, arguments={"alternate-exchange": other})


def test_an_alternate_takes_what_goes_nowhere(queues: Client) -> None:
    """And only that."""
    alternate(queues, "x", "direct", "amq.fanout")
    queues.bind("a", "x", "k")
    queues.bind("b", "amq.fanout")

    assert routed(queues, "x", "k") == "a"
    assert routed(queues, "x", "other") == "b"


def test_routed_by_an_alternate_is_routed(queues: Client) -> None:
    """No basic.return."""
    alternate(queues, "x", "direct", "amq.fanout")
    queues.bind("b", "amq.fanout")

    assert routed(queues, "x", "k", mandatory=True) == "b"
    assert queues.take() == []


def test_an_alternate_may_be_missing_and_may_come_later(queues: Client) -> None:
    """A missing one is ignored; routes follow when it appears."""
    alternate(queues, "x", "direct", "later")
    assert routed(queues, "x", "k") == ""
    queues.exchange("later", "fanout")
    queues.bind("a", "later")

    assert routed(queues, "x", "k") == "a"


def test_alternates_may_form_a_cycle(queues: Client) -> None:
    """Each is asked once."""
    alternate(queues, "x", "direct", "y")
    alternate(queues, "y", "direct", "x")

    assert routed(queues, "x", "k") == ""


def test_an_alternate_that_reads_message_is_given_them(queues: Client) -> None:
    """Its route is not known by the key."""
    alternate(queues, "x", "direct", "amq.headers")
    queues.bind("a", "amq.headers", arguments={"k": 1})

    assert routed(queues, "x", "", properties={"headers": {"k": 1}}) == "a"
    assert routed(queues, "x", "", properties={"headers": {"k": 2}}) == ""


# CC and BCC


def test_cc_and_bcc_are_further_keys(queues: Client) -> None:
    """One copy for each queue; BCC is taken out before anybody sees it, all else stays."""
    values = {"CC": ["b", "a"], "BCC": ["c"], "n": 1}
    queues.publish(b"m", "a", properties={"headers": values, "message_id": "id"})

    for name in "abc":
        delivery = queues.get(name)
        assert delivery is not None
        assert delivery.properties.headers == {"CC": ["b", "a"], "n": 1}
        assert delivery.properties.message_id == "id"
        assert delivery.method.routing_key == "a"
        assert queues.get(name) is None


def test_cc_works_where_the_key_leads_nowhere(queues: Client) -> None:
    """mandatory is satisfied by any of them."""
    assert routed(queues, "", "nope", mandatory=True, properties={"headers": {"CC": ["b"]}}) == "b"
    assert queues.take() == []


def test_cc_works_at_a_headers_exchange_and_through_bindings(queues: Client) -> None:
    """At every hop each key is tried."""
    queues.exchange("x", "direct")
    bind_exchange(queues, "amq.topic", "x", "k")
    queues.bind("a", "amq.topic", "cc.#")
    queues.bind("b", "amq.topic", "k")

    assert routed(queues, "x", "k", properties={"headers": {"CC": ["cc.1"]}}) == "ab"


@pytest.mark.parametrize("name", ["CC", "BCC"])
def test_cc_that_is_no_array_is_406(queues: Client, name: str) -> None:
    """In RabbitMQ's words."""
    queues.publish(b"m", "a", properties={"headers": {name: "b"}})

    [close] = queues.of(commands.Channel.Close)
    expect.channel_closed(
        close,
        406,
        f'PRECONDITION_FAILED - invalid message: {{unacceptable_type_in_header,"{name}",longstr}}',
        commands.Basic.Publish,
    )


def test_cc_with_something_else_in_the_array_is_406(queues: Client) -> None:
    """Keys are text."""
    queues.publish(b"m", "a", properties={"headers": {"CC": ["b", 1]}})

    assert queues.of(commands.Channel.Close)[0].reply_code == 406


# Caches


def test_a_cached_route_follows_every_change(queues: Client) -> None:
    """Bind, unbind, delete, declare: the next publish goes where it should."""
    assert routed(queues, "amq.direct", "k") == ""
    queues.bind("a", "amq.direct", "k")
    assert routed(queues, "amq.direct", "k") == "a"
    queues.bind("b", "amq.direct", "k")
    assert routed(queues, "amq.direct", "k") == "ab"
    queues.call(1, commands.Queue.Unbind(queue="a", exchange="amq.direct", routing_key="k"))
    assert routed(queues, "amq.direct", "k") == "b"
    queues.call(1, commands.Queue.Delete(queue="b"))
    assert routed(queues, "amq.direct", "k", "acd") == ""
    assert routed(queues, "", "b", "acd") == ""
    queues.queue("b")
    assert routed(queues, "", "b") == "b"


def test_many_keys_do_not_pile_up(queues: Client) -> None:
    """The cache of routes is bounded: keys come from clients."""
    for place in range(5000):
        queues.session.receive_data(publish_octets(b"", f"key-{place}", "amq.direct"), queues.world.now)

    assert len(queues.session.channels[1].routes) <= 4096


def test_headers_survive_as_they_were_sent(queues: Client) -> None:
    """Octet by octet: types, widths and order that we would not choose ourselves, repeated keys as well."""
    entries = [
        b"\x01aI" + bytes(4),
        b"\x01bs" + bytes(2),
        b"\x01cf" + bytes(4),
        b"\x01di\xff\xff\xff\xff",
        b"\x01eS\x00\x00\x00\x01\xff",
        b"\x01fD\x02\x00\x00\x00\x07",
        b"\x01aV",
    ]
    header = pack(FRAME_HEADER, 1, properties.encode({"headers": Table(b"".join(entries))}, 0))
    queues.feed(frame.marshal(commands.Basic.Publish(routing_key="a"), 1) + header)
    queues.session.receive_data(frame.marshal(commands.Basic.Get(queue="a"), 1), queues.world.now)

    assert header in queues.session.data_to_send()
