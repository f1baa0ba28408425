"""Sending traces does not block a service, even if the collector is unreachable."""

import subprocess
import sys
import time
from socket import socket

SEND_AND_STOP = """
import sys
from wallet_kernel.ids import new_transaction_id
from wallet_kernel.runtime.spans import Spans
if sys.argv[1]:
    spans = Spans("a service", sys.argv[1], 1.0)
    for _ in range(100):
        spans.root("transfer", new_transaction_id("user1"), 1, 2)
"""


def test_unreachable_collector_does_not_delay_the_exit() -> None:
    """Unsent spans are dropped before the exporter's own timeout of ten seconds per message."""
    with socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/traces"
        away_s, sending_nothing_s = duration_s(url), duration_s("")
    assert away_s - sending_nothing_s < 9


def duration_s(url: str) -> float:
    """Returns the seconds that the program takes; without a URL it sends no spans."""
    begin_s = time.monotonic()
    subprocess.run([sys.executable, "-c", SEND_AND_STOP, url], check=True)
    return time.monotonic() - begin_s
