"""Chooses ports: the usual port if it is free, else another one."""

import random
import socket
import weakref
from collections.abc import Iterator

# Below Linux's ephemeral range, because an outgoing connection can take any port of that range at any moment.
_SPARE = range(20000, 32000)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class PortChooser:
    """Chooses each port at most once, and no port that another lab on this machine has chosen.

    A component binds its port seconds after the choice. Until the chooser is closed, it claims each port with an
    abstract Unix socket: only one process of the network namespace can have the name, and the kernel frees it when the
    process ends.
    """

    def __init__(self, *, usual: bool) -> None:
        """`usual` is False for a stack that must not take the user's usual ports."""
        self._usual = usual
        self._claims: list[socket.socket] = []
        weakref.finalize(self, _close, self._claims)

    def choose(self, usual: int) -> int:
        """Return the usual port if it is free, else any free one."""
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
        """Release all claims."""
        _close(self._claims)


def _close(claims: list[socket.socket]) -> None:
    while claims:
        claims.pop().close()
