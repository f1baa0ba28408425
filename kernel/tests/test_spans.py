"""Traces are told in passing: a collector that is away holds nobody up."""

import subprocess
import sys
import time
from socket import socket

TELL_AND_STOP = """
import sys
from wallet_kernel.ids import new_transaction_id
from wallet_kernel.runtime.spans import Spans
if sys.argv[1]:
    spans = Spans("a service", sys.argv[1], 1.0)
    for _ in range(100):
        spans.root("transfer", new_transaction_id("user1"), 1, 2)
"""


def test_a_collector_that_is_away_does_not_hold_up_the_end_of_a_service() -> None:
    """What cannot be sent is given up before the exporter's own patience ends, which is ten seconds a message."""
    with socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/traces"
        away_s, sending_nothing_s = duration_s(url), duration_s("")
    assert away_s - sending_nothing_s < 9


def duration_s(url: str) -> float:
    """How long the program takes; without a URL it sends nothing."""
    begin_s = time.monotonic()
    subprocess.run([sys.executable, "-c", TELL_AND_STOP, url], check=True)
    return time.monotonic() - begin_s
