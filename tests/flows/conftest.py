"""A broker in memory and clients of it: no socket, no clock, no disk."""

import pytest

from tests.support.client import Client, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Client:
    """Logged in, with channel 1 open."""
    return world.connect().open()


@pytest.fixture
def other(world: World, client: Client) -> Client:
    """A second connection, with channel 1 open."""
    return world.connect().open()
