"""Ports: the usual ones unless someone else has them."""

import socket
from collections.abc import Iterator

import pytest

from wallet_lab.ports import PortChooser, is_free


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which another server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_another_server_has_is_not_free(taken_port: int) -> None:
    """We never compete for a port."""
    assert not is_free(taken_port)


def test_a_taken_usual_port_is_replaced_by_a_free_one(taken_port: int) -> None:
    """The stack comes up although someone has its usual port."""
    chosen = PortChooser(usual=True).choose(taken_port)
    assert chosen != taken_port
    assert is_free(chosen)


def test_a_free_usual_port_is_used() -> None:
    """Users find the stack where the README says."""
    free = PortChooser(usual=False).choose(0)
    assert PortChooser(usual=True).choose(free) == free


def test_no_port_is_given_twice() -> None:
    """Two components never get the same port, even before either listens."""
    ports = PortChooser(usual=True)
    free = PortChooser(usual=False).choose(0)
    assert ports.choose(free) != ports.choose(free)
