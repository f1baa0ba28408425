"""Choosing ports: the usual ones when they are free, others when they are not."""

import random
import socket
import weakref
from collections.abc import Iterator

# Below Linux's ephemeral range, whose ports any outgoing connection may take at any moment.
_SPARE = range(20000, 32000)


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class PortChooser:
    """Hands out every port at most once, and none that another lab on this machine has chosen.

    A component binds its port seconds after it was chosen, so each chosen port is claimed until the chooser is gone:
    by an abstract Unix socket, whose name belongs to one process of this network namespace and vanishes with it.
    """

    def __init__(self, *, usual: bool) -> None:
        """`usual` is False for a stack that must stay out of the way of the user's own."""
        self._usual = usual
        self._claims: list[socket.socket] = []
        weakref.finalize(self, _close, self._claims)

    def choose(self, usual: int) -> int:
        """The usual port when it is free, else any free one."""
        return next(port for port in self._candidates(usual) if self._claim(port))

    def _claim(self, port: int) -> bool:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0wallet-lab-port-{port}")
        except OSError:
            claim.close()
            return False
        self._claims.append(claim)
        return is_free(port)

    def _candidates(self, usual: int) -> Iterator[int]:
        if self._usual:
            yield usual
        yield from random.sample(_SPARE, len(_SPARE))

    def release(self) -> None:
        """Give all ports back."""
        _close(self._claims)


def _close(claims: list[socket.socket]) -> None:
    while claims:
        claims.pop().close()
