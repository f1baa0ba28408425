"""The health routes /livez and /readyz. They bypass the framework because clients call them often."""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec.json import encode

from wallet_kernel.http import CLOSE, App, Receive, Response, Scope, Send, send_response
from wallet_kernel.runtime.healthcheck import STANDBY
from wallet_kernel.runtime.lifecycle import Lifecycle

READYZ_PER_S = 100.0
"""The number of readiness requests per second that are served without a delay. More requests must not slow
transfers."""

DELAY_MAX_S = 1.0
"""The longest delay of a readiness request. It is below the clients' timeout of 2 s."""

Health = dict[str, Callable[[], Awaitable[Response]]]
"""The handlers of GET, by path."""


class Pace:
    """Delays calls, in order, to at most `per_s` calls a second. No call is delayed by more than `delay_max_s`."""

    def __init__(self, per_s: float, delay_max_s: float) -> None:
        self._interval_s = 1 / per_s
        self._delay_max_s = delay_max_s
        self._next = 0.0

    async def turn(self) -> None:
        """Waits until the caller may continue."""
        now = asyncio.get_running_loop().time()
        turn = min(max(now, self._next), now + self._delay_max_s)
        self._next = turn + self._interval_s
        if turn > now:
            await asyncio.sleep(turn - now)


def health(lifecycle: Lifecycle, *, public: bool) -> Health:
    """Returns the health handlers. Public answers leave out the reasons of failed checks."""
    pace = Pace(READYZ_PER_S, DELAY_MAX_S)

    async def livez() -> Response:
        return Response(200, b'{"status":"alive"}')

    async def readyz() -> Response:
        await pace.turn()
        state = await lifecycle.state()
        if state.obstacles:
            status = STANDBY if state.is_standby else "not ready"
            obstacles = sorted(state.obstacles) if public else state.obstacles
            return Response(
                503, encode({"status": status, "obstacles": obstacles}), (*CLOSE, (b"retry-after", b"1"))
            )
        if state.degraded and not public:
            return Response(200, encode({"status": "ready", "degraded": state.degraded}))
        return Response(200, b'{"status":"ready"}')

    return {"/livez": livez, "/readyz": readyz}


def health_lane(app: App, answers: Health) -> App:
    """Serves health requests and passes all other requests to `app`."""

    async def lane(scope: Scope, receive: Receive, send: Send) -> None:
        answer = answers.get(scope["path"]) if scope["method"] == "GET" else None
        if answer is None:
            await app(scope, receive, send)
        else:
            await send_response(await answer(), send)

    return lane
