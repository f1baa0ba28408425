"""Choosing ports: the usual ones when they are free, others when they are not."""

import random
import socket
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
    """Hands out every port at most once."""

    def __init__(self, *, usual: bool) -> None:
        """`usual` is False for a stack that must stay out of the way of the user's own."""
        self._usual = usual
        self._taken: set[int] = set()

    def choose(self, usual: int) -> int:
        """The usual port when it is free, else any free one."""
        candidates = self._candidates(usual)
        port = next(port for port in candidates if port not in self._taken and is_free(port))
        self._taken.add(port)
        return port

    def _candidates(self, usual: int) -> Iterator[int]:
        if self._usual:
            yield usual
        yield from random.sample(_SPARE, len(_SPARE))
