"""Who a container is: Docker's DNS tells its name to whoever is on one network with it, without Docker's socket.

A network knows each container by the first twelve digits of its id, and answers `<name>.<network>` for its address.
"""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

SHORT_ID = 12
ROUND_S = 2.0
"""How long one round of questions may take; what is left over is asked in the next."""
RETRY_S_MIN = 5.0
RETRY_S_MAX = 300.0
"""Whoever is on no network of ours is asked for again and again, but ever more rarely."""


class Component(NamedTuple):
    """A part of the stack, under the name of its service."""

    name: str
    """The service's; replicas after the first have their number too: `orchestrator`, `orchestrator-2`."""
    kind: str


def component(container: str, project: str, kinds: Mapping[str, str]) -> Component | None:
    """Which part of compose's `project` a container is, by its name `<project>-<service>-<replica>`; None if none.

    Args:
        container: its name.
        project: of the stack.
        kinds: the kind of each service, by its name without a shard's number: `{"events": "postgres"}`.
    """
    match = re.fullmatch(rf"{re.escape(project)}-((.+?)(?:-\d+)?)-(\d+)", container)
    if match is None or match[2] not in kinds:
        return None
    return Component(match[1] if match[3] == "1" else f"{match[1]}-{match[3]}", kinds[match[2]])


class _Missed(NamedTuple):
    retry_s: float
    due_s: float


class ContainerNames:
    """The names of containers by their ids. A name, once known, does not change; who is gone is forgotten."""

    def __init__(
        self,
        ask: Callable[[str], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask` returns the name of a container, or raises OSError."""
        self._ask = ask or ask_docker
        self._clock = clock
        self._names: dict[str, str] = {}
        self._missed: dict[str, _Missed] = {}

    def of(self, ids: Iterable[str]) -> dict[str, str]:
        """Those of these containers whose names are known; asks for unknown ones whose time has come."""
        here = set(ids)
        self._names = {one: name for one, name in self._names.items() if one in here}
        self._missed = {one: missed for one, missed in self._missed.items() if one in here}
        self._ask_for(here - self._names.keys())
        return dict(self._names)

    def _ask_for(self, unknown: Iterable[str]) -> None:
        begin_s = self._clock()
        for one in sorted(unknown, key=self._due_s):
            now_s = self._clock()
            if self._due_s(one) > now_s or now_s - begin_s > ROUND_S:
                return
            with contextlib.suppress(OSError):
                self._names[one] = self._ask(one)
                continue
            self._miss(one)

    def _due_s(self, one: str) -> float:
        return self._missed[one].due_s if one in self._missed else 0.0

    def _miss(self, one: str) -> None:
        before = self._missed.get(one)
        retry_s = min(before.retry_s * 2, RETRY_S_MAX) if before else RETRY_S_MIN
        self._missed[one] = _Missed(retry_s, self._clock() + retry_s)


def ask_docker(container_id: str) -> str:
    """A container's name.

    Raises:
        OSError: it is on no network of ours, or the DNS does not answer.
    """
    # Without the dot at its end, an id that is all digits would be taken for an address.
    address = socket.gethostbyname(container_id[:SHORT_ID] + ".")
    return socket.gethostbyaddr(address)[0].partition(".")[0]
