"""A program for test_server.py: a service with one slow operation, run as services are.

Usage: small_service.py PORT GATE [shared] [impatient] [brief]. POST /wallets/balanceTransfer answers once the file GATE
exists; POST /wallets answers its body. With `impatient`, clients have 0.3 s for a request's head. With `brief`, idle
connections close after 2 s.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from wallet_kernel.contract.operations import mount
from wallet_kernel.http import Request, Response
from wallet_kernel.runtime import connection, server
from wallet_kernel.runtime.apps import public_app
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.runtime.server import Listener, Service, run

log = logging.getLogger("small_service")


@asynccontextmanager
async def service(port: int, gate: Path, *, shared: bool) -> AsyncIterator[Service]:
    """Wires the service. Logs when its resources are closed."""

    async def slow(_: Request) -> Response:
        log.info("accepted")
        while not gate.exists():  # noqa: ASYNC110, ASYNC240 - a file is how the test reaches this process
            await asyncio.sleep(0.01)
        return Response(201, b"{}")

    async def fast(request: Request) -> Response:
        return Response(200, request.header(b"x-echo") or b"")

    async def echo(request: Request) -> Response:
        return Response(201, request.body, ((b"x-echo", request.header(b"x-echo") or b""),))

    lifecycle = Lifecycle(10)
    routes = mount({"transfer": slow, "balance": fast, "openWallet": echo})
    app = public_app("small", routes, {}, lifecycle)
    try:
        yield Service(
            lifecycle, [Listener(app, "127.0.0.1", port, shared=shared, idle_s=3)], drain_timeout_s=4
        )
    finally:
        log.info("closed")


if __name__ == "__main__":
    configure_logs("small", "info")
    if "impatient" in sys.argv:
        connection.HEAD_TIMEOUT_S = 0.3
    if "brief" in sys.argv:
        server.KEEP_ALIVE_S = 2
    run(service(int(sys.argv[1]), Path(sys.argv[2]), shared="shared" in sys.argv))
