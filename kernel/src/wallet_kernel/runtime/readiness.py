"""Readiness: checks whether a service has the dependencies that it needs. Results are cached for a moment."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from prometheus_client import Gauge

FRESH_S = 0.5
"""How long a result is cached: each check runs at most twice a second, also under many requests."""

CHECK_DEADLINE_S = 1.5
"""Time limit of a check. It is below the timeout of readiness clients (2 s)."""

DEPENDENCY_UP = Gauge(
    "wallet_dependency_up",
    "1 if the last readiness check of this dependency passed, else 0.",
    ["dependency"],
)

ReadyCheck = Callable[[], Awaitable[None]]


class NotReady(Exception):
    """A service cannot serve yet. The message gives the reason."""


class Standby(NotReady):
    """This replica is a standby: another replica is active, and this one can take over from it."""


class Degraded(Exception):
    """One part of a service does not work until an operator acts. The service stays ready, because it serves the rest.

    The message gives the reason.
    """


class _Failure(NamedTuple):
    reason: str
    degrades: bool = False
    is_of_a_standby: bool = False


class State(NamedTuple):
    """The failed checks and their reasons. A service is ready if it has no `obstacles`, even if it is `degraded`.

    `is_standby`: all obstacles are that another replica is active.
    """

    obstacles: dict[str, str]
    degraded: dict[str, str]
    is_standby: bool = False


class Readiness:
    """The checks of a service: all of `needs` and at least one of `needs_one_of`, such as the shards, must pass.

    A check fails by raising an exception, whose text is the reason. `Degraded` does not make the service unready.
    """

    def __init__(
        self,
        needs: Mapping[str, ReadyCheck] | None = None,
        needs_one_of: Mapping[str, ReadyCheck] | None = None,
    ) -> None:
        self._needs = dict(needs or {})
        self._needs_one_of = dict(needs_one_of or {})
        self._failing: dict[str, _Failure] = {}
        self._fresh_until = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def state(self) -> State:
        """Returns a state that is at most `FRESH_S` seconds old."""
        failing = await self._look()
        some_of_one_of = bool(self._needs_one_of.keys() - failing.keys())
        degraded = {
            name: failure
            for name, failure in failing.items()
            if failure.degrades or (some_of_one_of and name in self._needs_one_of)
        }
        obstacles = {name: failure for name, failure in failing.items() if name not in degraded}
        return State(
            _reasons(obstacles),
            _reasons(degraded),
            bool(obstacles) and all(failure.is_of_a_standby for failure in obstacles.values()),
        )

    def refresh(self) -> None:
        """Starts the checks if their results are too old, to update the metric."""
        self._begin()

    async def _look(self) -> dict[str, _Failure]:
        if looking := self._begin():
            await asyncio.shield(looking)  # the checks continue if the caller that started them is cancelled
        return self._failing

    def _begin(self) -> asyncio.Task[None] | None:
        """Returns the running checks, which all callers share, or None while the last results are fresh."""
        if asyncio.get_running_loop().time() < self._fresh_until:
            return None
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._check_all())
        return self._looking

    async def _check_all(self) -> None:
        checks = self._needs | self._needs_one_of
        failures = await asyncio.gather(*map(_failure, checks.values()))
        self._failing = {name: failure for name, failure in zip(checks, failures, strict=True) if failure}
        self._fresh_until = asyncio.get_running_loop().time() + FRESH_S
        for name in checks:
            DEPENDENCY_UP.labels(name).set(name not in self._failing)


def _reasons(failures: Mapping[str, _Failure]) -> dict[str, str]:
    return {name: failure.reason for name, failure in failures.items()}


async def _failure(check: ReadyCheck) -> _Failure | None:
    try:
        async with asyncio.timeout(CHECK_DEADLINE_S):
            await check()
    except TimeoutError:
        return _Failure(f"no answer within {CHECK_DEADLINE_S:g} s")
    except Exception as error:  # noqa: BLE001 - any exception of a check is a reason why the service is not ready
        reason = f"{type(error).__name__}: {error}"
        return _Failure(reason, isinstance(error, Degraded), isinstance(error, Standby))
    return None
