"""Readiness, the count of requests in flight, and the graceful drain, as ASGI middleware."""

import asyncio
import logging
from collections.abc import Mapping

from prometheus_client import Gauge

from wallet_kernel.contract.problems import Problem
from wallet_kernel.http import App, Receive, Scope, Send, send_response
from wallet_kernel.runtime.readiness import Readiness, ReadyCheck, State

OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
"""The paths that need no secret and are served in every state of the service."""

IN_FLIGHT = Gauge("wallet_requests_in_flight", "Requests being served.")
IN_FLIGHT_MAX = Gauge("wallet_requests_in_flight_max", "Requests that may be served at the same time.")

_log = logging.getLogger(__name__)


class Lifecycle:
    """The readiness of this process, and its number of requests in flight."""

    def __init__(
        self,
        in_flight_max: int,
        needs: Mapping[str, ReadyCheck] | None = None,
        needs_one_of: Mapping[str, ReadyCheck] | None = None,
    ) -> None:
        self._in_flight_max = in_flight_max
        self._in_flight = 0
        IN_FLIGHT.set_function(lambda: self._in_flight)
        IN_FLIGHT_MAX.set(in_flight_max)
        self._readiness = Readiness(needs, needs_one_of)
        self.draining = False

    async def state(self) -> State:
        """Returns whether the service is ready. The results of the checks may be up to 0.5 s old."""
        if self.draining:
            return State({"drain": "the service is shutting down"}, {})
        return await self._readiness.state()

    def refresh(self) -> None:
        """Starts the readiness checks, to update their metric."""
        self._readiness.refresh()

    def guard(self, app: App) -> App:
        """Counts the requests that `app` serves. Answers 503 above the bound, except for health and metrics."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] not in OPEN_PATHS and (refusal := self._refusal()):
                await send_response(refusal.response(scope["path"]), send)
                return
            self._in_flight += 1
            try:
                await app(scope, receive, send)
            finally:
                self._in_flight -= 1

        return guarded

    def start_draining(self) -> None:
        """Makes the service unready. It still serves new requests."""
        self.draining = True
        _log.info("draining", extra={"in_flight": self._in_flight})

    async def drained(self) -> None:
        """Waits until no request is in flight."""
        while self._in_flight:  # noqa: ASYNC110 - rare and short
            await asyncio.sleep(0.02)

    def _refusal(self) -> Problem | None:
        if self._in_flight >= self._in_flight_max:
            return Problem("overloaded", "Too many requests are being served; send it again later.")
        return None
