"""mambaamqp/broker/exchanges/modulus_hash.py: the hash of the key modulo the number of bindings."""

from tests.broker.exchanges.conftest import Q, R, bind, make, reached


def test_a_key_has_one_place() -> None:
    """Always the same, in whatever order the bindings were made, and all places are used."""
    one, other = make("x-modulus-hash"), make("x-modulus-hash")
    for exchange, destinations in ((one, (Q, R)), (other, (R, Q))):
        for destination in destinations:
            bind(exchange, destination)
    keys = [f"key {number}" for number in range(100)]
    places = [reached(one, key) for key in keys]
    assert places == [reached(other, key) for key in keys]
    assert {name for place in places for name in place} == {"q", "r"}
    assert {len(place) for place in places} == {1}


def test_without_bindings_nobody_gets_it() -> None:
    """And there is nothing to divide by."""
    exchange = make("x-modulus-hash")
    assert reached(exchange, "key") == []
    bind(exchange, Q)
    exchange.remove_destination(Q)
    assert reached(exchange, "key") == []
