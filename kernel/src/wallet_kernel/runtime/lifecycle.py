"""Readiness, the count of requests in flight, and the graceful drain, as ASGI middleware."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import Gauge

from wallet_kernel.contract.problems import Problem
from wallet_kernel.http import App, Receive, Scope, Send, send_answer

OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
"""What is answered to anyone, whatever the service's state."""

IN_FLIGHT = Gauge("wallet_requests_in_flight", "Requests being served.")
IN_FLIGHT_MAX = Gauge("wallet_requests_in_flight_max", "Requests that may be served at once.")

_log = logging.getLogger(__name__)

ReadyCheck = Callable[[], Awaitable[None]]


class NotReady(Exception):
    """A service says why it cannot serve yet."""


class Lifecycle:
    """Whether this process serves, and how much it is serving right now."""

    def __init__(self, in_flight_max: int, ready_checks: Mapping[str, ReadyCheck] | None = None) -> None:
        self._in_flight_max = in_flight_max
        self._in_flight = 0
        IN_FLIGHT.set_function(lambda: self._in_flight)
        IN_FLIGHT_MAX.set(in_flight_max)
        self._checks = ready_checks or {}
        self.draining = False

    async def obstacles(self) -> dict[str, str]:
        """What keeps this service from being ready, by check; empty if it is."""
        if self.draining:
            return {"drain": "the service is shutting down"}
        found: dict[str, str] = {}
        for name, check in self._checks.items():
            try:
                await check()
            except Exception as error:  # noqa: BLE001 - whatever a check raises is why the service is not ready
                found[name] = f"{type(error).__name__}: {error}"
        return found

    def guard(self, app: App) -> App:
        """Counts what `app` serves; refuses with 503 beyond the bound (health excepted)."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] not in OPEN_PATHS and (refusal := self._refusal()):
                await send_answer(refusal.answer(scope["path"]), send)
                return
            self._in_flight += 1
            try:
                await app(scope, receive, send)
            finally:
                self._in_flight -= 1

        return guarded

    def start_draining(self) -> None:
        """Makes the service unready; requests that still come are served."""
        self.draining = True
        _log.info("draining", extra={"in_flight": self._in_flight})

    async def drained(self) -> None:
        """Returns when no request is in flight."""
        while self._in_flight:  # noqa: ASYNC110 - rare and short
            await asyncio.sleep(0.02)

    def _refusal(self) -> Problem | None:
        if self._in_flight >= self._in_flight_max:
            return Problem("overloaded", "Too many requests are being served; send it again later.")
        return None
