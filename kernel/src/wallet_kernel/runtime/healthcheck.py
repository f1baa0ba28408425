"""The healthcheck of containers: `python -m wallet_kernel.runtime.healthcheck` exits with 0 if the service is healthy.

It imports only fast modules, because Docker starts it often.
"""

import json
import os
import socket
import sys

STANDBY = "standby"
"""The status in the `/readyz` of a replica that is not ready only because another replica is active."""

_ANSWER_BYTES_MAX = 16 * 1024


def is_healthy(port: int, timeout_s: float = 2.0) -> bool:
    """Returns whether the service with this internal port is ready or a standby."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = connection.makefile("rb").read(_ANSWER_BYTES_MAX)
    except OSError:
        return False
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b" ")[1:2] == [b"200"] or is_standby(body)


def is_standby(body: bytes) -> bool:
    """Returns whether the body of a `/readyz` has the status of a standby."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("status") == STANDBY


if __name__ == "__main__":
    sys.exit(not is_healthy(int(os.environ["WALLET_PORT"])))
