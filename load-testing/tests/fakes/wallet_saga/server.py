"""An HTTP server that returns its start settings."""

import json
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers `/readyz` with 200, and other paths with its pid and its WALLET_ variables."""

    def do_GET(self) -> None:
        """Answer any path."""
        settings = {key: value for key, value in os.environ.items() if key.startswith("WALLET_")}
        body = json.dumps({"pid": os.getpid(), "settings": settings}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class SharedPortServer(ThreadingHTTPServer):
    """A server that shares its port with the other replicas."""

    def server_bind(self) -> None:
        """Bind with SO_REUSEPORT."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


def serve() -> None:
    """Serve on the service's own port and on the public port, if there is one."""
    if message := os.environ.get("FAKE_CRASH"):
        sys.exit(message)
    if public := os.environ.get("WALLET_PUBLIC_PORT"):
        server = SharedPortServer(("127.0.0.1", int(public)), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["WALLET_PORT"])), Handler).serve_forever()
