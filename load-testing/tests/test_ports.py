"""Ports: the usual ones unless another program uses them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from wallet_lab.stack.health.listening import listens_alone
from wallet_lab.stack.ports import PortChooser, is_free


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which another server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_another_server_has_is_not_free(taken_port: int) -> None:
    """A port on which another server listens is not free."""
    assert not is_free(taken_port)


def test_a_taken_usual_port_is_replaced_by_a_free_one(taken_port: int) -> None:
    """If another program uses the usual port, the stack comes up on another one."""
    chosen = PortChooser(usual=True).choose(taken_port)
    assert chosen != taken_port
    assert is_free(chosen)


def test_a_free_usual_port_is_used() -> None:
    """If the usual port is free, the stack uses it."""
    free = PortChooser(usual=False).choose(0)
    assert PortChooser(usual=True).choose(free) == free


def test_no_port_is_given_twice() -> None:
    """Two components never get the same port, even before either listens."""
    ports = PortChooser(usual=True)
    free = PortChooser(usual=False).choose(0)
    assert ports.choose(free) != ports.choose(free)


def test_no_port_is_given_to_two_labs() -> None:
    """A chosen port is claimed, so that another lab does not choose it before the component listens."""
    one, other = PortChooser(usual=True), PortChooser(usual=True)
    free = PortChooser(usual=False).choose(0)
    assert one.choose(free) == free
    assert other.choose(free) != free
    one.release()
    assert PortChooser(usual=True).choose(free) == free


def test_port_is_ready_only_if_its_own_process_listens(taken_port: int) -> None:
    """An answer on a port counts only if the component's own process listens there."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        assert listens_alone(os.getpid(), taken_port)
        assert not listens_alone(stranger.pid, taken_port)
        stranger.kill()


def test_port_shared_with_another_program_does_not_count() -> None:
    """If another program shares the port with SO_REUSEPORT, the port does not count as the component's own."""
    program = """if True:
        import socket, sys
        shared = socket.socket()
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(("127.0.0.1", int(sys.argv[1])))
        shared.listen()
        print("listens", flush=True)
        sys.stdin.read()
    """
    with socket.socket() as mine:
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        mine.bind(("127.0.0.1", 0))
        mine.listen()
        port = mine.getsockname()[1]
        argv = [sys.executable, "-c", program, str(port)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert listens_alone(os.getpid(), port)  # the other one is a child, like a replica
            assert other.stdout is not None
            other.stdout.readline()
            assert not listens_alone(other.pid, port)
            other.kill()
