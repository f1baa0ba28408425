"""The healthcheck of containers: `python -m wallet_kernel.runtime.healthcheck` exits with 0 if the service is ready.

It runs again and again beside the service, so it imports nothing that takes long.
"""

import os
import socket
import sys


def is_ready(port: int, timeout_s: float = 2.0) -> bool:
    """Whether the service with its own port here answers `/readyz` with 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not is_ready(int(os.environ["WALLET_PORT"])))
