"""Finds container names through Docker's DNS, without Docker's socket. Works only for containers on a common network.

A network knows each container by the first twelve digits of its id, and answers `<name>.<network>` for its address.
"""

import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

SHORT_ID = 12
ROUND_S = 2.0
"""Time limit for one round of DNS queries. The next round asks the remaining ones."""
RETRY_S_MIN = 5.0
RETRY_S_MAX = 300.0
"""The delay between queries for a container without a name on these networks grows from the minimum to the maximum."""


class Component(NamedTuple):
    """A part of the stack, with the name of its service."""

    name: str
    """The service's name. Replicas after the first also have their number: `orchestrator`, `orchestrator-2`."""
    kind: str


def component_of(container: str, project: str, kinds: Mapping[str, str]) -> Component | None:
    """Returns the part of compose's `project` with this container name, `<project>-<service>-<replica>`, or None.

    Args:
        container: the container's name.
        project: the stack's compose project.
        kinds: the kind of each service, by its name without a shard's number: `{"events": "postgres"}`.
    """
    match = re.fullmatch(rf"{re.escape(project)}-((.+?)(?:-\d+)?)-(\d+)", container)
    if match is None or match[2] not in kinds:
        return None
    return Component(match[1] if match[3] == "1" else f"{match[1]}-{match[3]}", kinds[match[2]])


class _Failure(NamedTuple):
    retry_s: float
    due_s: float


class ContainerNames:
    """Caches the names of containers by id. Names do not change; containers that have gone are dropped."""

    def __init__(
        self,
        resolve: Callable[[str], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Uses `resolve` to find the name of a container; it raises OSError if there is none."""
        self._resolve = resolve or resolve_name
        self._clock = clock
        self._names: dict[str, str] = {}
        self._failures: dict[str, _Failure] = {}

    def of(self, ids: Iterable[str]) -> dict[str, str]:
        """Returns the known names of these containers. Queries unknown names whose retry is due."""
        present = set(ids)
        self._names = {
            container_id: name for container_id, name in self._names.items() if container_id in present
        }
        self._failures = {
            container_id: failure
            for container_id, failure in self._failures.items()
            if container_id in present
        }
        self._query(present - self._names.keys())
        return dict(self._names)

    def _query(self, unknown: Iterable[str]) -> None:
        begin_s = self._clock()
        for container_id in sorted(unknown, key=self._due_s):
            now_s = self._clock()
            if self._due_s(container_id) > now_s or now_s - begin_s > ROUND_S:
                return
            try:
                self._names[container_id] = self._resolve(container_id)
            except OSError:
                self._record_failure(container_id)

    def _due_s(self, container_id: str) -> float:
        return self._failures[container_id].due_s if container_id in self._failures else 0.0

    def _record_failure(self, container_id: str) -> None:
        before = self._failures.get(container_id)
        retry_s = min(before.retry_s * 2, RETRY_S_MAX) if before else RETRY_S_MIN
        self._failures[container_id] = _Failure(retry_s, self._clock() + retry_s)


def resolve_name(container_id: str) -> str:
    """Returns a container's name from Docker's DNS.

    Raises:
        OSError: the container is on no common network, or the DNS does not answer.
    """
    # The dot is necessary because an id that is all digits would otherwise be read as an address.
    address = socket.gethostbyname(container_id[:SHORT_ID] + ".")
    return socket.gethostbyaddr(address)[0].partition(".")[0]
